"""The start of a session: every row of the start-phase decision table (OCPI 2.2.1 §13, trust items 15-22, 25, 38)."""

import pytest

from charging.session import rules
from charging.session.answers import StartAnswer
from charging.session.messages import CommandResultMessage, StopRequest
from charging.session.model import CpoStatus, Phase, SessionState, StartOutcome, Status
from charging.session.steps import Step, next_step, wake_at
from tests.session.factory import T0, at, meter, ordered, spec, started


def result(value: str, command: str = "START_SESSION") -> CommandResultMessage:
    return CommandResultMessage(command=command, result=value)


def code(state: SessionState) -> str | None:
    return state.reason.code if state.reason else None


def test_the_first_steps_are_admission_hold_and_start_in_this_order() -> None:
    state = ordered()
    assert next_step(state, T0) is Step.ADMIT
    rules.admitted(state, True, T0)
    assert next_step(state, T0) is Step.HOLD
    rules.funds_answered(state, True, "", T0)
    assert next_step(state, T0) is Step.START
    rules.start_sent(state, T0)
    assert next_step(state, T0) is Step.WAIT


def test_an_abandoned_session_ends_before_any_money_or_command() -> None:
    state = SessionState(spec=spec())
    rules.admitted(state, False, T0)
    assert (state.status, next_step(state, T0)) == (Status.FAILED, Step.END)


def test_declined_funds_fail_the_session_before_the_cpo_hears_of_it() -> None:
    state = SessionState(spec=spec())
    rules.admitted(state, True, T0)
    rules.funds_answered(state, False, "insufficient", T0)
    assert (state.status, code(state), state.start) == (Status.FAILED, "funds_declined", StartOutcome.NOT_SENT)
    assert next_step(state, T0) is Step.END


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("REJECTED", "cpo_rejected"),
        ("NOT_SUPPORTED", "not_supported"),
        ("EVSE_OCCUPIED", "evse_occupied"),
        ("EVSE_INOPERATIVE", "evse_inoperative"),
        ("FAILED", "charge_point_failed"),
    ],
)
def test_a_definite_no_fails_with_its_reason_frees_the_evse_and_releases_the_hold(value: str, expected: str) -> None:
    state = started()
    rules.command_resulted(state, result(value), at(5))
    assert (state.status, code(state), state.closed_at) == (Status.FAILED, expected, at(5))
    assert next_step(state, at(5)) is Step.RELEASE
    rules.hold_released(state, at(6))
    assert next_step(state, at(6)) is Step.END


def test_a_refused_command_response_is_a_definite_no() -> None:
    state = SessionState(spec=spec(), admitted=True, held=True)
    rules.start_sent(state, T0)
    rules.start_answered(state, StartAnswer(outcome=StartOutcome.REFUSED, code="cpo_rejected"), at(1))
    assert (state.status, code(state)) == (Status.FAILED, "cpo_rejected")


@pytest.mark.parametrize("value", ["TIMEOUT", "SOMETHING_NEW"])
def test_a_result_that_says_nothing_certain_keeps_waiting_and_asks_the_cpo(value: str) -> None:
    state = started()
    rules.command_resulted(state, result(value), at(5))
    assert (state.status, state.start, state.ask_cpo) == (Status.PENDING, StartOutcome.UNKNOWN, True)
    rules.session_updated(state, meter(state), at(60))
    assert state.status is Status.ACTIVE


def test_a_result_before_the_response_counts_and_the_late_response_changes_nothing() -> None:
    state = SessionState(spec=spec(), admitted=True, held=True)
    rules.start_sent(state, T0)
    rules.command_resulted(state, result("ACCEPTED"), at(1))
    rules.start_answered(state, StartAnswer(outcome=StartOutcome.UNKNOWN), at(20))
    assert (state.start, state.phase) == (StartOutcome.ACKNOWLEDGED, Phase.AWAITING_PLUG)


def test_a_session_before_every_answer_makes_the_session_active() -> None:
    state = SessionState(spec=spec(), admitted=True, held=True)
    rules.start_sent(state, T0)
    rules.session_updated(state, meter(state), at(1))
    rules.start_answered(state, StartAnswer(outcome=StartOutcome.REFUSED, code="cpo_rejected"), at(2))
    assert (state.status, state.phase) == (Status.ACTIVE, Phase.CHARGING)


