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
    PUBLISHED = "published"  # some prices were a forecast; they should be known by now
    DEPARTURE = "departure"  # the departure has passed, and the need is not met


class PlanState(StrEnum):
    """What became of a plan."""

    PLANNED = "planned"  # made, not yet accepted by the CPO
    IN_FORCE = "in_force"
    REJECTED = "rejected"  # the CPO refused it, or never said that it took it
    REPLACED = "replaced"  # by a newer one, or cleared


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
    ``pause_kw``: what flows where the limit is 0, because the CPO is sent that minimum.
    ``seen_at``, ``seen_kwh``: where the meter was when the plan was last looked at again, and kept.
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
    pause_kw: Decimal = Decimal(0)
    seen_at: datetime | None = None
    seen_kwh: Decimal | None = None

    def limit_w(self, now: datetime) -> Decimal:
        """The limit in force at ``now``, W."""
        return self.period_at(now).limit

    def period_at(self, now: datetime) -> ProfilePeriod:
        """The period that ``now`` lies in; before the first one, that one."""
        begun = [period for period in self.periods if self.begins_at(period) <= now]
        return begun[-1] if begun else self.periods[0]

    def next_period(self, now: datetime) -> tuple[datetime, ProfilePeriod] | None:
        """The period that follows after ``now``, and when it begins; None where none does."""
        return next(((at, p) for p in self.periods if (at := self.begins_at(p)) > now), None)

    def begins_at(self, period: ProfilePeriod) -> datetime:
        """When ``period`` begins."""
        return self.starts_at + timedelta(seconds=period.start_period)

    def expected_kwh(self, at: datetime) -> Decimal | None:
        """What the meter should read at ``at`` by this plan; None where it has no figures."""
        if self.figures is None:
            return None
        is_past = self.seen_at is not None and at < self.seen_at
        since, kwh = (self.starts_at, self.kwh_at_start) if is_past else self.last_seen
        need = self.kwh_at_start + self.figures.energy_kwh + self.figures.shortfall_kwh
        drawn = self._drawn_kwh(at) - self._drawn_kwh(since)
        return max(min(kwh + drawn, need), kwh)

    @property
    def last_seen(self) -> tuple[datetime, Decimal]:
        """When the meter was last held against this plan, and what it read: what is expected counts from there."""
        return self.seen_at or self.starts_at, self.kwh_at_start if self.seen_kwh is None else self.seen_kwh

    def kept(self, at: datetime, kwh: Decimal, taken_kw: Decimal | None) -> "ChargingPlan":
        """The same plan, looked at again at ``at`` when the meter read ``kwh``."""
        return self.model_copy(update={"seen_at": at, "seen_kwh": kwh, "taken_kw": taken_kw})

    @property
    def top_kw(self) -> Decimal:
        """The most that flows at any time, kW."""
        return max(self.at_most_kw(period.limit) for period in self.periods)

    def flow_kw(self, at: datetime) -> Decimal:
        """What should flow at ``at``, kW."""
        return self.at_most_kw(self.limit_w(at))

    def at_most_kw(self, limit_w: Decimal) -> Decimal:
        """What flows under a limit of ``limit_w``, kW."""
        flow = max(limit_w / 1000, self.pause_kw) * self.power_factor
        return flow if self.taken_kw is None else min(flow, self.taken_kw)

    def _drawn_kwh(self, until: datetime) -> Decimal:
        """What flows from ``starts_at`` to ``until`` where nothing ends it."""
        end = max(int((until - self.starts_at).total_seconds()), 0)
        starts = [min(period.start_period, end) for period in self.periods]
        spans = zip(self.periods, pairwise([*starts, end]), strict=True)
        return sum((self.at_most_kw(p.limit) * (b - a) / _HOUR for p, (a, b) in spans), Decimal(0))


class PlanRecord(_Frozen):
    """One revision of a session's plan (made at its ``starts_at``), and what became of it."""

    plan: ChargingPlan
    state: PlanState


class PlanOrder(_Frozen):
    """What ``Scheduler.plan_session`` is asked: a plan for ``wish`` from ``now`` on.

    ``taken_kw``: what the car was seen to take at most, kW; None: as much as it is given. ``in_force``: the plan that
    stays, where the new one is not worth it.
    """

    session_id: str
    wish: ProfileWish
    now: datetime
    revision: int = 1
    cause: PlanCause = PlanCause.WISH
    why: str = ""
    taken_kw: Decimal | None = None
    in_force: ChargingPlan | None = None
