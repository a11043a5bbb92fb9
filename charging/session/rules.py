"""The rules of one charging session: what an event does to its state. Pure: the state, the event, ``now``.

``steps`` says what to do next. The rules follow OCPI 2.2.1 §13 (commands) and §9 (sessions). Three facts arrive
in any order, late, twice or never: CommandResponse (the CPO understood), CommandResult (the charge point acknowledged),
Session (a transaction exists). Only a Session makes a session active.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from charging.session import plan_rules, profile_rules
from charging.session.answers import StartAnswer, StopAnswer
from charging.session.messages import (
    CdrReceived,
    CommandResultMessage,
    StopRequest,
)
from charging.session.model import (
    EDITION,
    CpoStatus,
    LiveMeter,
    Meter,
    Phase,
    Reason,
    SessionState,
    StartOutcome,
    Status,
)
from charging.session.notes import changed, note, note_passing

ALLOWED: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.ACTIVE, Status.STOPPING, Status.FAILED}),
    Status.ACTIVE: frozenset({Status.STOPPING, Status.FAILED}),
    Status.STOPPING: frozenset({Status.COMPLETED, Status.FAILED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
}
"""The graph of statuses. ``completed`` needs a settled CDR; ``failed`` never changes."""


def ahead(status: Status) -> frozenset[Status]:
    """All that can still follow ``status``."""
    return ALLOWED[status].union(*map(ahead, ALLOWED[status]))


LIVE: Final = frozenset({Status.PENDING, Status.ACTIVE, Status.STOPPING})

SEEN_KEPT: Final = 200

UNREAD_AGAIN: Final = timedelta(minutes=5)

# Seconds after the first STOP_SESSION at which it is sent again; then every 5 min up to 30 min, then hourly.
_STOP_REPEATS: Final = (10, 30, 60, 120, 300, 600, 900, 1200, 1500, 1800)

# CommandResult to START_SESSION that is a definite no: code, words, retryable.
_START_REFUSALS: Final[Mapping[str, tuple[str, str, bool]]] = {
    "REJECTED": ("cpo_rejected", "The charge point refused to start.", True),
    "NOT_SUPPORTED": ("not_supported", "The charge point cannot be started remotely.", False),
    "EVSE_OCCUPIED": ("evse_occupied", "The EVSE is in use.", True),
    "EVSE_INOPERATIVE": ("evse_inoperative", "The EVSE is out of order.", False),
    "FAILED": ("charge_point_failed", "The charge point failed to start.", True),
}


# --- what the engine did -------------------------------------------------------------------------------------


def taken_up(state: SessionState, since: datetime, edition: int = EDITION) -> None:
    """The order is with Temporal ``since`` then (by its clock: ours may differ), and lives by that edition's rules."""
    state.edition = edition
    state.start_by = state.start_by or since + timedelta(seconds=state.spec.policy.send_s)


def admitted(state: SessionState, admission: bool, now: datetime) -> None:
    """The store said whether this workflow may run: False when the API gave the request up (503) before us."""
    state.admitted = admission
    if state.status not in LIVE:
        return
    if not admission:
        _fail(state, Reason(code="abandoned", detail="The request was answered 503 before it began."), now)
    elif state.stop.requested_at:
        _stop_before_start(state, now)


def funds_answered(state: SessionState, held: bool, detail: str, now: datetime) -> None:
    """The hold was made, or declined: then nothing is sent to the CPO."""
    if state.status not in LIVE:  # stopped while we asked
        state.held = held
        changed(state)
        return
    if not held:
        _fail(state, Reason(code="funds_declined", detail=detail, retryable=True, party="payments"), now)
        return
    state.held = True
    state.phase = Phase.AWAITING_CPO
    note(state, "funds_held", f"{state.spec.hold} {state.spec.currency}", now)


def hold_unanswered(state: SessionState, now: datetime) -> None:
    """Nobody knows whether the hold was made, and it is asked for no longer: what there is of it is given back."""
    if state.status in LIVE:
        _start_too_late(state, now)
    state.held = True
    changed(state)


def start_sent(state: SessionState, now: datetime) -> None:
    """START_SESSION goes out now, this once."""
    state.start, state.start_sent_at = StartOutcome.SENT, now
    note(state, "start_sent", f"START_SESSION to {state.spec.network}", now)


