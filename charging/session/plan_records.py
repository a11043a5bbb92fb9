"""What becomes of each plan of a session, for the next publication. Pure."""

from charging.session.model import Following, SessionState
from charging.session.profile import ChargingPlan, PlanRecord, PlanState


def record(state: SessionState, plan: ChargingPlan | None, became: PlanState) -> None:
    """Note what became of ``plan``; the newest word about a revision is published."""
    if plan is not None:
        others = [known for known in state.plans if known.plan.revision != plan.revision]
        state.plans = [*others, PlanRecord(plan=plan, state=became)]


def put_in_force(state: SessionState) -> None:
    """The CPO has accepted what was sent last: a plan, the rest of the one in force, or to be free of any."""
    profile, before = state.profile, state.profile.in_force
    plan = profile.plan
    if profile.own and before is not None and plan is not None and plan.revision == before.revision:
        return  # the rest of it; what was learnt of it meanwhile stays
    record(state, before, PlanState.REPLACED)
    record(state, plan, PlanState.IN_FORCE)
    profile.in_force = plan
    if not profile.own:
        state.following = Following()


def give_up(state: SessionState, became: PlanState) -> None:
    """What was to be sent does not come in force."""
    plan, in_force = state.profile.plan, state.profile.in_force
    if plan is not None and (in_force is None or in_force.revision != plan.revision):
        record(state, plan, became)
