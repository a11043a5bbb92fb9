"""The plan in the life of a session: what makes it be made again, and what becomes of the answer. Pure.

It is made again when the meter is not where it says, when the car takes less than it may (or more than it did), when
prices change, when the CPO's ActiveChargingProfile gives less, and when the departure has passed without the need being
met. Whether the new one is worth sending is decided where it is made (``charging.planning.replanning``).
"""

from datetime import datetime
from decimal import Decimal

from charging.session import profile_rules
from charging.session.drift import Deviation, deviation, limited
from charging.session.messages import CommandResultMessage
from charging.session.model import SessionSpec, SessionState, Status
from charging.session.notes import note
from charging.session.plan_records import record
from charging.session.profile import ChargingPlan, PlanCause, PlanOrder, PlanState, ProfileWish


def order(state: SessionState, now: datetime) -> PlanOrder:
    """What the planner is asked: a plan for the open wish, else another one for the wish in force."""
    profile, following, in_force = state.profile, state.following, state.profile.in_force
    asked = PlanOrder(
        session_id=state.spec.session_id,
        wish=profile.wish or ProfileWish(),
        now=now,
        revision=state.plans_made + 1,
        taken_kw=in_force.taken_kw if in_force else None,
    )
    if in_force is None or _is_asked_by_user(state):
        return asked
    why = {"cause": following.cause, "why": following.why, "taken_kw": following.taken_kw}
    return asked.model_copy(update={"wish": in_force.wish, "in_force": in_force, **why})


def replan_is_due(state: SessionState) -> bool:
    """Whether the plan in force is to be made again. Not while a user's wish is open: that one gets its own."""
    return (
        state.following.cause is not None
        and state.status is Status.ACTIVE
        and state.profile.in_force is not None
        and not _is_asked_by_user(state)
    )


def planned(state: SessionState, asked: PlanOrder, plan: ChargingPlan, now: datetime) -> None:
    """The planner has answered. Dropped where a wish has come meanwhile: that one gets its own.

    The plan in force comes back with its own revision where it stays: then nothing is sent.
    """
    if asked.in_force is None:
        profile_rules.planned(state, plan, now)
        return
    if state.following.why == asked.why:
        state.following.cause = None
    profile = state.profile
    if _is_asked_by_user(state) or profile.in_force is None or profile.in_force.revision != asked.in_force.revision:
        return
    if plan.revision == asked.in_force.revision:
        profile.in_force = plan
        record(state, plan, PlanState.IN_FORCE)
        note(state, "plan_kept", f"revision {plan.revision} stays: {asked.why}", now)
        return
    state.plans_made = plan.revision
    record(state, plan, PlanState.PLANNED)
    note(state, "replanned", f"revision {plan.revision}: {plan.why}", now)
    profile_rules.plan_changed(state, plan, now)


def metered(state: SessionState) -> None:
    """The meter has moved: is it where the plan in force says?"""
    plan = state.profile.in_force
    if plan is not None and state.following.cause is None and state.status is Status.ACTIVE:
        _make_again(state, deviation(plan, state.meter, state.spec.policy))


def prices_changed(state: SessionState) -> None:
    """There is another curve of prices, or of CO2, for this charger."""
    plan = state.profile.in_force
    if plan is not None and plan.figures is not None:
        _make_again(state, Deviation(cause=PlanCause.PRICES, why="There are new prices.", taken_kw=plan.taken_kw))


def active_profile_told(state: SessionState, message: CommandResultMessage, now: datetime) -> None:
    """The CPO tells, unasked, which ActiveChargingProfile (OCPI 2.2.1 §14.4.1) holds: less than ours, or ours again."""
    plan = state.profile.in_force
    if plan is not None and message.active_limit is not None:
        watts = active_watts(state.spec, message.active_limit, message.active_unit)
        _make_again(state, limited(plan, watts, now))


def active_watts(spec: SessionSpec, limit: Decimal, unit: str | None) -> Decimal:
    """A limit of an ActiveChargingProfile in W, of all phases."""
    return limit * (spec.phases * spec.voltage if unit == "A" else 1)


def time_passed(state: SessionState, now: datetime) -> None:
    """The departure has come, or the moment from which on prices were a forecast."""
    plan, following = state.profile.in_force, state.following
    if plan is None or state.status is not Status.ACTIVE:
        return
    if (departure := _departure_ahead(state)) is not None and now >= departure:
        following.departed = departure
        note(state, "departure_passed", _departure_words(state), now)
        if plan.figures is not None and plan.periods[-1].limit < max(period.limit for period in plan.periods):
            why = "The departure has passed: it charges at the cap."
            _make_again(state, Deviation(cause=PlanCause.DEPARTURE, why=why, taken_kw=plan.taken_kw))
    elif (horizon := _horizon(state)) is not None and now >= horizon:
        following.looked_at = horizon
        why = "Prices that were a forecast should be known by now."
        _make_again(state, Deviation(cause=PlanCause.PUBLISHED, why=why, taken_kw=plan.taken_kw))


def wake_at(state: SessionState) -> tuple[tuple[datetime | None, str], ...]:
    """When time alone may change the plan, and why, for the workflow's timer."""
    if state.status is not Status.ACTIVE:
        return ()
    return ((_departure_ahead(state), "departure"), (_horizon(state), "end of the published prices"))


def _make_again(state: SessionState, found: Deviation | None) -> None:
    plan, following = state.profile.in_force, state.following
    if found is None or plan is None or plan.control != "charging_profile":
        return  # what the CPO plans by itself, or refuses, is not planned here again
    following.cause, following.why, following.taken_kw = found.cause, found.why, found.taken_kw


def _is_asked_by_user(state: SessionState) -> bool:
    return state.profile.request_id is not None and not state.profile.own


def _departure_ahead(state: SessionState) -> datetime | None:
    """The departure of the plan in force, until its passing was noted."""
    plan = state.profile.in_force
    departure = plan.wish.departure_time if plan else None
    return departure if departure != state.following.departed else None


def _horizon(state: SessionState) -> datetime | None:
    plan = state.profile.in_force
    if plan is None or plan.figures is None or not plan.figures.provisional:
        return None
    horizon = plan.figures.price_horizon
    return horizon if horizon != state.following.looked_at else None


def _departure_words(state: SessionState) -> str:
    need, kwh = state.spec.need_kwh, state.meter.kwh
    return f"{kwh} kWh are in" if need is None else f"{kwh} of {need} kWh are in"