def start_answered(state: SessionState, answer: StartAnswer, now: datetime) -> None:
    """The synchronous outcome of START_SESSION. Callbacks and pushes may have been here before it."""
    if state.start is not StartOutcome.SENT:
        return  # the CommandResult or the Session beat this answer
    state.start = answer.outcome
    note(state, f"start_{answer.outcome}", answer.detail, now)
    if answer.outcome is StartOutcome.REFUSED and not has_session(state) and state.status in LIVE:
        _fail(state, Reason(code=answer.code, detail=answer.detail, retryable=answer.retryable, party="cpo"), now)
    elif answer.outcome is StartOutcome.REFUSED and state.edition >= 2 and state.status is Status.FAILED:
        _expect_no_more(state, now)
    elif answer.outcome is StartOutcome.UNKNOWN:
        state.ask_cpo = True


def stop_sent(state: SessionState, now: datetime) -> None:
    """STOP_SESSION goes out now; it is safe to repeat and has its next date already."""
    stop = state.stop
    stop.first_sent_at = stop.first_sent_at or now
    stop.attempts += 1
    stop.next_at = next_stop(stop.repeats_from or stop.first_sent_at, now)
    if state.status is Status.STOPPING and not stop.overdue:
        state.phase = Phase.LIMIT_REACHED if stop.by == "limit" else Phase.STOP_SENT
    note(state, "stop_sent", f"STOP_SESSION, attempt {stop.attempts}", now)


def stop_answered(state: SessionState, answer: StopAnswer, now: datetime) -> None:
    """The synchronous outcome of STOP_SESSION. ACCEPTED is not stopped; a refusal often means: ended already."""
    if answer.refused:
        _stop_refused(state, answer.detail, now)


def hold_released(state: SessionState, now: datetime) -> None:
    """What was set aside for this session is the user's again."""
    state.hold_released = True
    note(state, "hold_released", f"{state.spec.hold} {state.spec.currency}", now)


# --- what others said ----------------------------------------------------------------------------------------


def is_repeat(state: SessionState, message_id: str | None) -> bool:
    """Whether this message was here before; remembers it otherwise. Signals have no deduplication of their own."""
    if message_id is None:
        return False
    if message_id in state.seen:
        return True
    state.seen = [*state.seen[-SEEN_KEPT + 1 :], message_id]
    return False


def stop_requested(state: SessionState, message: StopRequest, now: datetime) -> None:
    """Somebody wants the session to end. Kept when the CPO's Session is not known yet."""
    if state.status in LIVE:
        _want_stop(state, message.by, now)


def command_resulted(state: SessionState, message: CommandResultMessage, now: datetime) -> None:
    """An asynchronous result. It acknowledges a request; it is no proof of charging or of its end."""
    note(state, "command_result", f"{message.command}: {message.result}", now)
    if message.command == "START_SESSION":
        _start_resulted(state, message, now)
    elif message.command == "STOP_SESSION":
        _stop_resulted(state, message, now)
    elif message.command in ("SET_PROFILE", "CLEAR_PROFILE"):
        profile_rules.profile_resulted(state, message, now)
    elif message.command == "ACTIVE_PROFILE" and not message.command_id:
        plan_rules.active_profile_told(state, message, now)
    elif message.command == "ACTIVE_PROFILE":
        profile_rules.profile_seen(state, message, now)


def session_updated(state: SessionState, meter: Meter, now: datetime) -> None:
    """The CPO's Session, as stored. Older snapshots are dropped, a final CPO status is never left."""
    if meter.seq <= state.meter.seq:
        return
    before, state.meter = state.meter, meter  # in itself no change of ours: the store has it already
    if meter.cpo_status != before.cpo_status and meter.cpo_status is not None:
        note(state, "session", f"CPO Session {meter.ocpi_session_id} is {meter.cpo_status}", now)
        _cpo_status_changed(state, meter.cpo_status, now)
    _rest_or_go_on(state)
    _check_limits(state, now)
    plan_rules.metered(state)


