"""Charging profiles: what a user wishes and the plan made from it.

Pure. Times are aware UTC, ``start_period`` seconds, ``limit`` W of the whole connector (as in the REST API).
``charging.scheduler`` makes plans; ``charging.planning`` turns them into OCPI ChargingProfiles.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

# Bounds that operators' signals are held to as well: what lies beyond them is no charging profile.
MAX_PERIOD_S: Final = 366 * 86_400
MAX_LIMIT_W: Final = Decimal(100_000_000)
MAX_ENERGY_KWH: Final = Decimal(10_000)

_HOUR: Final = 3600


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProfilePeriod(_Frozen):
    """From ``start_period`` s after the profile's start on, draw at most ``limit`` W; ``reason``: why, in words."""

    start_period: int = Field(ge=0, le=MAX_PERIOD_S)
    limit: Decimal = Field(ge=0, le=MAX_LIMIT_W)
    reason: str = ""


class ProfileWish(_Frozen):
    """What the user asked for: a cap in kW, a departure, both, or a schedule of their own.

    ``periods`` excludes all others. Empty: no limit. ``strategy`` (default cheapest) says what a plan for the
    departure shall be; ``guaranteed_kwh`` are charged first, at once; ``min_charge_rate_kw``: power is 0 or at least
    that.
    """

    max_charge_rate_kw: Decimal | None = Field(None, gt=0, le=MAX_LIMIT_W / 1000)
    departure_time: datetime | None = None
    periods: tuple[ProfilePeriod, ...] | None = None
    strategy: Literal["cheapest", "greenest", "asap", "latest"] | None = None
    guaranteed_kwh: Decimal | None = Field(None, ge=0, le=MAX_ENERGY_KWH)
    min_charge_rate_kw: Decimal | None = Field(None, ge=0, le=MAX_LIMIT_W / 1000)


class PlanCause(StrEnum):
    """Why a plan was made."""

    WISH = "wish"  # the user asked for it
    DRIFT = "drift"  # the meter is not where the plan said
    ACCEPTANCE = "acceptance"  # the car takes less than the limit
    PRICES = "prices"  # there are new prices
    ACTIVE_PROFILE = "active_profile"  # the CPO says that it does something else
    REJECTED = "rejected"  # the CPO refused the plan before


class PlanWarning(_Frozen):
    """Something that the user should know of the plan. ``code`` is stable."""

    code: str
    detail: str


class PlanFigures(_Frozen):
    """What a plan for a departure promises, as ``charging.planning.plan.Plan`` says it. kWh, kW, money in ``currency``.

    ``energy_kwh`` is what is delivered from the plan's start until the departure; ``price_source`` names where the
    prices come from: ``tariff``, the name of a price curve, None where no price is known.
    """

    feasible: bool
    energy_kwh: Decimal
    shortfall_kwh: Decimal
    required_kw: Decimal
    projected_finish: datetime
    latest_safe_start: datetime
    cost: Decimal | None
    cost_if_asap: Decimal | None
    currency: str | None
    price_source: str | None
    price_horizon: datetime | None
    provisional: bool
    carbon_g: Decimal | None


Control = Literal["charging_profile", "charging_preferences", "stop"]
"""What keeps a session to its plan: limits that the charge point obeys, a wish that the CPO plans by itself, or
nothing but STOP_SESSION when the energy or the cost limit is reached."""


class ChargingPlan(_Frozen):
    """The periods that were decided for a wish, from ``starts_at`` on, and which ``strategy`` decided them.

    ``revision`` counts a session's plans, ``cause`` and ``why`` (in words) say what it was made for.
    ``figures`` are there where a departure and the need were known. ``kwh_at_start`` is the meter at ``starts_at``.
    ``taken_kw``: the car was seen to take no more than that, kW. ``power_factor``: as ``SessionSpec`` has it.
    ``control`` is ``stop`` where the CPO took the plan once and refuses what has become of it.
    """

    starts_at: datetime
    strategy: Literal["cheapest", "greenest", "asap", "latest", "custom"] = "asap"
    wish: ProfileWish = ProfileWish()
    periods: tuple[ProfilePeriod, ...]
    revision: int = 1
    cause: PlanCause = PlanCause.WISH
    why: str = ""
    figures: PlanFigures | None = None
    warnings: tuple[PlanWarning, ...] = ()
    kwh_at_start: Decimal = Decimal(0)
    taken_kw: Decimal | None = None
    power_factor: int = 1
    control: Control = "charging_profile"

    def limit_w(self, now: datetime) -> Decimal:
        """The limit in force at ``now``, W."""
        limit = self.periods[0].limit
        for period in self.periods:
            if self.starts_at + timedelta(seconds=period.start_period) <= now:
                limit = period.limit
        return limit

    def expected_kwh(self, at: datetime) -> Decimal | None:
        """What the meter should read at ``at`` by this plan; None without figures."""
        if self.figures is None:
            return None
        ends = [*(p.start_period for p in self.periods), max(int((at - self.starts_at).total_seconds()), 0)]
        drawn = Decimal(0)
        for period, (start, end) in zip(self.periods, pairwise(ends), strict=True):
            seconds = max(min(end, ends[-1]) - start, 0)
            drawn += self._expected_kw(period) * seconds / _HOUR
        return self.kwh_at_start + min(drawn, self.figures.energy_kwh + self.figures.shortfall_kwh)

    def _expected_kw(self, period: ProfilePeriod) -> Decimal:
        limit = period.limit / 1000 * self.power_factor
        return limit if self.taken_kw is None else min(limit, self.taken_kw)


class PlanOrder(_Frozen):
    """What ``Scheduler.plan_session`` is asked: a plan for ``wish`` from ``now`` on.

    ``taken_kw``: what the car was seen to take at most, kW; None: as much as it is given.
    """

    session_id: str
    wish: ProfileWish
    now: datetime
    revision: int = 1
    cause: PlanCause = PlanCause.WISH
    why: str = ""
    taken_kw: Decimal | None = None
