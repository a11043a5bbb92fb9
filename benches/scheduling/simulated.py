"""A car at a charger, in steps of ten seconds, under the limits that a policy sets."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from benches.scheduling.real_data import Car

STEP = timedelta(seconds=10)
_STEP_H = STEP.total_seconds() / 3600


@dataclass
class Stand:
    """A car at a charger of ``charger_kw``. Once ``need_kwh`` are in, the session stops itself."""

    car: Car
    soc: float
    charger_kw: float
    dc: bool
    need_kwh: float
    kwh: float = 0.0
    power_kw: float = 0.0
    cost: float = 0.0
    switches: int = 0

    @property
    def is_done(self) -> bool:
        """Whether the need is in."""
        return self.need_kwh - self.kwh <= 1e-6

    def step(self, limit_kw: float, price: float) -> None:
        """One step under ``limit_kw`` at ``price`` per kWh."""
        takes = min(limit_kw, self.charger_kw, self.car.accepts_kw(self.soc, dc=self.dc))
        power = 0.0 if self.is_done else takes
        self.switches += (power > 0) != (self.power_kw > 0)
        energy = min(power * _STEP_H, self.need_kwh - self.kwh)
        self.kwh += energy
        self.soc += energy / self.car.battery_kwh
        self.cost += energy * price
        self.power_kw = power


Curve = list[tuple[datetime, float]]  # power over time, kW


class _Limits(Protocol):
    def limit_kw(self, now: datetime, stand: Stand) -> float: ...


def charge(
    stand: Stand, policy: _Limits, price: Callable[[datetime], float], arrival: datetime, departure: datetime
) -> Curve:
    """Let ``stand`` charge from ``arrival`` to ``departure``; answers the power over time."""
    now, curve = arrival, list[tuple[datetime, float]]()
    while now < departure:
        stand.step(policy.limit_kw(now, stand), price(now))
        curve.append((now, stand.power_kw))
        now += STEP
    return curve
