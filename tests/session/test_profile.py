"""Charging profiles in the life of a session (trust items 31, 32), and how plans become OCPI periods."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from charging.planning.profile import make_plan
from charging.session import profile_rules, rules
from charging.session.answers import ProfileSent
from charging.session.messages import ClearProfileRequest, CommandResultMessage, ProfileRequest, StopRequest
from charging.session.model import ProfileAnswer, SessionState
from charging.session.profile import ChargingPlan, ProfilePeriod, ProfileWish
from charging.session.steps import Step, next_step, wake_at
from tests.session.factory import T0, active, at, meter, started

CAP = ProfileWish(max_charge_rate_kw=Decimal("7.4"))
PLAN = make_plan(CAP, max_power_kw=Decimal(22), now=T0)


def wish(request_id: str = "r1", wished: ProfileWish = CAP) -> ProfileRequest:
    return ProfileRequest(message_id=request_id, wish=wished)


def resulted(command_id: str, result: str) -> CommandResultMessage:
    return CommandResultMessage(command="SET_PROFILE", command_id=command_id, result=result)


def sent(state: SessionState, command_id: str = "c1", plan: ChargingPlan | None = PLAN) -> SessionState:
    profile_rules.profile_sent(state, command_id, plan, T0)
    return state


def test_a_profile_wished_while_pending_is_kept_and_sent_once_active() -> None:
    state = started()
    profile_rules.profile_requested(state, wish(), T0)
    assert next_step(state, T0) is Step.WAIT
    rules.session_updated(state, meter(state), at(5))
    assert next_step(state, at(5)) is Step.PLAN
    profile_rules.planned(state, PLAN, at(5))
    assert next_step(state, at(5)) is Step.SEND_PROFILE


def test_a_plan_for_a_wish_that_a_newer_one_replaced_is_dropped() -> None:
    state = active()
    profile_rules.profile_requested(state, wish("r1"), T0)
    profile_rules.profile_requested(state, wish("r2", ProfileWish(max_charge_rate_kw=Decimal(11))), at(1))
    profile_rules.planned(state, PLAN, at(2))
    assert next_step(state, at(2)) is Step.PLAN


def test_only_the_asynchronous_accepted_puts_a_profile_in_force() -> None:
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    sent(state)
    profile_rules.profile_answered(state, ProfileSent(command_id="c1", result="ACCEPTED"), at(1))
    assert (state.profile.in_force, state.answers) == (None, [])
    rules.command_resulted(state, resulted("c1", "ACCEPTED"), at(2))
    assert state.profile.in_force == PLAN
    assert state.answers == [ProfileAnswer(request_id="r1", state="accepted", result="ACCEPTED")]


def test_a_result_that_beats_the_response_counts() -> None:
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    sent(state)
    rules.command_resulted(state, resulted("c1", "ACCEPTED"), at(1))
    profile_rules.profile_answered(state, ProfileSent(command_id="c1", result="ACCEPTED"), at(2))
    assert state.profile.in_force == PLAN


def test_a_rejected_profile_leaves_the_one_in_force() -> None:
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    rules.command_resulted(sent(state), resulted("c1", "ACCEPTED"), at(1))
    profile_rules.profile_requested(state, wish("r2", ProfileWish(max_charge_rate_kw=Decimal(11))), at(2))
    rules.command_resulted(sent(state, "c2"), resulted("c2", "REJECTED"), at(3))
    assert state.profile.in_force == PLAN
    assert state.answers[-1] == ProfileAnswer(request_id="r2", state="rejected", result="REJECTED")


def test_a_newer_wish_supersedes_an_open_one_whose_late_result_means_nothing() -> None:
    state = active()
    profile_rules.profile_requested(state, wish("r1"), T0)
    sent(state)
    profile_rules.profile_requested(state, wish("r2"), at(1))
    assert state.answers == [ProfileAnswer(request_id="r1", state="superseded", result=None)]
    rules.command_resulted(state, resulted("c1", "ACCEPTED"), at(2))
    assert (state.profile.in_force, next_step(state, at(2))) == (None, Step.PLAN)


def test_clearing_puts_no_profile_in_force() -> None:
    state = active()
    profile_rules.profile_requested(state, wish("r1"), T0)
    rules.command_resulted(sent(state), resulted("c1", "ACCEPTED"), at(1))
    profile_rules.profile_requested(state, ClearProfileRequest(message_id="r2"), at(2))
    assert next_step(state, at(2)) is Step.CLEAR_PROFILE
    rules.command_resulted(sent(state, "c2", None), resulted("c2", "ACCEPTED"), at(3))
    assert state.profile.in_force is None


def test_too_often_waits_and_sends_again() -> None:
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    profile_rules.profile_answered(sent(state), ProfileSent(command_id="c1", result="TOO_OFTEN"), T0)
    assert next_step(state, at(29)) is Step.WAIT
    assert next_step(state, at(30)) is Step.SEND_PROFILE


def test_silence_asks_for_the_active_profile_sends_three_times_and_then_says_so() -> None:
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    profile_rules.planned(state, PLAN, T0)
    for attempt in range(3):
        now = at(120 * attempt)
        assert next_step(state, now) is Step.SEND_PROFILE
        profile_rules.profile_sent(state, f"c{attempt}", PLAN, now)
        assert next_step(state, at(120 * attempt + 60)) is Step.ASK_PROFILE
        profile_rules.profile_asked(state, f"a{attempt}", at(120 * attempt + 60))
    rules.time_passed(state, at(360))
    assert state.answers == [ProfileAnswer(request_id="r1", state="rejected", result="NO_RESULT")]
    assert next_step(state, at(360)) is Step.WAIT


def asked(**changes: Any) -> SessionState:
    """A profile of 7.4 kW was sent, no result came, and the CPO is asked for the active one."""
    state = active(**changes)
    profile_rules.profile_requested(state, wish(), T0)
    sent(state)
    profile_rules.profile_asked(state, "a1", at(60))
    return state


def seen(limit: str | None, unit: str = "W") -> CommandResultMessage:
    active_limit = Decimal(limit) if limit else None
    return CommandResultMessage(
        command="ACTIVE_PROFILE", command_id="a1", result="ACCEPTED", active_limit=active_limit, active_unit=unit
    )


@pytest.mark.parametrize(("limit", "unit"), [("7400", "W"), ("10.7", "A")])
def test_the_active_profile_stands_for_a_result_that_got_lost(limit: str, unit: str) -> None:
    state = asked(phases=3, voltage=230)
    rules.command_resulted(state, seen(limit, unit), at(61))
    assert state.answers == [ProfileAnswer(request_id="r1", state="accepted", result="ACCEPTED")]
    assert state.profile.in_force == PLAN


def test_a_pause_that_was_sent_as_the_least_power_is_known_again() -> None:
    state = active(phases=3, voltage=230)
    paused = PLAN.model_copy(update={"periods": (ProfilePeriod(start_period=0, limit=Decimal(0)),)})
    profile_rules.profile_requested(state, wish(), T0)
    sent(state, plan=paused)
    profile_rules.profile_answered(state, ProfileSent(command_id="c1", result="ACCEPTED", limit_w=Decimal(4140)), at(1))
    profile_rules.profile_asked(state, "a1", at(60))
    rules.command_resulted(state, seen("6.0", "A"), at(61))
    assert state.profile.in_force == paused


@pytest.mark.parametrize("limit", ["22000", "3700", None])
def test_another_active_profile_means_that_ours_is_sent_again(limit: str | None) -> None:
    state = asked()
    rules.command_resulted(state, seen(limit), at(61))
    assert (state.answers, next_step(state, at(61))) == ([], Step.SEND_PROFILE)


def test_a_cpo_that_cannot_say_which_profile_is_active_gets_ours_again() -> None:
    state = asked()
    profile_rules.profile_ask_answered(state, ProfileSent(command_id="a1", result="NOT_SUPPORTED"), at(61))
    assert next_step(state, at(61)) is Step.SEND_PROFILE


def test_an_evse_without_profiles_rejects_at_once() -> None:
    state = active(profile_capable=False)
    profile_rules.profile_requested(state, wish(), T0)
    assert state.answers == [ProfileAnswer(request_id="r1", state="rejected", result="NOT_SUPPORTED")]


def test_a_stop_closes_an_open_wish() -> None:
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    rules.stop_requested(state, StopRequest(), at(1))
    assert state.answers == [ProfileAnswer(request_id="r1", state="session_over", result=None)]


def test_a_cap_is_one_period_and_the_cap_is_what_the_connector_can_give() -> None:
    assert PLAN.periods == (ProfilePeriod(start_period=0, limit=Decimal(7400)),)
    assert make_plan(ProfileWish(), max_power_kw=Decimal(22), now=T0).periods[0].limit == 22000


def test_a_custom_schedule_is_taken_whole() -> None:
    periods = (
        ProfilePeriod(start_period=0, limit=Decimal(11000)),
        ProfilePeriod(start_period=3600, limit=Decimal(7400)),
    )
    plan = make_plan(ProfileWish(periods=periods), max_power_kw=Decimal(22), now=T0)
    assert plan.periods == periods
    assert (plan.limit_w(at(3599)), plan.limit_w(at(3600))) == (11000, 7400)


def test_calls_about_the_profile_never_overlap() -> None:
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    sent(state)
    profile_rules.profile_requested(state, ClearProfileRequest(message_id="r2"), at(1))
    assert next_step(state, at(1), {Step.SEND_PROFILE}) is Step.WAIT
    assert next_step(state, at(1)) is Step.CLEAR_PROFILE


@pytest.mark.parametrize(
    "odd",
    [
        {"max_charge_rate_kw": -1},
        {"periods": [{"start_period": 10**12, "limit": 1}]},
        {"periods": [{"start_period": 0, "limit": -1}]},
    ],
)
def test_a_wish_beyond_all_bounds_is_none(odd: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProfileWish.model_validate(odd)


def in_force(plan: ChargingPlan = PLAN) -> SessionState:
    """A session whose profile the CPO has accepted."""
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    rules.command_resulted(sent(state, plan=plan), resulted("c1", "ACCEPTED"), at(1))
    state.answers = []
    return state


NEWER = PLAN.model_copy(update={"revision": 2})


def replanned(state: SessionState, now: float, command_id: str) -> SessionState:
    """The engine has made a newer plan, and it is sent."""
    profile_rules.plan_changed(state, NEWER, at(now))
    assert next_step(state, at(now)) is Step.SEND_PROFILE
    profile_rules.profile_sent(state, command_id, NEWER, at(now))
    return state


def test_a_cpo_that_hears_from_us_too_often_is_left_alone_longer_each_time_and_then_gets_the_newest() -> None:
    state = active()
    profile_rules.profile_requested(state, wish("r1"), T0)
    now = 0
    for number, pause in enumerate([30, 60, 120, 240]):
        assert next_step(state, at(now)) in (Step.PLAN, Step.SEND_PROFILE)
        profile_rules.profile_sent(state, f"c{number}", PLAN, at(now))
        profile_rules.profile_answered(state, ProfileSent(command_id=f"c{number}", result="TOO_OFTEN"), at(now))
        assert next_step(state, at(now + pause - 1)) is Step.WAIT
        now += pause
    profile_rules.profile_sent(state, "c4", PLAN, at(now))
    profile_rules.profile_answered(state, ProfileSent(command_id="c4", result="TOO_OFTEN"), at(now))
    profile_rules.profile_requested(state, wish("r2", ProfileWish(max_charge_rate_kw=Decimal(11))), at(now + 1))
    assert next_step(state, at(now + 479)) is Step.WAIT  # the newer wish keeps the peace as well
    assert next_step(state, at(now + 480)) is Step.PLAN
    assert state.answers == [ProfileAnswer(request_id="r1", state="superseded", result=None)]


def test_a_session_that_the_cpo_does_not_know_is_looked_for_and_tried_once_more() -> None:
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    profile_rules.profile_answered(sent(state), ProfileSent(command_id="c1", result="UNKNOWN_SESSION"), at(1))
    assert next_step(state, at(1)) is Step.ASK_CPO
    rules.asked_cpo(state, at(2))
    assert next_step(state, at(2)) is Step.SEND_PROFILE
    profile_rules.profile_answered(sent(state, "c2"), ProfileSent(command_id="c2", result="UNKNOWN_SESSION"), at(3))
    assert state.answers == [ProfileAnswer(request_id="r1", state="rejected", result="UNKNOWN_SESSION")]


def test_a_plan_of_the_engines_own_that_is_rejected_leaves_the_old_one_and_comes_back_later() -> None:
    state = replanned(in_force(), 100, "c2")
    rules.command_resulted(state, resulted("c2", "REJECTED"), at(101))
    assert (state.profile.in_force, state.answers) == (PLAN, [])
    assert state.timeline[-1].type == "plan_refused"
    assert next_step(state, at(400)) is Step.WAIT
    assert next_step(state, at(401)) is Step.SEND_PROFILE
    profile_rules.profile_sent(state, "c3", NEWER, at(401))
    rules.command_resulted(state, resulted("c3", "ACCEPTED"), at(402))
    assert state.profile.in_force == NEWER


def test_after_three_refusals_stop_is_all_that_controls_until_the_user_wishes_anew() -> None:
    state = replanned(in_force(), 100, "c2")
    rules.command_resulted(state, resulted("c2", "REJECTED"), at(101))
    state = replanned(state, 401, "c3")  # a plan that is newer still comes no sooner, and counts on
    profile_rules.profile_answered(state, ProfileSent(command_id="c3", result="REJECTED"), at(402))
    assert next_step(state, at(402 + 599)) is Step.WAIT
    profile_rules.profile_sent(state, "c4", NEWER, at(402 + 600))
    rules.command_resulted(state, resulted("c4", "REJECTED"), at(1003))
    assert state.profile.in_force == PLAN.model_copy(update={"control": "stop"})
    assert state.timeline[-1].type == "plan_unenforced"
    profile_rules.plan_changed(state, NEWER, at(5000))
    assert next_step(state, at(5000)) is Step.WAIT
    profile_rules.profile_requested(state, wish("r2"), at(5001))
    rules.command_resulted(
        sent(state, "c5", PLAN.model_copy(update={"revision": 3})), resulted("c5", "ACCEPTED"), at(5002)
    )
    assert state.profile.in_force is not None
    assert state.profile.in_force.control == "charging_profile"


def test_a_users_open_wish_is_not_overtaken_by_a_plan_of_the_engines_own() -> None:
    state = in_force()
    profile_rules.profile_requested(state, wish("r2"), at(10))
    profile_rules.plan_changed(state, NEWER, at(11))
    assert (state.profile.request_id, state.answers) == ("r2", [])


@pytest.mark.parametrize("result_first", [True, False])
def test_the_rest_of_a_long_plan_is_sent_when_its_time_has_come(result_first: bool) -> None:
    state = active()
    profile_rules.profile_requested(state, wish(), T0)
    sent(state)
    answered = ProfileSent(command_id="c1", result="ACCEPTED", send_again_at=at(9000))
    if result_first:
        rules.command_resulted(state, resulted("c1", "ACCEPTED"), at(1))
    profile_rules.profile_answered(state, answered, at(2))
    rules.command_resulted(state, resulted("c1", "ACCEPTED"), at(3))
    rules.time_passed(state, at(8999))
    assert next_step(state, at(8999)) is Step.WAIT
    assert wake_at(state, at(8999)) == (at(9000), "the rest of the plan")
    rules.time_passed(state, at(9000))
    assert next_step(state, at(9000)) is Step.SEND_PROFILE
    assert state.profile.plan == PLAN


def test_a_charge_point_that_finds_no_profile_to_clear_has_cleared_it() -> None:
    state = in_force()
    profile_rules.profile_requested(state, ClearProfileRequest(message_id="r2"), at(2))
    result = CommandResultMessage(command="CLEAR_PROFILE", command_id="c2", result="UNKNOWN")
    rules.command_resulted(sent(state, "c2", None), result, at(3))
    assert (state.profile.in_force, state.answers[-1].state) == (None, "accepted")
