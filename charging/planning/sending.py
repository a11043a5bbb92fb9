"""From a plan to the ChargingProfile that the CPO is sent (OCPI 2.2.1 §14.4.3). Pure.

The CPO is sent what lies ahead, at most as many periods as it takes; the rest follows in time. And it is sent more
than the plan has: from the moment on at which only full power still makes the departure, the limit is the cap. While
the engine lives, it stops the session when the energy is in and sends later what lies behind that moment; should it
die, the car is ready all the same. Limits in W of the whole connector, powers in kW, times aware UTC.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from charging.session.profile import ChargingPlan, ProfilePeriod

AHEAD: Final = timedelta(minutes=5)  # so long before it is needed the rest is sent: a CPO may be away for a while
AT_MOST_EVERY: Final = timedelta(minutes=1)

_SECOND: Final = timedelta(seconds=1)
_SAME_W: Final = 1  # a lesser change of a limit is not worth a period
LEAST_AMPS: Final = 6  # per phase: IEC 61851-1 has no smaller current for AC
LEAST_DC_W: Final = Decimal(2000)  # about 5 A at 400 V: the smallest current that CCS charge points commonly give


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Conversion(_Frozen):
    """How limits are written: W in total, or A per phase (``voltage`` in V, line to neutral)."""

    unit: Literal["W", "A"]
    phases: int
    voltage: int

    def limit(self, watts: Decimal) -> Decimal:
        """One decimal, rounded down: a limit is a maximum, and more would exceed what the user allowed."""
        return self._divided(watts, ROUND_FLOOR)

    def least(self, watts: Decimal) -> Decimal:
        """One decimal, rounded up: less would be below the minimum."""
        return self._divided(watts, ROUND_CEILING)

    def least_w(self, min_charge_rate_kw: Decimal | None) -> Decimal:
        """What ``hold_minimum`` sends: 6 A per phase (AC) or 2 kW (DC), more where the user's minimum is more."""
        least = Decimal(LEAST_AMPS * self.phases * self.voltage) if self.unit == "A" else LEAST_DC_W
        return max(least, (min_charge_rate_kw or Decimal(0)) * 1000)

    def _divided(self, watts: Decimal, rounding: str) -> Decimal:
        divisor = 1 if self.unit == "W" else self.phases * self.voltage
        return (watts / divisor).quantize(Decimal("0.1"), rounding)


class Station(_Frozen):
    """What the charge point and its CPO take. ``hold_minimum``: a plan's pauses are sent as the least power."""

    conversion: Conversion
    max_power_kw: Decimal
    max_periods: int
    hold_minimum: bool = False


class SentPeriod(_Frozen):
    """OCPI ChargingProfilePeriod (§14.4.4): ``limit`` has one decimal, in the profile's unit."""

    start_period: int
    limit: Decimal


class Sending(_Frozen):
    """What is sent. ``limit_w``: the limit that it begins with, W. ``send_again_at``: when the rest of the plan must
    follow; None: this is all of it.
    """

    start_date_time: datetime
    limit_w: Decimal
    periods: tuple[SentPeriod, ...]
    min_charging_rate: Decimal | None = None
    send_again_at: datetime | None = None


class _Step(_Frozen):
    at: datetime
    watts: Decimal


def sending(plan: ChargingPlan, station: Station, now: datetime) -> Sending:
    """What a CPO is sent of ``plan`` at ``now``."""
    steps = _ahead(_steps(plan.starts_at, plan.periods), now)
    if plan.strategy != "custom":
        steps = _paused_at(steps, _pause_w(plan, station))
    steps = _merged(_in_seconds(steps), station.conversion)
    safe = safe_start(plan, station, now)
    kept, left_out = _kept(steps, _tail(steps, safe, _cap_w(plan, station)), station)
    minimum = plan.wish.min_charge_rate_kw
    return Sending(
        start_date_time=kept[0].at,
        limit_w=kept[0].watts,
        periods=_relative(kept, station.conversion),
        min_charging_rate=station.conversion.least(minimum * 1000) if minimum else None,
        send_again_at=left_out and max(left_out - AHEAD, now + AT_MOST_EVERY),
    )


