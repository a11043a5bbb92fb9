"""A battery that takes less as it fills.

Pure, in closed form, so that an hour is as exact and as cheap as a second: up to the knee at 80 % the car accepts
its maximum, from there on the acceptance falls in a straight line to 4 % of it when full. Power in kW of the car,
energy in kWh, state of charge (``soc``) as a share from 0 to 1.
"""

import math
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

KNEE: Final = 0.8
ACCEPTANCE_WHEN_FULL: Final = 0.04
_FALL: Final = (1 - ACCEPTANCE_WHEN_FULL) / (1 - KNEE)


class Car(BaseModel):
    """What is plugged in. ``max_ac_kw`` is its on-board charger, ``max_dc_kw`` what the battery accepts below 80 %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity_kwh: float = Field(77.0, gt=0, le=1000)
    soc: float = Field(0.20, ge=0, le=1)
    max_dc_kw: float = Field(150.0, gt=0, le=2000)
    max_ac_kw: float = Field(22.0, gt=0, le=100)


@dataclass(frozen=True)
class Charge:
    """What a stretch of charging did: energy into the battery, where it stands, seconds until it was full (or not)."""

    energy_kwh: float
    soc: float
    full_after_s: float | None = None


def acceptance_kw(car: Car, soc: float) -> float:
    """The most that the battery takes at ``soc``."""
    return car.max_dc_kw * (1 - _FALL * max(0.0, soc - KNEE))


def power_kw(car: Car, soc: float, cap_kw: float) -> float:
    """What flows at ``soc`` when cable, profile and on-board charger allow ``cap_kw``. A full car takes nothing."""
    return 0.0 if soc >= 1 else max(0.0, min(cap_kw, acceptance_kw(car, soc)))


def charge(car: Car, soc: float, cap_kw: float, seconds: float) -> Charge:
    """Charge from ``soc`` for ``seconds`` under ``cap_kw``: at constant power until the acceptance has fallen to it."""
    power = power_kw(car, soc, cap_kw)
    if power <= 0:
        return Charge(0.0, soc)
    bend = max(soc, min(1.0, KNEE + (1 - power / car.max_dc_kw) / _FALL))
    level_s = (bend - soc) * car.capacity_kwh / power * 3600
    if level_s > seconds:
        energy = power * seconds / 3600
        return Charge(energy, soc + energy / car.capacity_kwh)
    if bend >= 1:
        return Charge((1 - soc) * car.capacity_kwh, 1.0, level_s)
    rest = _taper(car, bend, seconds - level_s)
    full = None if rest.full_after_s is None else level_s + rest.full_after_s
    return Charge((rest.soc - soc) * car.capacity_kwh, rest.soc, full)


def _taper(car: Car, soc: float, seconds: float) -> Charge:
    """Everything that the battery accepts beyond the bend: there d(power)/dt is proportional to power."""
    tau_s = car.capacity_kwh / (car.max_dc_kw * _FALL) * 3600
    now_kw, last_kw = acceptance_kw(car, soc), car.max_dc_kw * ACCEPTANCE_WHEN_FULL
    full_s = tau_s * math.log(now_kw / last_kw)
    if full_s <= seconds:
        return Charge((1 - soc) * car.capacity_kwh, 1.0, full_s)
    then_kw = now_kw * math.exp(-seconds / tau_s)
    after = KNEE + (1 - then_kw / car.max_dc_kw) / _FALL
    return Charge((after - soc) * car.capacity_kwh, after)