def meter_read(state: SessionState, live: LiveMeter, now: datetime) -> None:
    """The stored meter, asked for by us: it may be the same as before, and cost more by now."""
    session_updated(state, Meter.model_validate(live.model_dump(include=set(Meter.model_fields))), now)
    if live.seq < state.meter.seq:
        return
    state.cost_look_at = live.look_at
    state.meter = state.meter.model_copy(update={"estimate": live.estimate})
    _check_limits(state, now)


def meter_unread(state: SessionState, now: datetime) -> None:
    """The store did not answer, so nobody knows whether a limit is crossed: it is asked again in five minutes."""
    if state.edition >= 2:
        state.cost_look_at = now + UNREAD_AGAIN


def cdr_received(state: SessionState, message: CdrReceived, now: datetime) -> None:
    """A CDR is stored, or all CDRs are settled and the receipt exists. Either ends the CPO's transaction."""
    if state.cdr_at is None:
        state.cdr_at = now
        note(state, "cdr_received", "The CPO's CDR is here", now)
    state.closed_at = state.closed_at or now
    state.stop.next_at = None
    if state.status in (Status.PENDING, Status.ACTIVE):
        _move(state, Status.STOPPING, now)
    if state.status is Status.STOPPING:
        state.phase = Phase.SETTLING
        profile_rules.drop_open_profile(state, now)
    if message.settled and state.settled_at is None:
        state.settled_at = now
        note(state, "settled", f"payment {message.payment_status or 'unknown'}", now)
        if state.status is Status.STOPPING:
            _move(state, Status.COMPLETED, now)
            _end(state, now)


def asked_cpo(state: SessionState, now: datetime) -> None:
    """The CPO's sessions were listed because a deadline has come; what it said is in the meter.

    Not where that, or a message meanwhile, has moved the deadline: then it is asked again at the new one.
    """
    state.asked_at_deadline = start_is_overdue(state, now)
    profile_rules.sessions_listed(state, now)
    changed(state)


def time_passed(state: SessionState, now: datetime) -> None:
    """Whatever is late by ``now`` takes effect; called at every wake-up."""
    policy, stop = state.spec.policy, state.stop
    if is_too_late(state, now):
        _start_too_late(state, now)
    if start_is_overdue(state, now) and state.asked_at_deadline:
        _give_up_start(state, now)
    if stop.first_sent_at and not stop.overdue and not _is_over(state):
        if now >= stop.first_sent_at + timedelta(seconds=policy.stop_confirm_s):
            stop.overdue = True
            if state.status is Status.STOPPING:
                state.phase = Phase.STOP_OVERDUE
            note(state, "stop_overdue", "The CPO has not confirmed the stop", now)
    profile_rules.give_up_silence(state, now)
    profile_rules.send_rest(state, now)
    plan_rules.time_passed(state, now)
    if cdr_is_overdue(state, now) and state.status in LIVE:
        _fail(state, _unbilled(state), now)
    if _due(claim_deadline(state), now):
        _free_evse(state, now)


# --- questions -----------------------------------------------------------------------------------------------


def send_deadline(state: SessionState) -> datetime | None:
    """When it is too late to send START_SESSION, or None where it has left, or never will."""
    is_unsent = state.status is Status.PENDING and state.start is StartOutcome.NOT_SENT
    # Who leaves without having been admitted looks as if it had never begun, and would be taken back.
    return state.start_by if is_unsent and state.admitted else None


def is_too_late(state: SessionState, now: datetime) -> bool:
    """Whether START_SESSION has not left in time: the robot has gone, and another car may stand there."""
    return _due(send_deadline(state), now)


def start_deadline(state: SessionState) -> datetime | None:
    """When we stop waiting for the CPO's Session to be ACTIVE, or None where that is settled.

    A charge point that said yes waits for a plug, unless a stop is wished: then nobody will plug in.
    """
    waiting = state.status is Status.PENDING or (state.status is Status.STOPPING and not _energised(state))
    if not waiting or state.start_sent_at is None or _is_over(state) or state.cdr_at:
        return None
    plugging = has_session(state) or (state.start is StartOutcome.ACKNOWLEDGED and state.stop.requested_at is None)
    policy = state.spec.policy
    return state.start_sent_at + timedelta(seconds=policy.plug_in_s if plugging else policy.confirm_s)


def has_session(state: SessionState) -> bool:
    """Whether the CPO has shown a Session."""
    if state.edition < 1:
        return state.meter.cpo_status is not None
    return state.meter.ocpi_session_id is not None


