"""How one CPO reads the specification where it can be read in two ways (issue threads of github.com/ocpi/ocpi)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from charging.tariffs.calendar import Calendar

_DAY: Final = timedelta(days=1)


class TariffRules(BaseModel):
    """One choice per ambiguity; the defaults are ours. A connection may differ, where its CPO is known to.

    - ``whole_elements``: OCPI 2.1.1, where the first element that matches prices all dimensions; later versions look
      for the first element per dimension (§11.3.3).
    - ``cut_periods``: a charging period over which a restriction switches is cut there, pro rata. False: all of it is
      priced as it began (§11.4.6 asks the CPO for a new period at each switch, so both come to the same with most).
    - ``time_step``: TIME and PARKING_TIME share one ``step_size``. ``last``: the dimension that was paid last is
      rounded. ``parking``: parking is rounded wherever it is paid, else charging (wording of the documents before).
    - ``free_volume_steps``: whether volume at price 0 counts towards ``step_size``, and may take the rounding. Volume
      that no element prices never does (ocpi#546).
    - ``step_of_one``: whether a ``step_size`` of 1 rounds, to a whole Wh or second. 0 never does.
    - ``flat``: ``once`` charges the first paid FLAT that becomes active; ``each`` every one of them (ocpi#390).
    - ``night_belongs_to``: the day of ``day_of_week`` in a night that passes midnight. ``instant``: Tuesday 02:00 is
      a Tuesday, also between Monday 22:00 and 06:00. ``evening``: it is still Monday's (tandemdrive#64).
    - ``equal_times``: ``start_time`` = ``end_time`` is the whole day, or no time at all.
    - ``expiry_fee``: FLAT of RESERVATION_EXPIRES comes ``beside`` that of RESERVATION, or ``instead`` of it.
    - ``absent_vat``: a price without ``vat`` has an ``unknown`` VAT, so that the amount incl. VAT is unknown; or
      ``none`` applies to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    whole_elements: bool = False
    cut_periods: bool = True
    time_step: Literal["last", "parking"] = "last"
    free_volume_steps: bool = False
    step_of_one: bool = False
    flat: Literal["once", "each"] = "once"
    night_belongs_to: Literal["instant", "evening"] = "instant"
    equal_times: Literal["all_day", "never"] = "all_day"
    expiry_fee: Literal["beside", "instead"] = "beside"
    absent_vat: Literal["unknown", "none"] = "unknown"

    def in_calendar(self, calendar: Calendar, local: datetime) -> bool:
        """Whether ``calendar`` holds at ``local``, the Location's time."""
        begin = calendar.start_time
        if begin is not None and begin == calendar.end_time and self.equal_times == "never":
            return False
        if self.night_belongs_to == "evening" and calendar.in_small_hours(local):
            return calendar.has_day(local - _DAY) and calendar.holds_but_for_days(local)
        return calendar.holds(local)


DEFAULT_RULES: Final = TariffRules()


def rules_of(version: str | None, differing: Mapping[str, Any] | None) -> TariffRules:
    """How a connection that speaks OCPI ``version`` is read: its own ``differing`` rules over those of the version."""
    by_version = {"whole_elements": True} if version == "2.1.1" else {}
    return TariffRules.model_validate({**by_version, **(differing or {})})
