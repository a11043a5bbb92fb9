"""What a session costs between two words of its CPO: energy as last told, time as it passes. Pure.

Sources: OCPI 2.2.1 §9.3.1 (``total_cost`` of a Session may be absent), §11 (Tariffs). ``PARKING_TIME`` counts while the
car takes nothing, and not while our own charging profile holds it back, unless its CPO bills that so. A Tariff is the
one of the session's start: it stays in force.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from charging.session.costs import RunningCost
from charging.session.profile import ChargingPlan
from charging.tariffs.estimate import cost_of, even_usage
from charging.tariffs.rules import TariffRules
from charging.tariffs.tariff import Component, Element, Tariff, read_tariff

AHEAD: Final = timedelta(hours=6)
"""How far ahead a limit is looked for: no less than the workflow's longest timer (``charging.session.steps``)."""

_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a session is priced. ``zone`` is its Location's."""

    tariff: Tariff
    zone: ZoneInfo
    rules: TariffRules
    pauses_are_parking: bool

    @property
    def grow_with_time(self) -> bool:
        """Whether time alone can cost something."""
        parts = ((element, part) for element in self.tariff.elements for part in element.components.values())
        return any(_grows(element, part) for element, part in parts)


class Reading(NamedTuple):
    """A meter. ``profile`` is the charging profile in force, as stored; ``updated_at`` the CPO's ``last_updated``.

    ``started_at`` as ``charging.session.metering.charging_since`` has it.
    """

    kwh: Decimal
    power_kw: Decimal | None
    started_at: datetime
    updated_at: datetime
    kwh_changed_at: datetime | None
    profile: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Limit:
    """``cost`` at which a session stops, and what it can take until then: ``kw`` at most, up to ``need_kwh``."""

    cost: Decimal
    kw: Decimal
    need_kwh: Decimal | None


def read_terms(
    tariff: dict[str, Any] | None, time_zone: str | None, rules: TariffRules, *, pauses_are_parking: bool
) -> Terms | None:
    """The terms of a session whose CPO's tariffs are read by ``rules``. None: its price is unknown."""
    if tariff is None:
        return None
    try:
        return Terms(read_tariff(tariff), ZoneInfo(time_zone or "UTC"), rules, pauses_are_parking)
    except (LookupError, OSError, ValueError):
        return None  # a CPO's broken tariff is an unknown price, never a broken session


def live_cost(terms: Terms, reading: Reading, now: datetime) -> RunningCost | None:
    """What it costs at ``now``. None: a price that depends on what nobody knows, or a session of more than a year."""
    parked_since = _parked_since(terms, reading, now)
    try:
        usage = even_usage(
            reading.kwh,
            reading.started_at,
            parked_since or reading.updated_at,
            now,
            is_parked=parked_since is not None,
            kw=reading.power_kw,
        )
        return cost_of(usage, terms.tariff, terms.zone, terms.rules)
    except ValueError:
        return None


def limit_look_at(terms: Terms, reading: Reading, limit: Limit, now: datetime) -> datetime | None:
    """A moment shortly before ``limit`` could be reached, an eighth of the way at most, and within six hours.

    None where time costs nothing: energy alone reaches no limit without a word of the CPO.
    """
    if not terms.grow_with_time:
        return None
    if not _may_reach(terms, reading, limit, now, AHEAD):
        return now + AHEAD
    early, late = timedelta(0), AHEAD
    while late - early > max(early / 8, _SECOND):
        middle = (early + late) / 2
        if _may_reach(terms, reading, limit, now, middle):
            late = middle
        else:
            early = middle
    return now + early


def _may_reach(terms: Terms, reading: Reading, limit: Limit, now: datetime, ahead: timedelta) -> bool:
    """Whether it could cost so much by then: with all that the connector gives, or by time alone.

    All that it could take is spread over the whole time, so some of it falls into cheaper hours than it was taken in.
    """
    at = now + ahead
    kwh = reading.kwh + limit.kw * Decimal(str(ahead.total_seconds())) / 3600
    if limit.need_kwh is not None:
        kwh = max(min(kwh, limit.need_kwh), reading.kwh)
    possible = [reading, reading._replace(kwh=kwh, power_kw=limit.kw, updated_at=at, kwh_changed_at=at)]
    if _parked_since(terms, reading, now) is not None:
        possible.append(reading._replace(profile=None))  # parked it stays, whatever its profile says by then
    costs = (live_cost(terms, each, at) for each in possible)
    return any(cost is not None and cost.so_far >= limit.cost for cost in costs)


def _parked_since(terms: Terms, reading: Reading, now: datetime) -> datetime | None:
    """Since when the car takes nothing by itself; None where it charges, or is held back by our profile."""
    if reading.power_kw is None or reading.power_kw > 0 or reading.kwh_changed_at is None:
        return None
    if reading.profile is not None and not terms.pauses_are_parking:
        held_back = ChargingPlan.model_validate(reading.profile).limit_w(now) <= 0
        return None if held_back else reading.kwh_changed_at
    return reading.kwh_changed_at


def _grows(element: Element, part: Component) -> bool:
    is_later_fee = part.dimension == "FLAT" and bool(element.restrictions)
    return part.price > 0 and (is_later_fee or part.dimension in ("TIME", "PARKING_TIME"))
