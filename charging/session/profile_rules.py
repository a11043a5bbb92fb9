"""Charging profiles in the life of a session: wished, planned, sent, answered, in force. Pure.

A newer wish supersedes an open one; only the CPO's asynchronous result puts a profile in force. What each answer
(OCPI 2.2.1 §14.3) leads to:

- TOO_OFTEN: a pause, doubled each time; then the newest is sent.
- REJECTED, NOT_SUPPORTED: the wish of a user is answered so and the profile before stays in force. A plan of the
  engine's own is tried again later; refused three times, the energy and cost limits by STOP are all that controls.
- UNKNOWN_SESSION: the CPO's sessions are listed, then it is sent once more.
- silence: the CPO is asked which profile is active, then it is sent again (a PUT replaces, so it may repeat).
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from charging.session.answers import ProfileSent
from charging.session.control import control_for
from charging.session.messages import ClearProfileRequest, CommandResultMessage, ProfileRequest
from charging.session.model import ProfileAnswer, ProfileProgress, SessionState, Status
from charging.session.notes import changed, note
from charging.session.plan_records import give_up, put_in_force, record
from charging.session.profile import ChargingPlan, PlanState

PROFILE_ATTEMPTS: Final = 3
REFUSALS: Final = 3

_UNREACHABLE_S: Final = 10
# In multiples of the time after which a missing result makes us send again (``Policy.profile_result_s``, 60 s).
_TOO_OFTEN: Final = 0.5
_TOO_OFTEN_MAX: Final = 16
_REFUSED: Final = 5
_LISTING_S: Final = 60


def profile_requested(state: SessionState, message: ProfileRequest | ClearProfileRequest, now: datetime) -> None:
    """A wish for a charging profile, or for none. The newest one counts; an older open one is superseded."""
    if state.profile.request_id is not None:
        _answer_profile(state, "superseded", None, now)
    wish = message.wish if isinstance(message, ProfileRequest) else None
    _open(state, message.message_id or f"operator-{state.noted}", now, wish=wish)
    note(state, "profile_requested", _wish_words(state.profile), now)
    if state.status not in (Status.PENDING, Status.ACTIVE):
        _answer_profile(state, "session_over", None, now)
    elif control_for(state.spec, wish) == "stop":
        _answer_profile(state, "rejected", "NOT_SUPPORTED", now)


def plan_changed(state: SessionState, plan: ChargingPlan, now: datetime) -> None:
    """The engine sends ``plan`` in place of the one in force: made anew, or what was left of it. Nobody waits for it.

    Not while a user's wish is open, which gets a plan of its own, nor where the CPO has refused three such already.
    """
    profile = state.profile
    is_over = state.status is not Status.ACTIVE or state.stop.requested_at is not None
    is_refused = profile.in_force is not None and profile.in_force.control == "stop"
    if is_over or is_refused or (profile.request_id is not None and not profile.own):
        return
    refused, next_at = profile.refused, profile.next_at if profile.refused else None
    _open(state, f"engine-{state.noted}", now, own=True, wish=plan.wish, plan=plan, refused=refused)
    state.profile.next_at = max(filter(None, (next_at, state.profile.next_at)), default=None)
    changed(state)


def rest_at(state: SessionState, now: datetime) -> datetime | None:
    """When the rest of the plan in force is to be sent, at the soonest a moment from ``now``."""
    profile = state.profile
    if profile.rest_at is None or profile.request_id is not None or state.status is not Status.ACTIVE:
        return None
    return max(profile.rest_at, now + timedelta(seconds=1))


def send_rest(state: SessionState, now: datetime) -> None:
    """The horizon of what was sent comes to its end: the rest of the plan in force follows."""
    profile = state.profile
    if profile.request_id is None and profile.rest_at is not None and now >= profile.rest_at:
        profile.rest_at = None
        if profile.in_force is not None:
            plan_changed(state, profile.in_force, now)


def planned(state: SessionState, plan: ChargingPlan, now: datetime) -> None:
    """A plan was made. Dropped where a newer wish has come meanwhile: that one gets its own."""
    profile = state.profile
    if profile.request_id is None or profile.wish != plan.wish:
        return
    profile.plan, state.plans_made = plan, plan.revision
    record(state, plan, PlanState.PLANNED)
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
    """The synchronous ChargingProfileResponse (OCPI 2.2.1 §14.3.1), or that there was none."""
    profile = state.profile
    if sent.command_id != profile.command_id:
        return
    profile.sent_rest_at, profile.sent_limit_w = sent.send_again_at, sent.limit_w
    if profile.request_id is None:
        if profile.plan and profile.in_force and profile.plan.revision == profile.in_force.revision:
            profile.rest_at = profile.sent_rest_at  # the result was faster
    elif sent.result == "TOO_OFTEN":
        _pause(state, now)
    elif sent.result == "UNREACHABLE":
        profile.asked = True  # it did not arrive: there is nothing to ask
        profile.next_at = now + timedelta(seconds=_UNREACHABLE_S * profile.attempts)
    elif sent.result == "UNKNOWN_SESSION" and not profile.listed:
        profile.asked = profile.must_list = True
        profile.next_at = now + timedelta(seconds=_LISTING_S)
        note(state, "profile_session_unknown", "The CPO does not know its Session; its sessions are listed", now)
    elif sent.result != "ACCEPTED":
        _refused(state, sent.result, now)


def sessions_listed(state: SessionState, now: datetime) -> None:
    """The CPO's sessions were listed: a profile for a Session that it did not know is sent once more."""
    profile = state.profile
    if profile.must_list:
        profile.must_list, profile.listed = False, True
        profile.next_at = now
        changed(state)