def start_is_overdue(state: SessionState, now: datetime) -> bool:
    """Whether the start deadline has come."""
    return _due(start_deadline(state), now)


def cdr_deadline(state: SessionState) -> datetime | None:
    """When a transaction that has ended is given up as unbilled, or None where a CDR is settled or not expected."""
    # A CPO that never confirms a stop must not keep the session, its hold and its EVSE for ever.
    since = state.closed_at or (state.stop.first_sent_at if state.status is Status.STOPPING else None)
    if state.settled_at or not since or not (state.meter.ocpi_session_id or state.cdr_at):
        return None
    return since + timedelta(seconds=state.spec.policy.cdr_s)


def cdr_is_overdue(state: SessionState, now: datetime) -> bool:
    """Whether the CDR deadline has come."""
    return _due(cdr_deadline(state), now)


def claim_deadline(state: SessionState) -> datetime | None:
    """When a failed session without a Session's end gives its EVSE back; None where that is settled.

    Where the charge point said yes and no car came, its remote start lapses with the time to plug in; a START of
    unknown outcome, or a Session that hangs, keeps the EVSE for as long as it is watched.
    """
    if state.status is not Status.FAILED or state.closed_at or state.ended_at is None:
        return None
    if state.start is StartOutcome.ACKNOWLEDGED and not has_session(state) and state.start_sent_at:
        return state.start_sent_at + timedelta(seconds=state.spec.policy.plug_in_s)
    return _watched_until(state, state.ended_at)


def is_finished(state: SessionState, now: datetime) -> bool:
    """Whether nothing can happen any more that this workflow has to see through."""
    if state.status is Status.COMPLETED:
        return True
    if state.status is not Status.FAILED:
        return False
    if not _is_over(state) and now < _watched_until(state, now):
        return False  # tombstone: a Session may still appear, and is stopped then
    if state.meter.cpo_status is CpoStatus.COMPLETED or state.cdr_at:
        return bool(state.settled_at) or cdr_is_overdue(state, now)
    return True


def next_stop(first: datetime, now: datetime) -> datetime:
    """When STOP_SESSION is sent again: 10, 30, 60, 120, 300 s after the ``first``, every 5 min to 30 min, hourly."""
    for seconds in _STOP_REPEATS:
        if (at := first + timedelta(seconds=seconds)) > now:
            return at
    return now + timedelta(hours=1)


def _watched_until(state: SessionState, now: datetime) -> datetime:
    if state.meter.cpo_status is CpoStatus.ACTIVE and state.ended_at:
        return state.ended_at + timedelta(seconds=state.spec.policy.cdr_s)  # it charges: keep stopping it
    return state.watch_until or now


# --- how ----------------------------------------------------------------------------------------------------


def _start_resulted(state: SessionState, message: CommandResultMessage, now: datetime) -> None:
    if _is_given_up(state):
        return _start_resulted_late(state, message.result, now)
    if has_session(state) or state.status not in LIVE or state.start is StartOutcome.NOT_SENT:
        return  # a Session says more than its command's result
    if message.result == "ACCEPTED":
        state.start = StartOutcome.ACKNOWLEDGED
        state.phase = Phase.AWAITING_PLUG
        state.asked_at_deadline = False  # there is a later deadline now
    elif message.result in _START_REFUSALS:
        code, words, retryable = _START_REFUSALS[message.result]
        state.start = StartOutcome.REFUSED
        _fail(state, Reason(code=code, detail=message.detail or words, retryable=retryable, party="cpo"), now)
    else:
        # TIMEOUT and whatever nobody knows: Sessions do appear afterwards (ocpi#475).
        state.start, state.ask_cpo = StartOutcome.UNKNOWN, True


def _is_given_up(state: SessionState) -> bool:
    """Whether nobody waits for START_SESSION any more, though nobody knows what became of it."""
    unknown = state.start in (StartOutcome.SENT, StartOutcome.UNDERSTOOD, StartOutcome.UNKNOWN)
    return state.edition >= 2 and state.status is Status.FAILED and unknown and not has_session(state)