def test_a_pending_cpo_session_waits_for_the_plug_and_becomes_active() -> None:
    state = started()
    rules.session_updated(state, meter(state, CpoStatus.PENDING), at(1))
    assert (state.status, state.phase) == (Status.PENDING, Phase.AWAITING_PLUG)
    rules.session_updated(state, meter(state, CpoStatus.ACTIVE), at(30))
    assert state.status is Status.ACTIVE


def test_without_any_answer_the_cpo_is_asked_once_more_and_then_the_session_fails_into_a_tombstone() -> None:
    state = started()
    assert next_step(state, at(179)) is Step.WAIT
    assert next_step(state, at(180)) is Step.ASK_CPO
    rules.time_passed(state, at(180))
    assert state.status is Status.PENDING
    rules.asked_cpo(state, at(181))
    rules.time_passed(state, at(181))
    assert (state.status, code(state)) == (Status.FAILED, "start_timeout")
    assert (state.closed_at, next_step(state, at(181))) == (None, Step.WAIT)  # EVSE claim and hold are kept
    assert next_step(state, at(181 + 86400)) is Step.RELEASE


def test_a_charge_point_that_said_yes_waits_for_the_plug_for_ten_minutes() -> None:
    state = started()
    rules.command_resulted(state, result("ACCEPTED"), at(3))
    assert next_step(state, at(599)) is Step.WAIT
    assert next_step(state, at(600)) is Step.ASK_CPO
    rules.asked_cpo(state, at(600))
    rules.time_passed(state, at(600))
    assert (state.status, code(state)) == (Status.FAILED, "plug_in_timeout")
    assert state.closed_at == at(600)  # the remote start has lapsed: others may use the EVSE


def test_a_cpo_session_that_stays_pending_is_stopped_when_its_time_is_over() -> None:
    state = started()
    rules.session_updated(state, meter(state, CpoStatus.PENDING), at(5))
    rules.asked_cpo(state, at(600))
    rules.time_passed(state, at(600))
    assert (state.status, code(state)) == (Status.FAILED, "plug_in_timeout")
    assert next_step(state, at(600)) is Step.STOP


def test_a_session_whose_status_was_not_read_is_a_session() -> None:
    state = started()
    rules.command_resulted(state, result("ACCEPTED"), at(3))
    rules.session_updated(state, meter(state, None, kwh="3"), at(60))
    rules.asked_cpo(state, at(600))
    rules.time_passed(state, at(600))
    assert (code(state), state.closed_at) == ("plug_in_timeout", None), "a car may be there: the EVSE is not free"
    assert next_step(state, at(600)) is Step.STOP


def test_a_session_keeps_the_rules_under_which_it_began() -> None:
    """Its history says what was decided by them: other decisions could not be replayed."""
    state = started().model_copy(update={"edition": 0})
    rules.session_updated(state, meter(state, None, kwh="3"), at(60))
    rules.asked_cpo(state, at(180))
    rules.time_passed(state, at(180))
    assert (code(state), next_step(state, at(180))) == ("start_timeout", Step.WAIT)


def given_up() -> SessionState:
    """Failed after 180 s in which nothing came."""
    state = started()
    rules.asked_cpo(state, at(180))
    rules.time_passed(state, at(180))
    assert (state.status, state.closed_at) == (Status.FAILED, None)
    return state


def test_a_no_that_comes_late_frees_the_evse_and_the_hold() -> None:
    state = given_up()
    rules.command_resulted(state, result("EVSE_OCCUPIED"), at(185))
    assert (code(state), state.closed_at, next_step(state, at(185))) == ("start_timeout", at(185), Step.RELEASE)
    state = given_up().model_copy(update={"start": StartOutcome.SENT})
    rules.start_answered(state, StartAnswer(outcome=StartOutcome.REFUSED, code="cpo_rejected"), at(185))
    assert (code(state), state.closed_at, next_step(state, at(185))) == ("start_timeout", at(185), Step.RELEASE)


