"""What decides the limit at each moment: charge at once, a plan that is made once, a plan that is kept true."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from benches.scheduling.real_data import DayAhead
from benches.scheduling.simulated import Stand
from charging.planning.caution import Caution
from charging.planning.departure import Facts, Prices, departure_plan
from charging.planning.replanning import replanned
from charging.planning.request import PriceSlot
from charging.session.drift import Deviation, deviation
from charging.session.model import Meter, Policy
from charging.session.profile import ChargingPlan, PlanCause, ProfileWish

HOUR = timedelta(hours=1)
PUSHES_EVERY = timedelta(minutes=1)  # the CPO's Session updates
RULES = Policy()  # the engine's own, with their defaults
NONE = Caution()
CAUTIOUS = Caution(RULES.probe_s, RULES.ready_before_s, RULES.ready_before_share)


class Limits(Protocol):
    """Says how many kW the car may take at ``now``."""

    plans: int

    def limit_kw(self, now: datetime, stand: Stand) -> float:
        """The limit in kW."""
        ...


class AtOnce:
    """Full power until the energy is in."""

    plans = 0

    def limit_kw(self, now: datetime, stand: Stand) -> float:
        """All that the charger has."""
        return stand.charger_kw


@dataclass
class Planned:
    """The engine's own plan for ``departure``, under the profile that it sends: full power from the latest safe start.

    ``is_kept_true``: held against the meter at each push and against each new price list, and made anew by the
    engine's own rules.
    """

    departure: datetime
    day_ahead: DayAhead
    caution: Caution
    is_kept_true: bool
    plans: int = 0
    _plan: ChargingPlan | None = None
    _known_until: datetime | None = None
    _pushed: datetime | None = None

    def limit_kw(self, now: datetime, stand: Stand) -> float:
        """The limit of the plan in force."""
        if self._plan is None:
            self._plan = departure_plan(ProfileWish(departure_time=self.departure), self._facts(now, stand, None), now)
            self.plans = 1
        elif self.is_kept_true and (self._pushed is None or now - self._pushed >= PUSHES_EVERY):
            self._pushed = now
            self._plan = self._looked_at(self._plan, now, stand)
        figures = self._plan.figures
        if figures is None or now >= figures.latest_safe_start:
            return stand.charger_kw
        return float(self._plan.limit_w(now)) / 1000

    def _looked_at(self, plan: ChargingPlan, now: datetime, stand: Stand) -> ChargingPlan:
        meter = Meter(kwh=_decimal(stand.kwh), power_kw=_decimal(stand.power_kw), received_at=now, updated_at=now)
        found = deviation(plan, meter, RULES)
        if found is None and self._horizon(now) != self._known_until:
            found = Deviation(cause=PlanCause.PRICES, why="There are new prices.", taken_kw=plan.taken_kw)
        if found is None or now >= self.departure:
            return plan
        made = replanned(plan, self._facts(now, stand, found.taken_kw), now, RULES)
        self.plans += made.starts_at == now
        return made

    def _facts(self, now: datetime, stand: Stand, taken_kw: Decimal | None) -> Facts:
        self._known_until = self._horizon(now)
        slots = tuple(
            PriceSlot(start=at, end=at + HOUR, price=_decimal(price))
            for at, price in self.day_ahead.published(now, self.departure)
        )
        return Facts(
            max_power_kw=_decimal(stand.charger_kw),
            need_kwh=_decimal(stand.need_kwh),
            kwh=_decimal(stand.kwh),
            taken_kw=taken_kw,
            prices=Prices("day-ahead", slots, currency="EUR"),
            bridge_s=RULES.bridge_s,
            caution=self.caution,
        )

    def _horizon(self, now: datetime) -> datetime:
        hours = self.day_ahead.published(now, self.departure)
        return hours[-1][0] + HOUR if hours else now


def _decimal(value: float) -> Decimal:
    return Decimal(str(round(value, 5)))