def safe_start(plan: ChargingPlan, station: Station, now: datetime) -> datetime | None:
    """From when on only the cap makes the departure, if the plan was followed until ``now``; None: there is none.

    Every kWh that is in moves it later by what the kWh takes at the cap.
    """
    if plan.figures is None or plan.wish.departure_time is None:
        return None
    drawn = (plan.expected_kwh(now) or plan.kwh_at_start) - plan.kwh_at_start
    cap_kw = plan.at_most_kw(_cap_w(plan, station))
    return plan.figures.latest_safe_start + timedelta(hours=float(drawn / cap_kw))


# ---- The plan as it is, from now on -------------------------------------------------------------------------------


def _steps(starts_at: datetime, periods: Sequence[ProfilePeriod]) -> list[_Step]:
    return [_Step(at=starts_at + timedelta(seconds=p.start_period), watts=p.limit) for p in periods]


def _ahead(steps: list[_Step], now: datetime) -> list[_Step]:
    """Without what is over. While the first period lasts all is as planned, so that a repeated send says the same."""
    over = [step for step in steps[1:] if step.at <= now]
    if not over:
        return steps
    return [_Step(at=now, watts=over[-1].watts), *(step for step in steps if step.at > now)]


def _pause_w(plan: ChargingPlan, station: Station) -> Decimal:
    if not station.hold_minimum:
        return Decimal(0)
    return min(station.conversion.least_w(plan.wish.min_charge_rate_kw), _cap_w(plan, station))


def _paused_at(steps: list[_Step], watts: Decimal) -> list[_Step]:
    return [step if step.watts > 0 else step.model_copy(update={"watts": watts}) for step in steps]


def _cap_w(plan: ChargingPlan, station: Station) -> Decimal:
    cap = plan.wish.max_charge_rate_kw
    return (station.max_power_kw if cap is None else min(cap, station.max_power_kw)) * 1000


# ---- What of it is sent -------------------------------------------------------------------------------------------


def _tail(steps: list[_Step], safe: datetime | None, cap_w: Decimal) -> _Step | None:
    """The cap from ``safe`` on; None where the plan has no such moment."""
    return None if safe is None else _Step(at=_whole_second(max(safe, steps[0].at)), watts=cap_w)


def _kept(steps: list[_Step], tail: _Step | None, station: Station) -> tuple[list[_Step], datetime | None]:
    """What fits, the nearest first, then the tail; and when the first moment comes at which the plan goes on."""
    if tail is None:
        kept = steps[: station.max_periods]
        return kept, steps[len(kept)].at if len(kept) < len(steps) else None
    near = [step for step in steps if step.at < tail.at]
    kept = near[: station.max_periods - 1]
    # The pause after the last block is no plan to go on with: by then the energy is in and the session ends.
    goes_on = [step for step in steps[:-1] if step.at >= tail.at and tail.watts - step.watts >= _SAME_W]
    left_out = [*near[len(kept) :], *goes_on]
    return _merged([*kept, tail], station.conversion), left_out[0].at if left_out else None


def _merged(steps: list[_Step], conversion: Conversion) -> list[_Step]:
    """Without periods that hardly differ from the one before; of such limits the lowest holds."""
    runs: list[list[_Step]] = []
    for step in steps:
        if runs and _is_same(step.watts, runs[-1][0].watts, conversion):
            runs[-1].append(step)
        else:
            runs.append([step])
    return [run[0].model_copy(update={"watts": min(step.watts for step in run)}) for run in runs]


def _is_same(one: Decimal, other: Decimal, conversion: Conversion) -> bool:
    return abs(one - other) < _SAME_W or conversion.limit(one) == conversion.limit(other)


def _in_seconds(steps: list[_Step]) -> list[_Step]:
    """Each at its whole second, of two in the same second the later one: CPOs refuse periods that do not ascend."""
    whole = {_whole_second(step.at): step.watts for step in steps}
    return [_Step(at=at, watts=watts) for at, watts in whole.items()]


def _relative(steps: list[_Step], conversion: Conversion) -> tuple[SentPeriod, ...]:
    return tuple(
        SentPeriod(start_period=(step.at - steps[0].at) // _SECOND, limit=conversion.limit(step.watts))
        for step in steps
    )


def _whole_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
