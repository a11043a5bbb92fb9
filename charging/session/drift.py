"""Whether what happens is what the plan said. Pure.

Energy kWh, power kW. A CPO's list may say today what the meter read ten minutes ago: a car is behind its plan only by
what the CPO's own clock says, and ahead of it only by ours.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict

from charging.session.model import Meter, Policy
from charging.session.profile import ChargingPlan, PlanCause

NOTHING_KW: Final = Decimal("0.1")  # a car that takes less takes nothing
_WELL_BELOW: Final = Decimal("0.9")  # of what it is given: the car takes less than it may
_MISSING_KWH: Final = Decimal("0.05")  # at the end of a plan; less is not worth a block of its own
_LEAST_S: Final = 10  # however fast a sandbox car charges


class Deviation(BaseModel):
    """Why a plan should be made again, in words too; ``taken_kw``: what the car takes at most, as far as was seen."""

    model_config = ConfigDict(frozen=True)

    cause: PlanCause
    why: str
    taken_kw: Decimal | None = None


def deviation(plan: ChargingPlan, meter: Meter, policy: Policy) -> Deviation | None:
    """What the meter shows of a plan that is not followed; None within the tolerances, or where it was just made.

    None also while the car takes nothing of what it is offered: no plan can change that. Once it charges again, or the
    plan ends, what is missing is planned anew.
    """
    now = meter.received_at
    if now is None:
        return None
    less = _takes_less(plan, meter, now, policy)
    if less is not None and plan.taken_kw is None:
        return less  # the first look at a new car does not wait
    if now < plan.last_seen[0] + _scaled(policy.replan_pause_s, plan):
        return None
    as_of = min(now, meter.updated_at or now)
    least, most = plan.expected_kwh(as_of), plan.expected_kwh(now)
    if least is None or most is None:
        return None
    tolerance = max(policy.drift_kwh, plan.top_kw * _hours(_scaled(policy.drift_s, plan)))
    if meter.kwh > most + tolerance:
        return _ahead(plan, meter, meter.kwh - most)
    if less is not None:
        return less
    missing = least - meter.kwh
    if missing > tolerance or (missing > _MISSING_KWH and _has_ended(plan, as_of) and meter.kwh > plan.last_seen[1]):
        return _behind(plan, meter, missing, now)
    return None


def limited(plan: ChargingPlan, active_w: Decimal, now: datetime) -> Deviation | None:
    """What the CPO's ActiveChargingProfile, which allows ``active_w`` W now, changes; None where nothing."""
    wanted_w = plan.limit_w(now)
    if plan.figures is None or wanted_w <= 0:
        return None
    flow_kw = active_w / 1000 * plan.power_factor
    if flow_kw < plan.flow_kw(now) * _WELL_BELOW and active_w > 0:
        why = f"The charge point gives {_number(active_w / 1000)} kW instead of {_number(wanted_w / 1000)} kW."
        return Deviation(cause=PlanCause.ACTIVE_PROFILE, why=why, taken_kw=flow_kw)
    if plan.cause is PlanCause.ACTIVE_PROFILE and plan.taken_kw is not None and active_w >= wanted_w * _WELL_BELOW:
        why = f"The charge point gives {_number(active_w / 1000)} kW again."
        return Deviation(cause=PlanCause.ACTIVE_PROFILE, why=why)
    return None


def _ahead(plan: ChargingPlan, meter: Meter, kwh: Decimal) -> Deviation:
    power, taken = meter.power_kw, plan.taken_kw
    if taken is not None and power is not None and power * _WELL_BELOW > taken:
        why = f"The car takes {_number(power)} kW, more than the {_number(taken)} kW that it took before."
        return Deviation(cause=PlanCause.ACCEPTANCE, why=why)
    return Deviation(cause=PlanCause.DRIFT, why=f"The meter is {_number(kwh)} kWh ahead of the plan.", taken_kw=taken)


def _behind(plan: ChargingPlan, meter: Meter, kwh: Decimal, now: datetime) -> Deviation | None:
    if meter.power_kw is not None and meter.power_kw < NOTHING_KW and plan.flow_kw(now) > 0:
        return None
    why = f"The meter is {_number(kwh)} kWh behind the plan."
    return Deviation(cause=PlanCause.DRIFT, why=why, taken_kw=plan.taken_kw)


def _takes_less(plan: ChargingPlan, meter: Meter, now: datetime, policy: Policy) -> Deviation | None:
    """What the car takes of a limit that holds for a while, where that is clearly less than the plan counts on."""
    power, then = meter.power_kw, now - _scaled(policy.settle_s, plan)
    counted_on = min(plan.flow_kw(now), plan.flow_kw(then)) if then >= plan.starts_at else Decimal(0)
    if power is None or not NOTHING_KW <= power < counted_on * _WELL_BELOW:
        return None
    given = plan.limit_w(now) / 1000 * plan.power_factor
    why = f"The car takes {_number(power)} kW of the {_number(given)} kW that it may."
    return Deviation(cause=PlanCause.ACCEPTANCE, why=why, taken_kw=power)


def _has_ended(plan: ChargingPlan, at: datetime) -> bool:
    last = plan.periods[-1]
    return last.limit == 0 and at >= plan.begins_at(last)


def _scaled(seconds: float, plan: ChargingPlan) -> timedelta:
    return timedelta(seconds=max(seconds / plan.power_factor, _LEAST_S))


def _hours(span: timedelta) -> Decimal:
    return Decimal(str(span.total_seconds())) / 3600


def _number(value: Decimal) -> str:
    return f"{value:.1f}".removesuffix(".0")
