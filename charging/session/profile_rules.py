"""Charging profiles in the life of a session: wished, planned, sent, answered, in force. Pure.

A newer wish supersedes an open one; only the CPO's asynchronous result puts a profile in force. A result that never
comes is looked for at the CPO, then the profile is sent again (OCPI 2.2.1 §11: a PUT replaces, so it may repeat).
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from charging.session.answers import ProfileSent
from charging.session.messages import ClearProfileRequest, CommandResultMessage, ProfileRequest
from charging.session.model import ProfileAnswer, ProfileProgress, SessionState, Status
from charging.session.notes import note
from charging.session.profile import ChargingPlan

PROFILE_ATTEMPTS: Final = 3


def profile_requested(state: SessionState, message: ProfileRequest | ClearProfileRequest, now: datetime) -> None:
    """A wish for a charging profile, or for none. The newest one counts; an older open one is superseded."""
    if state.profile.request_id is not None:
        _answer_profile(state, "superseded", None, now)
    in_force = state.profile.in_force
    wish = message.wish if isinstance(message, ProfileRequest) else None
    request_id = message.message_id or f"operator-{state.noted}"
    state.profile = ProfileProgress(request_id=request_id, wish=wish, in_force=in_force)
    note(state, "profile_requested", _wish_words(state.profile), now)
    if state.status not in (Status.PENDING, Status.ACTIVE):
        _answer_profile(state, "session_over", None, now)
    elif not state.spec.profile_capable:
        _answer_profile(state, "rejected", "NOT_SUPPORTED", now)


def planned(state: SessionState, plan: ChargingPlan, now: datetime) -> None:
    """A plan was made. Dropped where a newer wish has come meanwhile: that one gets its own."""
    profile = state.profile
    if profile.request_id is None or profile.wish != plan.wish:
        return
    profile.plan, state.plans_made = plan, plan.revision
    if plan.wish.departure_time is not None:
        note(state, "planned", f"revision {plan.revision}: {plan.why or _wish_words(profile)}", now)


def profile_sent(state: SessionState, command_id: str, plan: ChargingPlan | None, now: datetime) -> None:
    """The charging profile goes out now under ``command_id``, which its result will name. No plan: it is cleared."""
    profile = state.profile
    profile.command_id, profile.plan, profile.sent_at = command_id, plan, now
    profile.attempts += 1
    profile.asked = False
    profile.next_at = now + timedelta(seconds=state.spec.policy.profile_result_s)
    note(state, "profile_sent", _wish_words(profile), now)


def profile_answered(state: SessionState, sent: ProfileSent, now: datetime) -> None:
    """The synchronous ChargingProfileResponse (OCPI 2.2.1 §11.3.5), or that there was none."""
    if sent.command_id != state.profile.command_id or state.profile.request_id is None:
        return
    pauses = {"TOO_OFTEN": 30, "UNREACHABLE": 10}
    if sent.result in pauses:
        state.profile.asked = True  # it did not arrive: there is nothing to ask
        state.profile.next_at = now + timedelta(seconds=pauses[sent.result] * state.profile.attempts)
    elif sent.result != "ACCEPTED":
        _answer_profile(state, "rejected", sent.result, now)


def profile_asked(state: SessionState, command_id: str, now: datetime) -> None:
    """No result came in time: the CPO is asked under ``command_id`` which profile is active (§11.2.1.1)."""
    profile = state.profile
    profile.asked, profile.ask_id = True, command_id
    profile.next_at = now + timedelta(seconds=state.spec.policy.profile_result_s)
    note(state, "profile_asked", "which charging profile is active", now)


def profile_ask_answered(state: SessionState, sent: ProfileSent, now: datetime) -> None:
    """The synchronous answer to that question; where no result will follow, the profile is sent again at once."""
    if sent.command_id == state.profile.ask_id and state.profile.request_id and sent.result != "ACCEPTED":
        state.profile.next_at = now


def profile_resulted(state: SessionState, message: CommandResultMessage, now: datetime) -> None:
    """The ChargingProfileResult or ClearProfileResult (§11.3.4, §11.3.6) of what was sent last."""
    if message.command_id != state.profile.command_id or state.profile.request_id is None:
        return
    _answer_profile(state, "accepted" if message.result == "ACCEPTED" else "rejected", message.result, now)


def profile_seen(state: SessionState, message: CommandResultMessage, now: datetime) -> None:
    """The active profile stands for the result that got lost, where it is the one that was sent."""
    profile = state.profile
    if message.command_id != profile.ask_id or profile.request_id is None:
        return
    if message.result == "ACCEPTED" and _is_in_force(state, message, now):
        _answer_profile(state, "accepted", message.result, now)
    else:
        profile.next_at = now


def give_up_silence(state: SessionState, now: datetime) -> None:
    """After the last attempt and question went unanswered, say so."""
    profile = state.profile
    tried_all = profile.attempts >= PROFILE_ATTEMPTS and profile.asked
    if profile.request_id and tried_all and profile.next_at is not None and now >= profile.next_at:
        _answer_profile(state, "rejected", "NO_RESULT", now)


def drop_open_profile(state: SessionState, now: datetime) -> None:
    """The session is over or about to be: an open wish is answered so."""
    _answer_profile(state, "session_over", None, now)


def _answer_profile(
    state: SessionState,
    answer: Literal["accepted", "rejected", "superseded", "session_over"],
    result: str | None,
    now: datetime,
) -> None:
    profile = state.profile
    if profile.request_id is None:
        return
    state.answers = [*state.answers, ProfileAnswer(request_id=profile.request_id, state=answer, result=result)]
    if answer == "accepted":
        profile.in_force = profile.plan  # None after a clear
    profile.request_id = profile.next_at = None
    note(state, f"profile_{answer}", result or "", now)


def _is_in_force(state: SessionState, message: CommandResultMessage, now: datetime) -> bool:
    if message.active_limit is None:
        return False
    spec, plan = state.spec, state.profile.plan
    watts = message.active_limit * (spec.phases * spec.voltage if message.active_unit == "A" else 1)
    wanted = plan.limit_w(now) if plan else spec.max_power_kw * 1000
    # A per phase with one decimal, rounded by either side: within a tenth of an ampere, or above when cleared.
    tolerance = Decimal(spec.phases * spec.voltage) / 5
    return watts >= wanted - tolerance and (plan is None or watts <= wanted + tolerance)


def _wish_words(profile: ProfileProgress) -> str:
    if profile.wish is None:
        return "no limit"
    if profile.wish.periods:
        return f"a schedule of {len(profile.wish.periods)} periods"
    cap, departure = profile.wish.max_charge_rate_kw, profile.wish.departure_time
    words = f"at most {cap} kW" if cap is not None else "full power"
    return words + (f", departure {departure.isoformat()}" if departure else "")
