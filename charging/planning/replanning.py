"""Whether a plan that was made anew is worth replacing the one in force, and what is left of that. Pure.

Every change of plan is a switch for the charge point and a message to its CPO, and prices, meters and cars jitter. So
there is hysteresis: a new plan must deliver more by the departure, or save more than a threshold; a block that ends
soon is finished first. When to make a plan again at all is ``charging.session.drift`` and ``plan_rules``.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple

from charging.planning.bill import Piece, cost, decimal, delivered
from charging.planning.departure import Facts, departure_plan, request_for
from charging.planning.profile import PLANNING_FAILED
from charging.planning.request import PlanRequest
from charging.planning.slots import KWH, SECOND, prices_of
from charging.planning.task import task_of
from charging.session.model import Policy
from charging.session.profile import ChargingPlan, PlanFigures

_SAVES_KWH: Final = Decimal("0.05")  # by the departure; less is the meter's jitter


class Outlook(NamedTuple):
    """What going on with a plan delivers by the departure, kWh, and costs; None where no price is known."""

    kwh: Decimal
    cost: Decimal | None


def replanned(in_force: ChargingPlan, facts: Facts, now: datetime, policy: Policy) -> ChargingPlan:
    """The plan from ``now`` on: a new one if that is worth it, else ``in_force`` itself, looked at again."""
    wish = in_force.wish
    new = departure_plan(wish, replace(facts, at_once_kwh=_rest_of_block(in_force, now, policy)), now)
    if PLANNING_FAILED in new.warnings:
        return _kept(in_force, new, facts, now)
    if new.figures is not None and not is_worth(new.figures, outlook(in_force, request_for(wish, facts, now)), policy):
        return _kept(in_force, new, facts, now)
    return new


def is_worth(new: PlanFigures, kept: Outlook, policy: Policy) -> bool:
    """Whether a new plan delivers more than going on, or costs less by more than the thresholds of ``policy``."""
    if new.energy_kwh - kept.kwh > _SAVES_KWH:
        return True
    if new.cost is None or kept.cost is None:
        return False
    return kept.cost - new.cost >= max(policy.min_gain, policy.min_gain_share * abs(kept.cost))


def outlook(plan: ChargingPlan, request: PlanRequest) -> Outlook:
    """What ``plan`` delivers and costs from the request's ``now`` until the need is met, at the request's prices."""
    task, prices = task_of(request), prices_of(request)
    pieces: list[Piece] = []
    for begin, end, power in _ahead(plan, request):
        flow, left = min(power, task.car.power(0)), task.need - delivered(pieces, task.car, task.horizon)
        end = min(end, begin + int(left / flow), task.horizon)
        if end > begin:
            pieces.append(Piece(begin, end, power))
    kwh = decimal(delivered(pieces, task.car, task.horizon)) / KWH
    return Outlook(kwh, cost(pieces, prices.slots, task.car) if prices.slots else None)


def _ahead(plan: ChargingPlan, request: PlanRequest) -> list[Piece]:
    """The periods of ``plan`` in which power flows, from the request's ``now`` on; the last one has no end."""
    gone = int((request.now - plan.starts_at).total_seconds())
    horizon = int((request.departure_time - request.now).total_seconds()) + 1
    starts = [*(period.start_period - gone for period in plan.periods), horizon]
    spans = zip(plan.periods, pairwise(starts), strict=True)
    flowing = [(max(a, 0), b, int(p.limit * plan.power_factor * 10)) for p, (a, b) in spans if p.limit > 0]
    return [Piece(a * SECOND, b * SECOND, power) for a, b, power in flowing if b > a]


def _rest_of_block(plan: ChargingPlan, now: datetime, policy: Policy) -> Decimal:
    """What flows until the end of the block that runs now, kWh; 0 where none runs, or where it ends too late."""
    if plan.limit_w(now) <= 0:
        return Decimal(0)
    pauses = (plan.starts_at + timedelta(seconds=p.start_period) for p in plan.periods if p.limit <= 0)
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