def _start_resulted_late(state: SessionState, result: str, now: datetime) -> None:
    plug_in = timedelta(seconds=state.spec.policy.plug_in_s)
    if result == "ACCEPTED" and state.start_sent_at and now < state.start_sent_at + plug_in:
        state.start = StartOutcome.ACKNOWLEDGED  # the EVSE is free when the time to plug in is over
    elif result in _START_REFUSALS:
        state.start = StartOutcome.REFUSED
        _expect_no_more(state, now)


def _expect_no_more(state: SessionState, now: datetime) -> None:
    """The tombstone ends: the hold is released, and should a Session come all the same, it is a late one."""
    if has_session(state) or state.closed_at:
        return
    state.watch_until = now
    _free_evse(state, now)


def _free_evse(state: SessionState, now: datetime) -> None:
    state.closed_at = now
    note(state, "evse_free", "No Session is expected any more; others may use the EVSE", now)


def _stop_resulted(state: SessionState, message: CommandResultMessage, now: datetime) -> None:
    if message.result == "ACCEPTED":
        state.stop.accepted_at = state.stop.accepted_at or now
    elif not _is_over(state):
        _stop_refused(state, message.detail or message.result, now)


def _stop_refused(state: SessionState, detail: str, now: datetime) -> None:
    state.stop.refusals += 1
    state.ask_cpo = True  # UNKNOWN_SESSION and REJECTED often mean that it has ended already
    note(state, "stop_refused", detail, now)


def _cpo_status_changed(state: SessionState, status: CpoStatus, now: datetime) -> None:
    if status is CpoStatus.ACTIVE:
        _transaction_runs(state, now)
    elif status.is_final:
        _transaction_over(state, status, now)
    elif state.status is Status.PENDING:
        state.phase = Phase.AWAITING_PLUG
    state.asked_at_deadline = False
    if state.start is StartOutcome.NOT_SENT:  # an operator's word: there is a transaction, so none is to be started
        state.start, state.start_sent_at = StartOutcome.ACKNOWLEDGED, now
    if not status.is_final and state.stop.requested_at and state.cdr_at is None:
        soon = now + timedelta(seconds=_STOP_REPEATS[0])  # a CPO may change its mind every second
        if state.edition >= 3 and status is CpoStatus.ACTIVE and (state.stop.next_at or soon) >= soon:
            # What was tried while nothing flowed does not count: perhaps a stop a day ago, and the next in an hour.
            state.stop.next_at = state.stop.repeats_from = now
        else:
            state.stop.next_at = state.stop.next_at or now


def _transaction_runs(state: SessionState, now: datetime) -> None:
    if state.status is Status.PENDING:
        _move(state, Status.ACTIVE, now)
        state.phase = Phase.CHARGING
    elif state.status is Status.FAILED and state.stop.requested_at is None:
        # Nobody waits for this Session any more; it must not charge on the user's account.
        _want_stop(state, "late", now)


def _transaction_over(state: SessionState, status: CpoStatus, now: datetime) -> None:
    state.closed_at = state.closed_at or now
    state.stop.next_at = None
    profile_rules.drop_open_profile(state, now)
    if state.status not in LIVE:
        return
    if status is CpoStatus.INVALID:
        _fail(state, Reason(code="session_invalid", detail="The CPO declared the Session invalid.", party="cpo"), now)
        return
    if state.status is not Status.STOPPING:
        _move(state, Status.STOPPING, now)
        if state.stop.requested_at is None:
            state.reason = Reason(code="ended_by_cpo_or_car", detail="The car or the CPO ended it.", party="car")
    state.phase = Phase.SETTLING if state.cdr_at else Phase.AWAITING_CDR


def _rest_or_go_on(state: SessionState) -> None:
    if state.status is not Status.ACTIVE:
        return
    power = state.meter.power_kw
    phase = Phase.PAUSED if power is not None and power <= 0 else Phase.CHARGING
    if phase is not state.phase:
        state.phase = phase
        changed(state)


def _check_limits(state: SessionState, now: datetime) -> None:
    spec, meter = state.spec, state.meter
    if state.status is not Status.ACTIVE:
        return
    if spec.need_kwh is not None and meter.kwh >= spec.need_kwh:
        state.reason = Reason(code="target_reached", detail=f"{meter.kwh} of {spec.need_kwh} kWh are in.")
        _want_stop(state, "limit", now)
    elif meter.known_cost is not None and meter.known_cost >= spec.cost_limit:
        limit = f"{spec.cost_limit} {spec.currency}"
        state.reason = Reason(code="cost_limit_reached", detail=f"It costs {meter.known_cost} of at most {limit}.")
        _want_stop(state, "limit", now)


