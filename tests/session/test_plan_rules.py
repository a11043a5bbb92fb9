"""What makes a session's plan be made again, and what becomes of the answer."""

from datetime import timedelta
from decimal import Decimal

from charging.session import plan_rules, profile_rules, rules
from charging.session.answers import ProfileSent
from charging.session.details import current_details, publication
from charging.session.messages import CommandResultMessage, ProfileRequest
from charging.session.model import SessionState
from charging.session.profile import PlanCause, PlanState
from charging.session.steps import Step, next_step, wake_at
from tests.session.factory import T0, active, at, meter
from tests.session.plans import DEPARTURE, plan_at

PLAN = plan_at()


def following() -> SessionState:
    """A session whose plan is in force since T0."""
    state = active(need_kwh=Decimal(11), max_power_kw=Decimal(22))
    profile_rules.profile_requested(state, ProfileRequest(message_id="r1", wish=PLAN.wish), T0)
    accept(state, PLAN, 0)
    return state


def accept(state: SessionState, plan: object, seconds: float) -> None:
    """The plan is made, sent and accepted."""
    if state.profile.plan is None:
        plan_rules.planned(state, plan_rules.order(state, at(seconds)), PLAN, at(seconds))
    assert state.profile.plan == plan
    command = f"c{seconds}"
    profile_rules.profile_sent(state, command, state.profile.plan, at(seconds))
    profile_rules.profile_answered(state, ProfileSent(command_id=command, result="ACCEPTED"), at(seconds))
    result = CommandResultMessage(command="SET_PROFILE", command_id=command, result="ACCEPTED")
    rules.command_resulted(state, result, at(seconds))


def lag(state: SessionState) -> None:
    """At 45 minutes the car has taken 1.8 kWh at 7.2 kW."""
    heard = at(45 * 60)
    push = meter(state, kwh="1.8", power_kw=Decimal("7.2"), received_at=heard, updated_at=heard)
    rules.session_updated(state, push, heard)


def became(state: SessionState) -> dict[int, PlanState]:
    return {record.plan.revision: record.state for record in state.plans}


def test_a_car_that_takes_less_has_the_plan_made_again_with_what_it_takes() -> None:
    state = following()
    lag(state)
    assert next_step(state, at(45 * 60)) is Step.PLAN
    order = plan_rules.order(state, at(45 * 60))
    assert (order.cause, order.taken_kw, order.in_force, order.revision) == (
        PlanCause.ACCEPTANCE,
        Decimal("7.2"),
        PLAN,
        2,
    )


def test_a_new_plan_is_sent_and_replaces_the_one_before() -> None:
    state = following()
    lag(state)
    order = plan_rules.order(state, at(45 * 60))
    newer = plan_at(at(45 * 60), revision=2, cause=order.cause, why=order.why, wish=PLAN.wish)
    plan_rules.planned(state, order, newer, at(45 * 60))
    assert next_step(state, at(45 * 60)) is Step.SEND_PROFILE
    accept(state, newer, 45 * 60)
    assert state.profile.in_force == newer
    assert became(state) == {1: PlanState.REPLACED, 2: PlanState.IN_FORCE}
    happened = {entry.type: entry.detail for entry in state.timeline}
    assert happened["replanned"] == "revision 2: The car takes 7.2 kW of the 11 kW that it may."
    assert [answer.request_id for answer in state.answers] == ["r1"]
    assert publication(state, length=1, n=1).plans == state.plans


def test_a_plan_that_stays_is_not_sent_and_does_not_ask_again_at_once() -> None:
    state = following()
    lag(state)
    order = plan_rules.order(state, at(45 * 60))
    plan_rules.planned(state, order, PLAN.kept(at(45 * 60), Decimal("1.8"), Decimal("7.2")), at(45 * 60))
    assert next_step(state, at(45 * 60)) is Step.WAIT
    push = meter(state, kwh="1.9", received_at=at(46 * 60), updated_at=at(46 * 60))
    rules.session_updated(state, push, at(46 * 60))
    assert next_step(state, at(46 * 60)) is Step.WAIT
    assert became(state) == {1: PlanState.IN_FORCE}


def test_a_users_new_wish_goes_before_a_plan_that_is_made_again() -> None:
    state = following()
    plan_rules.prices_changed(state)
    order = plan_rules.order(state, at(60))
    profile_rules.profile_requested(state, ProfileRequest(message_id="r2", wish=PLAN.wish), at(61))
    plan_rules.planned(state, order, plan_at(at(60), revision=2), at(62))
    assert state.profile.plan is None
    assert plan_rules.order(state, at(62)).in_force is None


def test_new_prices_have_a_plan_for_a_departure_made_again_and_nothing_else() -> None:
    state = following()
    plan_rules.prices_changed(state)
    assert plan_rules.order(state, at(60)).cause is PlanCause.PRICES
    capped = active()
    plan_rules.prices_changed(capped)
    assert next_step(capped, at(60)) is Step.WAIT


def test_a_charge_point_that_gives_less_has_the_plan_made_again() -> None:
    state = following()
    told = CommandResultMessage(
        command="ACTIVE_PROFILE", result="ACCEPTED", active_limit=Decimal(6000), active_unit="W"
    )
    rules.command_resulted(state, told, at(45 * 60))
    order = plan_rules.order(state, at(45 * 60))
    assert (order.cause, order.taken_kw) == (PlanCause.ACTIVE_PROFILE, Decimal(6))


def test_a_departure_that_passes_is_noted_once_and_full_power_follows() -> None:
    state = following()
    moments = dict((why, when) for when, why in [wake_at(state, DEPARTURE - timedelta(minutes=1)) or (T0, "")])
    assert moments == {"departure": DEPARTURE}
    for _ in range(2):
        rules.time_passed(state, DEPARTURE)
    assert [e.detail for e in state.timeline if e.type == "departure_passed"] == ["0 of 11 kWh are in"]
    assert plan_rules.order(state, DEPARTURE).cause is PlanCause.DEPARTURE


def test_prices_that_were_a_forecast_are_asked_for_again_where_they_began() -> None:
    state = following()
    assert PLAN.figures is not None
    figures = PLAN.figures.model_copy(update={"provisional": True, "price_horizon": at(1800)})
    state.profile.in_force = PLAN.model_copy(update={"figures": figures})
    assert wake_at(state, at(0)) == (at(1800), "end of the published prices")
    rules.time_passed(state, at(1800))
    assert plan_rules.order(state, at(1800)).cause is PlanCause.PUBLISHED


def test_an_operator_reads_what_is_planned_and_why() -> None:
    text = current_details(following(), at(600))
    assert "| Profile | 0 W, it is dear. |" in text
    assert "| Plan | cheapest, revision 1: as wished |" in text
    assert "| Next period | 11000 W from 2026-03-30 12:30:00 UTC |" in text
    assert "| Planned cost | 1.10 EUR (at once: 3.30) |" in text


def test_a_state_with_a_plan_survives_being_carried_over() -> None:
    state = following()
    lag(state)
    assert SessionState.model_validate_json(state.model_dump_json()) == state
