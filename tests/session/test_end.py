"""The end of a session: stops, limits, CDRs and deadlines (trust items 23-28, 33, 36, 41, 47, 48)."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from charging.session import rules
from charging.session.answers import StopAnswer
from charging.session.events import EventType
from charging.session.messages import CdrReceived, CommandResultMessage, StopRequest
from charging.session.model import CpoStatus, LiveMeter, Meter, Phase, SessionState, Status
from charging.session.notes import note_status
from charging.session.steps import Step, next_step, wake_at
from charging.tariffs.live import AHEAD
from tests.session.factory import T0, active, at, meter, started


def test_a_stop_is_sent_at_once_and_repeated_until_the_cpo_confirms() -> None:
    state = active()
    rules.stop_requested(state, StopRequest(by="user"), T0)
    sent: list[float] = []
    now = T0
    while len(sent) < 13:
        assert next_step(state, now) is Step.STOP
        rules.stop_sent(state, now)
        sent.append((now - T0).total_seconds())
        assert state.stop.next_at is not None
        now = state.stop.next_at
    assert sent == [0, 10, 30, 60, 120, 300, 600, 900, 1200, 1500, 1800, 5400, 9000]


def test_a_second_stop_changes_nothing() -> None:
    state = active()
    rules.stop_requested(state, StopRequest(by="user"), T0)
    rules.stop_sent(state, T0)
    before = state.model_copy(deep=True)
    rules.stop_requested(state, StopRequest(by="user"), at(1))
    assert state == before


def test_a_stop_that_the_cpo_accepted_but_does_not_obey_is_called_overdue_and_never_completed() -> None:
    state = active()
    rules.stop_requested(state, StopRequest(by="user"), T0)
    rules.stop_sent(state, T0)
    rules.command_resulted(state, CommandResultMessage(command="STOP_SESSION", result="ACCEPTED"), at(1))
    assert (state.phase, state.stop.accepted_at) == (Phase.STOP_SENT, at(1))
    rules.time_passed(state, at(120))
    assert (state.status, state.phase) == (Status.STOPPING, Phase.STOP_OVERDUE)


def test_a_refused_stop_stays_stopping_is_noted_and_asks_the_cpo() -> None:
    state = active()
    rules.stop_requested(state, StopRequest(by="user"), T0)
    rules.stop_sent(state, T0)
    rules.stop_answered(state, StopAnswer(refused=True, detail="CommandResponse REJECTED"), at(1))
    assert (state.status, state.stop.refusals, state.ask_cpo) == (Status.STOPPING, 1, True)
    assert state.timeline[-1].type == "stop_refused"


def test_the_car_may_end_it_and_the_session_awaits_its_cdr() -> None:
    state = active()
    rules.session_updated(state, meter(state, CpoStatus.COMPLETED, kwh="12"), at(600))
    assert (state.status, state.phase, state.closed_at) == (Status.STOPPING, Phase.AWAITING_CDR, at(600))
    assert state.reason
    assert state.reason.code == "ended_by_cpo_or_car"


def test_every_status_on_the_way_is_told_also_when_all_that_the_cpo_said_is_heard_at_once() -> None:
    state = started()
    note_status(state, T0)
    rules.session_updated(state, meter(state, CpoStatus.ACTIVE, kwh="1"), at(5))
    rules.session_updated(state, meter(state, CpoStatus.COMPLETED, kwh="2"), at(5))
    rules.cdr_received(state, CdrReceived(settled=True, payment_status="paid"), at(5))
    note_status(state, at(5))
    told = [entry.data["status"] for entry in state.unpublished if entry.type == EventType.STATUS and entry.data]
    assert told == ["pending", "active", "stopping", "completed"]


@pytest.mark.parametrize("first", [CpoStatus.COMPLETED, CpoStatus.INVALID])
def test_a_final_cpo_status_silences_a_stop_that_was_to_be_repeated(first: CpoStatus) -> None:
    state = active()
    rules.stop_requested(state, StopRequest(by="user"), T0)
    rules.stop_sent(state, T0)
    rules.session_updated(state, meter(state, first), at(5))
    assert next_step(state, at(3600)) is not Step.STOP


def test_completed_needs_a_settled_cdr() -> None:
    state = active()
    rules.session_updated(state, meter(state, CpoStatus.COMPLETED), at(5))
    rules.cdr_received(state, CdrReceived(), at(6))
    assert (state.status, state.phase) == (Status.STOPPING, Phase.SETTLING)
    rules.cdr_received(state, CdrReceived(settled=True, payment_status="paid"), at(7))
    assert (state.status, state.phase, next_step(state, at(7))) == (Status.COMPLETED, None, Step.END)


def test_a_cdr_before_completed_ends_the_transaction() -> None:
    state = active()
    rules.cdr_received(state, CdrReceived(), at(6))
    assert (state.status, state.closed_at) == (Status.STOPPING, at(6))
    rules.cdr_received(state, CdrReceived(settled=True), at(7))
    assert state.status is Status.COMPLETED


def test_an_invalid_session_fails_and_the_hold_goes_back() -> None:
    state = active()
    rules.session_updated(state, meter(state, CpoStatus.INVALID), at(5))
    assert (state.status, next_step(state, at(5))) == (Status.FAILED, Step.RELEASE)


def test_without_a_cdr_in_35_days_the_session_fails_and_the_hold_goes_back() -> None:
    state = active()
    rules.session_updated(state, meter(state, CpoStatus.COMPLETED), at(0))
    days35 = at(35 * 86400)
    assert wake_at(state, at(1)) == (days35, "CDR deadline")
    rules.time_passed(state, days35)
    assert state.status is Status.FAILED
    assert state.reason
    assert state.reason.code == "cdr_missing"
    assert next_step(state, days35) is Step.RELEASE


def test_a_cdr_that_was_never_settled_fails_as_disputed() -> None:
    state = active()
    rules.cdr_received(state, CdrReceived(), at(0))
    rules.time_passed(state, at(35 * 86400))
    assert state.reason
    assert state.reason.code == "cdr_disputed"


def test_the_delivered_need_stops_the_session() -> None:
    state = active()
    rules.session_updated(state, meter(state, kwh="59.9"), at(60))
    assert state.status is Status.ACTIVE
    rules.session_updated(state, meter(state, kwh="60"), at(70))
    assert (state.status, next_step(state, at(70))) == (Status.STOPPING, Step.STOP)
    rules.stop_sent(state, at(70))
    assert state.phase is Phase.LIMIT_REACHED
    assert state.reason
    assert state.reason.code == "target_reached"


def costing(state: SessionState, field: str, amount: str) -> Meter:
    """The next snapshot, with an amount in ``cost`` (the CPO's) or ``estimate`` (ours)."""
    return meter(state, kwh="9").model_copy(update={field: Decimal(amount)})


@pytest.mark.parametrize("field", ["cost", "estimate"])
def test_the_cost_limit_stops_the_session_by_the_cpos_total_or_by_our_estimate(field: str) -> None:
    state = active(need_kwh=None, cost_limit=Decimal("5.00"))
    rules.session_updated(state, costing(state, field, "4.99"), at(60))
    assert state.status is Status.ACTIVE
    rules.session_updated(state, costing(state, field, "5.00"), at(61))
    assert state.status is Status.STOPPING
    assert state.reason
    assert state.reason.code == "cost_limit_reached"


def read_again(state: SessionState, estimate: str, look_at: datetime | None = None) -> LiveMeter:
    """The same meter, asked for by us, with the cost of by now."""
    return LiveMeter(**{**dict(state.meter), "estimate": Decimal(estimate)}, look_at=look_at)


def test_the_cost_limit_is_reached_by_time_alone_without_a_push() -> None:
    state = active(need_kwh=None, cost_limit=Decimal("5.00"))
    rules.meter_read(state, read_again(state, "4.99"), at(60))
    assert state.status is Status.ACTIVE
    rules.meter_read(state, read_again(state, "5.00"), at(61))
    assert state.status is Status.STOPPING
    assert state.reason
    assert state.reason.code == "cost_limit_reached"


def test_where_time_costs_something_the_timer_rings_when_the_cost_limit_could_be_reached() -> None:
    state = active(need_kwh=None)
    rules.meter_read(state, read_again(state, "1", look_at=at(700)), T0)
    assert wake_at(state, at(10)) == (at(700), "limit check")
    assert wake_at(state, at(690)) == (at(750), "limit check")  # not sooner than after a minute
    rules.meter_read(state, read_again(state, "2"), at(750))
    assert wake_at(state, at(750)) == (at(750 + 6 * 3600), "limit check")


def test_an_answer_that_a_push_has_overtaken_is_dropped() -> None:
    state = active()
    old = read_again(state, "49", look_at=at(100))
    rules.session_updated(state, meter(state, kwh="5"), at(10))
    rules.meter_read(state, old, at(11))
    assert (state.meter.estimate, state.cost_look_at) == (None, None)


def test_an_older_snapshot_of_the_meter_is_dropped() -> None:
    state = active()
    old = meter(state, CpoStatus.PENDING)
    rules.session_updated(state, meter(state, kwh="5"), at(10))
    rules.session_updated(state, old, at(11))
    assert state.meter.kwh == 5


def test_no_power_is_a_pause_and_power_ends_it() -> None:
    state = active()
    rules.session_updated(state, meter(state, power_kw=Decimal(0)), at(10))
    assert state.phase is Phase.PAUSED
    rules.session_updated(state, meter(state, power_kw=Decimal(7)), at(20))
    assert state.phase is Phase.CHARGING


def test_the_timer_is_the_earliest_moment_the_need_could_be_met_between_a_minute_and_six_hours() -> None:
    state = active(max_power_kw=Decimal(150), need_kwh=Decimal(60))
    assert wake_at(state, T0) == (at(24 * 60), "limit check")
    rules.session_updated(state, meter(state, kwh="59.9"), at(0))
    assert wake_at(state, T0) == (at(60), "limit check")
    state = active(need_kwh=None)
    assert wake_at(state, T0) == (at(6 * 3600), "limit check")
    state.edition = 0
    assert wake_at(state, T0) == (at(3600), "limit check")  # as its history has it


def test_no_limit_of_cost_is_looked_for_less_far_ahead_than_the_timer_sleeps() -> None:
    state = active(need_kwh=None)
    wake = wake_at(state, T0)
    assert wake is not None
    assert AHEAD >= wake[0] - T0


def test_a_meter_that_could_not_be_read_is_read_again_in_five_minutes() -> None:
    state = active(need_kwh=Decimal(60))
    rules.meter_unread(state, at(24 * 60))
    assert wake_at(state, at(24 * 60)) == (at(29 * 60), "limit check")


def test_a_connector_of_no_power_does_not_keep_a_session_from_being_watched() -> None:
    state = active(max_power_kw=Decimal(0), need_kwh=Decimal(60))
    assert wake_at(state, T0) == (at(6 * 3600), "limit check")


def test_a_stop_that_is_never_confirmed_ends_after_the_time_that_a_cdr_may_take() -> None:
    state = active()
    rules.stop_requested(state, StopRequest(by="user"), T0)
    rules.stop_sent(state, T0)
    rules.time_passed(state, at(35 * 86400))
    assert state.status is Status.FAILED


def test_a_car_that_begins_to_charge_when_a_stop_was_tried_for_hours_is_stopped_at_once_and_again_soon() -> None:
    state = active()
    rules.session_updated(state, meter(state, CpoStatus.PENDING), T0)
    rules.stop_requested(state, StopRequest(by="user"), T0)
    now = T0
    while now < at(2 * 3600):
        rules.stop_sent(state, now)
        assert state.stop.next_at is not None
        now = state.stop.next_at
    charges = at(2 * 3600 + 600)
    assert next_step(state, charges) is not Step.STOP
    rules.session_updated(state, meter(state, CpoStatus.ACTIVE), charges)
    assert next_step(state, charges) is Step.STOP
    rules.stop_sent(state, charges)
    assert state.stop.next_at == charges + timedelta(seconds=10)


def test_a_session_that_changes_its_mind_every_second_is_stopped_twice_in_ten_seconds_at_most() -> None:
    state = active()
    rules.stop_requested(state, StopRequest(by="user"), T0)
    sent = []
    for second in range(60):
        rules.session_updated(state, meter(state, (CpoStatus.PENDING, CpoStatus.ACTIVE)[second % 2]), at(second))
        if next_step(state, at(second)) is Step.STOP:
            rules.stop_sent(state, at(second))
            sent.append(second)
    assert len(sent) <= 12
    assert max(later - earlier for earlier, later in pairwise(sent)) <= 20