def test_a_yes_that_comes_late_keeps_the_evse_for_the_time_to_plug_in() -> None:
    state = given_up()
    rules.command_resulted(state, result("ACCEPTED"), at(185))
    assert (state.closed_at, wake_at(state, at(185))) == (None, (at(600), "the EVSE is given back"))


def test_a_yes_that_comes_after_the_time_to_plug_in_frees_nothing() -> None:
    state = given_up()
    rules.command_resulted(state, result("ACCEPTED"), at(700))
    rules.time_passed(state, at(700))
    assert (state.closed_at, next_step(state, at(700))) == (None, Step.WAIT)


def test_a_word_that_comes_late_and_says_nothing_changes_nothing() -> None:
    state = given_up()
    rules.command_resulted(state, result("TIMEOUT"), at(185))
    assert (state.closed_at, next_step(state, at(185))) == (None, Step.WAIT)


def test_a_session_that_appears_in_the_tombstone_is_stopped_at_once_and_its_cdr_awaited() -> None:
    state = started()
    rules.asked_cpo(state, at(180))
    rules.time_passed(state, at(180))
    rules.session_updated(state, meter(state), at(400))
    assert (state.status, next_step(state, at(400))) == (Status.FAILED, Step.STOP)
    rules.stop_sent(state, at(400))
    rules.session_updated(state, meter(state, CpoStatus.COMPLETED, kwh="0.4"), at(410))
    assert next_step(state, at(410)) is Step.WAIT  # for the CDR: the hold is still needed


def test_an_order_that_could_not_be_carried_out_in_time_fails_and_frees_the_evse() -> None:
    """The robot has left; whichever car stands there by now must not be charged on this user's account."""
    state = ordered()
    rules.admitted(state, True, at(1))
    assert wake_at(state, at(1)) == (at(180), "too late to start")
    rules.time_passed(state, at(180))
    assert (state.status, code(state), state.closed_at) == (Status.FAILED, "start_timeout", at(180))
    assert state.reason is not None
    assert (state.reason.retryable, state.reason.party) == (True, "payments")
    rules.funds_answered(state, True, "", at(6 * 3600))
    assert next_step(state, at(6 * 3600)) is Step.RELEASE
    rules.hold_released(state, at(6 * 3600))
    assert next_step(state, at(6 * 3600)) is Step.END


def test_a_stop_before_the_start_gives_back_what_a_lost_worker_may_have_held() -> None:
    """Its workflow task never counted, and what it did by the way is in no history."""
    state = ordered()
    rules.stop_requested(state, StopRequest(by="user"), at(10))
    rules.admitted(state, True, at(10))
    assert (code(state), next_step(state, at(10))) == ("stopped_before_start", Step.RELEASE)
    assert next_step(state, at(10), {Step.HOLD}) is Step.WAIT  # a hold that is under way comes first
    rules.funds_answered(state, False, "declined", at(11))
    assert next_step(state, at(11)) is Step.END


def test_an_order_that_is_taken_up_too_late_holds_no_funds() -> None:
    state = ordered()
    assert next_step(state, at(6 * 3600)) is Step.ADMIT
    rules.admitted(state, True, at(6 * 3600))
    assert next_step(state, at(6 * 3600)) is not Step.HOLD
    rules.time_passed(state, at(6 * 3600))
    assert (code(state), next_step(state, at(6 * 3600))) == ("start_timeout", Step.RELEASE)


def test_funds_that_were_held_too_late_start_nothing() -> None:
    state = ordered()
    rules.admitted(state, True, at(1))
    rules.funds_answered(state, True, "", at(181))
    assert next_step(state, at(181)) is Step.WAIT
    rules.time_passed(state, at(181))
    assert (code(state), next_step(state, at(181))) == ("start_timeout", Step.RELEASE)


def test_a_hold_that_nobody_answers_for_is_given_back_whether_it_was_made_or_not() -> None:
    state = ordered()
    rules.admitted(state, True, at(1))
    rules.hold_unanswered(state, at(175))
    assert (state.status, code(state), next_step(state, at(175))) == (Status.FAILED, "start_timeout", Step.RELEASE)
    stopped = ordered()
    rules.admitted(stopped, True, at(1))
    rules.stop_requested(stopped, StopRequest(by="user"), at(2))
    rules.hold_unanswered(stopped, at(175))
    assert (code(stopped), next_step(stopped, at(175))) == ("stopped_before_start", Step.RELEASE)