def settled_at_once(state: SessionState, sent: ProfileSent, now: datetime) -> None:
    """A call that has no asynchronous result was answered: its answer decides."""
    if sent.result == "ACCEPTED":
        _answer_profile(state, "accepted", sent.result, now)
    else:
        profile_answered(state, sent, now)


def profile_asked(state: SessionState, command_id: str, now: datetime) -> None:
    """No result came in time: the CPO is asked under ``command_id`` which profile is active (§14.2.1)."""
    profile = state.profile
    profile.asked, profile.ask_id = True, command_id
    profile.next_at = now + timedelta(seconds=state.spec.policy.profile_result_s)
    note(state, "profile_asked", "which charging profile is active", now)


def profile_ask_answered(state: SessionState, sent: ProfileSent, now: datetime) -> None:
    """The synchronous answer to that question; where no result will follow, the profile is sent again at once."""
    if sent.command_id == state.profile.ask_id and state.profile.request_id and sent.result != "ACCEPTED":
        state.profile.next_at = now


def profile_resulted(state: SessionState, message: CommandResultMessage, now: datetime) -> None:
    """The ChargingProfileResult or ClearProfileResult (§14.3.2 to §14.3.4) of what was sent last."""
    if message.command_id != state.profile.command_id or state.profile.request_id is None:
        return
    # A charge point that finds no profile to clear has none in force, which was the wish.
    cleared = message.command == "CLEAR_PROFILE" and message.result == "UNKNOWN"
    if message.result == "ACCEPTED" or cleared:
        _answer_profile(state, "accepted", message.result, now)
    else:
        _refused(state, message.result, now)


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
        _refused(state, "NO_RESULT", now)


def drop_open_profile(state: SessionState, now: datetime) -> None:
    """The session is over or about to be: an open wish is answered so."""
    _answer_profile(state, "session_over", None, now)


def _open(state: SessionState, request_id: str, now: datetime, **what: Any) -> None:
    """Something new is to be sent. What is in force stays, and so does a pause that the CPO has asked for."""
    before = state.profile
    quiet = before.quiet_until if before.quiet_until is not None and before.quiet_until > now else None
    state.profile = ProfileProgress(
        request_id=request_id,
        in_force=before.in_force,
        rest_at=before.rest_at,
        quiet_until=quiet,
        too_often=before.too_often if quiet else 0,
        next_at=quiet,
        **what,
    )


def _pause(state: SessionState, now: datetime) -> None:
    """The CPO hears from us too often. That was no attempt: the charge point has not seen it."""
    profile = state.profile
    seconds = state.spec.policy.profile_result_s * min(_TOO_OFTEN * 2**profile.too_often, _TOO_OFTEN_MAX)
    profile.too_often += 1
    profile.attempts -= 1
    profile.asked = True  # it did not arrive: there is nothing to ask
    profile.quiet_until = profile.next_at = now + timedelta(seconds=seconds)
    note(state, "profile_too_often", f"the next one is sent in {seconds:.0f} s", now)


def _refused(state: SessionState, result: str, now: datetime) -> None:
    """A user is told so. The engine comes back to it, and after the third time leaves the CPO alone."""
    profile = state.profile
    if not profile.own:
        _answer_profile(state, "rejected", result, now)
        return
    profile.refused += 1
    if profile.refused < REFUSALS:
        profile.attempts, profile.asked, profile.listed = 0, True, False
        profile.next_at = now + timedelta(seconds=state.spec.policy.profile_result_s * _REFUSED * profile.refused)
        note(state, "plan_refused", f"{result}: the plan before stays; tried again at {profile.next_at:%H:%M} UTC", now)
        return
    give_up(state, PlanState.REJECTED)
    profile.request_id = profile.next_at = profile.rest_at = None
    if profile.in_force is not None:
        profile.in_force = profile.in_force.model_copy(update={"control": "stop"})
    note(state, "plan_unenforced", f"{result}, {REFUSALS} times: the energy and cost limits by STOP remain", now)


def _answer_profile(
    state: SessionState,
    answer: Literal["accepted", "rejected", "superseded", "session_over"],
    result: str | None,
    now: datetime,
) -> None:
    profile = state.profile
    if profile.request_id is None:
        return
    if not profile.own:
        state.answers = [*state.answers, ProfileAnswer(request_id=profile.request_id, state=answer, result=result)]
    if answer == "accepted":
        put_in_force(state)
        profile.rest_at, profile.refused, profile.too_often = profile.sent_rest_at, 0, 0
    else:
        give_up(state, PlanState.REJECTED if answer == "rejected" else PlanState.REPLACED)
    profile.request_id = profile.next_at = None
    profile.must_list = False
    note(state, f"profile_{answer}", result or "", now)


def _is_in_force(state: SessionState, message: CommandResultMessage, now: datetime) -> bool:
    if message.active_limit is None:
        return False
    spec, plan = state.spec, state.profile.plan
    watts = message.active_limit * (spec.phases * spec.voltage if message.active_unit == "A" else 1)
    # A per phase with one decimal, rounded by either side: within a fifth of an ampere, or above when cleared.
    tolerance = Decimal(spec.phases * spec.voltage) / 5
    if plan is None:
        return watts >= spec.max_power_kw * 1000 - tolerance
    wanted = (plan.limit_w(now), state.profile.sent_limit_w)
    return any(limit is not None and abs(watts - limit) <= tolerance for limit in wanted)


def _wish_words(profile: ProfileProgress) -> str:
    if profile.wish is None:
        return "no limit"
    if profile.wish.periods:
        return f"a schedule of {len(profile.wish.periods)} periods"
    cap, departure = profile.wish.max_charge_rate_kw, profile.wish.departure_time
    words = f"at most {cap} kW" if cap is not None else "full power"
    return words + (f", departure {departure.isoformat()}" if departure else "")
