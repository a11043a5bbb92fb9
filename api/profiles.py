"""Setting and clearing a charging profile: ask the workflow, wait on the request's row for the CPO's result."""

import time
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from api.auth import User
from api.desk import Desk
from api.plan_words import plan_answer
from api.problems import unavailable
from api.workflow_calls import WorkflowGone, signal
from charging import names
from charging.errors import Problem
from charging.ocpi.wire import plain
from charging.session.control import control_for
from charging.session.messages import ClearProfileRequest, ProfileRequest
from charging.session.model import SessionSpec, Status
from charging.session.profile import ChargingPlan, PlanOrder, ProfileWish
from charging.session.reading import StatusRow

POLL_S = 0.05


async def set_profile(
    desk: Desk, row: StatusRow, user: User, wish: ProfileWish, now: datetime
) -> tuple[bool, dict[str, Any]]:
    """Whether the CPO has accepted ``wish``, and the answer's body. Raises ``Problem`` 409 or 503."""
    is_set = await _ask(desk, row, user, wish)
    plan = await _made(desk, row.id, wish) or await _to_be_made(desk, row.id, wish, now)
    return is_set, {
        "session_id": row.id,
        "profile_set": is_set,
        "max_charge_rate_kw": plain(wish.max_charge_rate_kw),
        "departure_time": plain(wish.departure_time),
        "periods": [{"start_period": period.start_period, "limit": plain(period.limit)} for period in plan.periods],
        "plan": plan_answer(plan),
    }


async def _made(desk: Desk, session_id: str, wish: ProfileWish) -> ChargingPlan | None:
    """The session's plan for ``wish``, in force or on its way; None where it has none yet, or has a newer wish."""
    current = (await desk.plans.of(session_id)).current
    return current.plan if current and current.plan.wish == wish else None


async def _to_be_made(desk: Desk, session_id: str, wish: ProfileWish, now: datetime) -> ChargingPlan:
    """What the session would plan now, as revision 0."""
    return await desk.scheduler.plan_session(PlanOrder(session_id=session_id, wish=wish, now=now, revision=0))


async def clear_profile(desk: Desk, row: StatusRow, user: User) -> bool:
    """Whether the CPO has cleared the profile; False while that is open. Raises ``Problem`` 409 or 503."""
    return await _ask(desk, row, user, None)


async def _ask(desk: Desk, row: StatusRow, user: User, wish: ProfileWish | None) -> bool:
    _require_live(row)
    _require_capable(row, wish)
    request_id = await desk.profile_requests.open(row.id, wish)
    name, message = _message(request_id, wish)
    try:
        await signal(desk.services.temporal, row.id, name, message)
    except WorkflowGone:
        await desk.profile_requests.withdraw(request_id)
        _require_live(await _fresh(desk, row, user))  # it ended while we asked: 409
        raise unavailable("The session cannot be reached yet.") from None
    except Problem:
        await desk.profile_requests.withdraw(request_id)
        raise
    # A pending session keeps the wish and sends it once it is active: that may take minutes.
    patience = desk.services.settings.profile_wait_s if row.status == Status.ACTIVE else 0
    with desk.waits.one_of(user.sub):
        return await _result(desk, request_id, user, patience)


def _message(request_id: str, wish: ProfileWish | None) -> tuple[names.Signal, BaseModel]:
    if wish is None:
        return names.Signal.CLEAR_PROFILE, ClearProfileRequest(message_id=request_id)
    return names.Signal.CHANGE_PROFILE, ProfileRequest(message_id=request_id, wish=wish)


async def _result(desk: Desk, request_id: str, user: User, patience: float) -> bool:
    """True once accepted, False when ``patience`` s are over and it is still open; else ``Problem`` 409."""
    deadline = time.monotonic() + patience
    while True:
        request = await desk.profile_requests.read(request_id)
        if request.state == "accepted":
            return True
        if request.state == "rejected":
            raise Problem(409, "profile_rejected", "The CPO rejected the charging profile.", result=request.result)
        if request.state == "superseded":
            raise Problem(409, "profile_superseded", "A newer request has replaced this one.")
        if request.state == "session_over":
            raise _over()
        if time.monotonic() >= deadline:
            return False
        await desk.waits.pause(user.sub, POLL_S, deadline)


def _require_live(row: StatusRow) -> None:
    if row.status not in (Status.PENDING, Status.ACTIVE):
        raise _over()


def _require_capable(row: StatusRow, wish: ProfileWish | None) -> None:
    if control_for(SessionSpec.model_validate(row.spec), wish) == "stop":
        raise Problem(
            409,
            "smart_charging_unsupported",
            "This EVSE takes no charging profiles. The session's energy and cost limits hold: reaching one stops it.",
            control="stop",
        )


async def _fresh(desk: Desk, row: StatusRow, user: User) -> StatusRow:
    return await desk.reader.status(row.id, user.sub) or row


def _over() -> Problem:
    return Problem(409, "session_over", "The session is stopping or has ended.")