def _want_stop(
    state: SessionState, by: Literal["user", "operator", "limit", "late", "deadline"], now: datetime
) -> None:
    stop = state.stop
    if stop.requested_at is not None:
        return
    stop.requested_at, stop.by = now, by
    note(state, "stop_requested", f"by {by}", now)
    if state.start is StartOutcome.NOT_SENT and state.status in LIVE:
        # Who leaves without having been admitted looks as if it had never begun, and would be taken back.
        if state.admitted:
            _stop_before_start(state, now)
        return
    if state.status in (Status.PENDING, Status.ACTIVE):
        _move(state, Status.STOPPING, now)
        if by in ("user", "operator"):
            state.reason = Reason(code="stop_requested", detail=f"The {by} asked to stop.", party="user")
    profile_rules.drop_open_profile(state, now)
    if state.meter.ocpi_session_id is not None:
        stop.next_at = now


def _stop_before_start(state: SessionState, now: datetime) -> None:
    _fail(state, Reason(code="stopped_before_start", detail="Stopped before it began.", party="user"), now)
    _perhaps_held(state)


def _perhaps_held(state: SessionState) -> None:
    """What a lost worker has held in a workflow task that never counted is given back, as far as there is any."""
    if state.edition >= 2 and state.admitted:
        state.held = True


def _start_too_late(state: SessionState, now: datetime) -> None:
    detail = "START_SESSION could not leave in time." if state.held else "The funds were not held in time."
    party: Literal["engine", "payments"] = "engine" if state.held else "payments"
    _fail(state, Reason(code="start_timeout", detail=detail, retryable=True, party=party), now)
    _perhaps_held(state)


def _give_up_start(state: SessionState, now: datetime) -> None:
    policy, known = state.spec.policy, has_session(state)
    if state.stop.requested_at and state.stop.by != "deadline":
        reason = Reason(code="stopped_before_start", detail="Stopped before the car charged.", party="user")
    elif known or state.start is StartOutcome.ACKNOWLEDGED:
        reason = Reason(
            code="plug_in_timeout", detail="The car was not plugged in in time.", retryable=True, party="robot"
        )
    else:
        reason = Reason(code="start_timeout", detail="The CPO showed no Session in time.", retryable=True, party="cpo")
    _fail(state, reason, now, closed=False)
    state.watch_until = now + timedelta(seconds=policy.tombstone_s)
    state.ask_cpo = True  # silence is watched for as long as the tombstone stands
    if known:
        _want_stop(state, "deadline", now)


def _fail(state: SessionState, reason: Reason, now: datetime, *, closed: bool = True) -> None:
    _move(state, Status.FAILED, now)
    state.reason = reason
    if closed:
        state.closed_at = state.closed_at or now
    profile_rules.drop_open_profile(state, now)
    _end(state, now)


def _unbilled(state: SessionState) -> Reason:
    if state.cdr_at:
        return Reason(code="cdr_disputed", detail="The CPO's CDR was not accepted; nothing is charged.", party="cpo")
    return Reason(code="cdr_missing", detail="The CPO sent no CDR in time; nothing is charged.", party="cpo")


def _end(state: SessionState, now: datetime) -> None:
    state.phase, state.ended_at = None, now
    note(state, str(state.status), state.reason.detail if state.reason else "", now)


def _move(state: SessionState, status: Status, now: datetime) -> None:
    if status not in ALLOWED[state.status]:
        raise AssertionError(f"{state.status} never becomes {status}")
    note_passing(state, now)
    state.status = status
    changed(state)


def _energised(state: SessionState) -> bool:
    return state.meter.cpo_status is CpoStatus.ACTIVE or _is_over(state) or state.meter.kwh > 0


def _is_over(state: SessionState) -> bool:
    status = state.meter.cpo_status
    return state.cdr_at is not None or (status is not None and status.is_final)


def _due(at: datetime | None, now: datetime) -> bool:
    return at is not None and now >= at