def test_a_session_from_before_that_rule_is_started_whenever_its_funds_are_held() -> None:
    state = SessionState(spec=spec(), admitted=True)
    assert wake_at(state, at(1)) is None
    rules.time_passed(state, at(3600))
    rules.funds_answered(state, True, "", at(3600))
    assert next_step(state, at(3600)) is Step.START


def test_a_stop_before_the_start_was_sent_ends_without_any_command() -> None:
    state = SessionState(spec=spec(), admitted=True)
    rules.stop_requested(state, StopRequest(by="user"), T0)
    assert (state.status, code(state), state.start) == (Status.FAILED, "stopped_before_start", StartOutcome.NOT_SENT)


def test_a_stop_that_comes_before_everything_else_waits_for_the_admission() -> None:
    """Found by chaos: it ended at once, its row looked as if it had never begun, and the sweeper took it back."""
    state = SessionState(spec=spec())
    rules.stop_requested(state, StopRequest(by="user"), T0)
    assert (state.status, next_step(state, T0)) == (Status.PENDING, Step.ADMIT)
    rules.admitted(state, True, at(1))
    assert (state.status, code(state), next_step(state, at(1))) == (Status.FAILED, "stopped_before_start", Step.END)


def test_funds_that_were_held_while_the_stop_came_are_released() -> None:
    state = SessionState(spec=spec(), admitted=True)
    rules.stop_requested(state, StopRequest(by="user"), T0)
    rules.funds_answered(state, True, "", at(1))
    assert next_step(state, at(1)) is Step.RELEASE


def test_a_stop_before_the_cpos_session_is_known_is_remembered_and_sent_with_the_session() -> None:
    state = started()
    rules.stop_requested(state, StopRequest(by="user"), at(2))
    assert (state.status, next_step(state, at(2))) == (Status.STOPPING, Step.WAIT)
    rules.session_updated(state, meter(state), at(20))
    assert (state.status, next_step(state, at(20))) == (Status.STOPPING, Step.STOP)


def test_a_stop_of_a_session_that_never_comes_fails_after_the_confirm_time_not_the_plug_in_time() -> None:
    state = started()
    rules.command_resulted(state, result("ACCEPTED"), at(3))
    rules.stop_requested(state, StopRequest(by="user"), at(5))
    rules.asked_cpo(state, at(180))
    rules.time_passed(state, at(180))
    assert (state.status, code(state)) == (Status.FAILED, "stopped_before_start")


def test_a_tombstone_is_watched_by_listing_the_cpos_sessions() -> None:
    state = started()
    rules.asked_cpo(state, at(180))
    rules.time_passed(state, at(180))
    assert (state.status, state.ask_cpo) == (Status.FAILED, True)


def test_the_claim_of_a_session_that_stays_pending_ends_with_its_tombstone() -> None:
    state = started()
    rules.session_updated(state, meter(state, CpoStatus.PENDING), at(5))
    rules.asked_cpo(state, at(600))
    rules.time_passed(state, at(600))
    assert state.closed_at is None
    rules.time_passed(state, at(600 + 86400))
    assert state.closed_at == at(600 + 86400)


def test_a_list_that_shows_a_pending_session_does_not_spare_the_list_at_the_later_deadline() -> None:
    state = started()
    rules.session_updated(state, meter(state, CpoStatus.PENDING), at(181))
    rules.asked_cpo(state, at(181))
    assert next_step(state, at(600)) is Step.ASK_CPO


def test_a_stop_before_plugging_in_keeps_the_evse_until_the_remote_start_lapses() -> None:
    state = started()
    rules.command_resulted(state, result("ACCEPTED"), at(3))
    rules.stop_requested(state, StopRequest(by="user"), at(300))
    rules.asked_cpo(state, at(300))
    rules.time_passed(state, at(300))
    assert (state.status, state.closed_at) == (Status.FAILED, None)
    assert wake_at(state, at(300)) == (at(600), "the EVSE is given back")
    rules.time_passed(state, at(600))
    assert state.closed_at == at(600)
