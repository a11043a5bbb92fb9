"""Whether a plan that was made anew is worth replacing the one in force, and what is left of that. Pure.

Every change of plan is a switch for the charge point and a message to its CPO, and prices, meters and cars jitter. So
there is hysteresis: a new plan must deliver more by the departure, or save more than a threshold; a block that ends
soon is finished first. When to make a plan again at all is ``charging.session.drift`` and ``plan_rules``.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from charging.planning.departure import Facts, departure_plan, request_for
from charging.planning.outlook import Outlook, outlook
from charging.planning.profile import PLANNING_FAILED
from charging.session.model import Policy
from charging.session.profile import ChargingPlan, PlanFigures

_SAVES_KWH: Final = Decimal("0.05")  # by the departure; less is the meter's jitter


def replanned(in_force: ChargingPlan, facts: Facts, now: datetime, policy: Policy) -> ChargingPlan:
    """The plan from ``now`` on: the next revision if that is worth it, else ``in_force`` itself, looked at again."""
    wish = in_force.wish
    new = departure_plan(wish, replace(facts, at_once_kwh=_rest_of_block(in_force, now, policy)), now)
    new = new.model_copy(update={"revision": in_force.revision + 1})
    if PLANNING_FAILED in new.warnings:
        return _kept(in_force, new, facts, now)
    if new.figures is None:
        return new
    request = request_for(wish, facts, now)
    kept = outlook(in_force.periods, in_force.starts_at, request, power_factor=in_force.power_factor)
    return new if is_worth(new.figures, kept, policy) else _kept(in_force, new, facts, now)


def is_worth(new: PlanFigures, kept: Outlook, policy: Policy) -> bool:
    """Whether a new plan delivers more than going on, or costs less by more than the thresholds of ``policy``."""
    if new.energy_kwh - kept.kwh > _SAVES_KWH:
        return True
    if new.cost is None or kept.cost is None:
        return False
    return kept.cost - new.cost >= max(policy.min_gain, policy.min_gain_share * abs(kept.cost))


def _rest_of_block(plan: ChargingPlan, now: datetime, policy: Policy) -> Decimal:
    """What flows until the end of the block that runs now, kWh; 0 where none runs, or where it ends too late."""
    if plan.limit_w(now) <= 0:
        return Decimal(0)
    pauses = (plan.begins_at(period) for period in plan.periods if period.limit <= 0)
    end = next((at for at in pauses if at > now), None)
    if end is None or end - now > timedelta(seconds=policy.finish_block_s):
        return Decimal(0)
    return plan.flow_kw(now) * Decimal(str((end - now).total_seconds())) / 3600


def _kept(in_force: ChargingPlan, new: ChargingPlan, facts: Facts, now: datetime) -> ChargingPlan:
    """The plan in force, held against the meter as it is now. What is newly known of prices is known of it too."""
    kept = in_force.kept(now, facts.kwh, facts.taken_kw)
    if kept.figures is None or new.figures is None:
        return kept
    known = {name: getattr(new.figures, name) for name in ("provisional", "price_horizon", "price_source")}
    return kept.model_copy(update={"figures": kept.figures.model_copy(update=known)})
