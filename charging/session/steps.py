"""What a session's workflow does next, and when it looks again. Pure questions about the state at ``now``."""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from charging.session import plan_rules, profile_rules, rules
from charging.session.model import SessionState, StartOutcome, Status

_TICK_MIN_S = 60
_TICK_MAX_S = 6 * 3600
_TICK_MAX_S_EDITION_0 = 3600


class Step(StrEnum):
    """One thing to do. ``WAIT``: nothing until a message or ``wake_at``. ``END``: the workflow's work is done."""

    ADMIT = "admit"
    HOLD = "hold"
    START = "start"
    ASK_CPO = "ask_cpo"
    STOP = "stop"
    PLAN = "plan"
    SEND_PROFILE = "send_profile"
    CLEAR_PROFILE = "clear_profile"
    SEND_PREFERENCES = "send_preferences"
    ASK_PROFILE = "ask_profile"
    RELEASE = "release"
    WAIT = "wait"
    END = "end"


_PROFILE_STEPS: Final = frozenset(
    {Step.PLAN, Step.SEND_PROFILE, Step.CLEAR_PROFILE, Step.ASK_PROFILE, Step.SEND_PREFERENCES}
)


def next_step(state: SessionState, now: datetime, busy: Collection[Step] = ()) -> Step:
    """The most urgent step that is due and not in ``busy`` (under way already)."""
    for step, due in (
        (Step.ADMIT, not state.admitted and state.status is Status.PENDING),
        (Step.HOLD, _hold_is_due(state, now)),
        (Step.START, _start_is_due(state, now)),
        (Step.STOP, stop_is_due(state, now)),
        (Step.ASK_PROFILE, _profile_is_due(state, now) and not state.profile.asked),
        (Step.SEND_PREFERENCES, _send_is_due(state, now) and not state.spec.profile_capable),
        (Step.CLEAR_PROFILE, _send_is_due(state, now) and state.profile.wish is None),
        (Step.PLAN, _plan_is_due(state, now)),
        (Step.SEND_PROFILE, _send_is_due(state, now) and state.profile.wish is not None),
        (Step.ASK_CPO, _asks_cpo(state, now)),
        (Step.RELEASE, Step.HOLD not in busy and _release_is_due(state, now)),
    ):
        if due and not _is_under_way(step, busy):
            return step
    return Step.WAIT if busy or not rules.is_finished(state, now) else Step.END


def _is_under_way(step: Step, busy: Collection[Step]) -> bool:
    """Calls about the charging profile go one after the other: the last one sent must be the last one to arrive."""
    return step in busy or (step in _PROFILE_STEPS and not _PROFILE_STEPS.isdisjoint(busy))


def stop_is_due(state: SessionState, now: datetime) -> bool:
    """Whether STOP_SESSION can and should go out at ``now``."""
    due = state.stop.next_at is not None and now >= state.stop.next_at
    return due and state.meter.ocpi_session_id is not None and state.stop.requested_at is not None


def wake_at(state: SessionState, now: datetime) -> tuple[datetime, str] | None:
    """The earliest moment at which time alone changes something, and what, in words for Temporal UI."""
    stop, policy = state.stop, state.spec.policy
    overdue_at = None
    if stop.first_sent_at and not stop.overdue and stop.next_at:
        overdue_at = stop.first_sent_at + timedelta(seconds=policy.stop_confirm_s)
    moments = (
        (rules.send_deadline(state), "too late to start"),
        (rules.start_deadline(state), "start deadline"),
        (stop.next_at if state.meter.ocpi_session_id else None, "repeat STOP_SESSION"),
        (overdue_at, "stop overdue"),
        (state.profile.next_at, "charging profile unanswered"),
        (profile_rules.rest_at(state, now), "the rest of the plan"),
        (state.watch_until if state.status is Status.FAILED else None, "tombstone ends"),
        (rules.cdr_deadline(state), "CDR deadline"),
        (rules.claim_deadline(state), "the EVSE is given back"),
        (_limit_check_at(state, now), "limit check"),
        *plan_rules.wake_at(state),
    )
    due = [(at, why) for at, why in moments if at is not None and at > now]
    return min(due, default=None)


def _hold_is_due(state: SessionState, now: datetime) -> bool:
    is_wanted = state.admitted and not state.held and state.status is Status.PENDING
    return is_wanted and not rules.is_too_late(state, now)


def _start_is_due(state: SessionState, now: datetime) -> bool:
    is_wanted = state.held and state.start is StartOutcome.NOT_SENT and state.status is Status.PENDING
    return is_wanted and not rules.is_too_late(state, now)


def _asks_cpo(state: SessionState, now: datetime) -> bool:
    return state.profile.must_list or (rules.start_is_overdue(state, now) and not state.asked_at_deadline)


def _profile_is_due(state: SessionState, now: datetime) -> bool:
    profile = state.profile
    if profile.request_id is None or state.status is not Status.ACTIVE:
        return False
    return profile.next_at is None or now >= profile.next_at


def _send_is_due(state: SessionState, now: datetime) -> bool:
    sent_all = state.profile.attempts >= profile_rules.PROFILE_ATTEMPTS
    return state.profile.asked and not sent_all and _profile_is_due(state, now)


def _plan_is_due(state: SessionState, now: datetime) -> bool:
    profile = state.profile
    is_wished = _send_is_due(state, now) and profile.wish is not None and profile.plan is None
    return is_wished or plan_rules.replan_is_due(state)


def _release_is_due(state: SessionState, now: datetime) -> bool:
    unpaid = state.status is Status.FAILED and state.settled_at is None
    return unpaid and state.held and not state.hold_released and rules.is_finished(state, now)


def _limit_check_at(state: SessionState, now: datetime) -> datetime | None:
    """The earliest moment at which a limit could be crossed at maximum power; 1 min to 6 h from ``now``.

    Pushes cross limits sooner or later by themselves; this is the watch for pushes that were lost on the way, and for
    prices of time, which grow without any. Where nothing can be crossed for long it is rare: 50,000 open sessions that
    look each hour are 14 replays a second.
    A sandbox car that takes ``power_factor`` times the power shortens the lower bound as well.
    """
    spec = state.spec
    if state.status is not Status.ACTIVE:
        return None
    seconds: float = _TICK_MAX_S if state.edition else _TICK_MAX_S_EDITION_0
    if spec.need_kwh is not None and spec.max_power_kw > 0:  # 0: an unknown power, of sessions that began long ago
        hours = max(spec.need_kwh - state.meter.kwh, Decimal(0)) / (spec.max_power_kw * spec.power_factor)
        seconds = min(seconds, float(hours) * 3600)
    if state.cost_look_at is not None:
        seconds = min(seconds, (state.cost_look_at - now).total_seconds())
    return now + timedelta(seconds=max(seconds, _TICK_MIN_S / spec.power_factor, 1))
