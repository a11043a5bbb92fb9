"""``/v1/sessions``: what robots call. Endpoints only translate; the path of a session is in docs/architecture.md."""

import json
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api import documentation as doc
from api.auth import READ, WRITE, User, admitted, authenticated
from api.branch import Branch
from api.desk import Desk, desk_of
from api.ownership import canonical_id, own_session
from api.plans import require_future
from api.problems import invalid_field, unavailable
from api.profiles import clear_profile, set_profile
from api.schemas import (
    HistoryAnswer,
    ProfileAnswerBody,
    ProfileClearedAnswer,
    ProfileRequestBody,
    Short,
    StartAnswer,
    StartRequest,
    StatusAnswer,
    StopAnswer,
    StopRequestBody,
    Text,
)
from api.strict_json import strict_body
from api.workflow_calls import WorkflowGone, ask_state, signal
from charging import names
from charging.errors import Problem
from charging.session.messages import StopRequest
from charging.session.model import SessionState, Status
from charging.session.reading import StatusRow, status_answer
from charging.store.reading import ENDED, BadCursor, Filter

MAX_WAIT_S = 60
POLL_S = 0.1
MAX_KEY = 255
_PROFILE_CODES = ("profile_rejected", "profile_superseded", "smart_charging_unsupported", "session_over")

router = Branch(
    prefix="/v1/sessions",
    tags=["Sessions"],
    responses=doc.problems("unauthorized", "insufficient_scope", "service_unavailable"),
)

Reader = Annotated[User, Depends(authenticated(READ))]
Writer = Annotated[User, Depends(authenticated(WRITE))]
CostlyWriter = Annotated[User, Depends(authenticated(WRITE, costly=True))]
StartBody = Annotated[StartRequest, Depends(strict_body(StartRequest))]
StopBody = Annotated[StopRequestBody, Depends(strict_body(StopRequestBody))]
ProfileBody = Annotated[ProfileRequestBody, Depends(strict_body(ProfileRequestBody))]


class HistoryQuery(BaseModel):
    """Filters of the history; unknown ones are refused, for a misspelt filter would show everything."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    active: bool | None = Field(None, description="true: pending, active or stopping; false: completed or failed.")
    evse_id: Annotated[Text, Field(max_length=64, description="In any spelling.")] | None = None
    job_id: Short | None = None
    robot_id: Short | None = None
    limit: int = Field(20, ge=1, le=100)
    cursor: Annotated[Text, Field(max_length=200, description="`next_cursor` of the page before.")] | None = None


@router.get(
    "/{session_id}/status",
    response_model=StatusAnswer,
    summary="Where a session stands",
    responses=doc.problems("session_not_found", "validation_error"),
    openapi_extra=doc.status_extra(MAX_WAIT_S),
)
async def read_status(request: Request) -> Response:
    """One indexed row. `?wait=20&after={revision}` answers as soon as something changed.

    `Cache-Control: no-cache` asks the workflow itself, for 2 s at most.
    """
    # The most called endpoint by far, and the first route to be matched: parameters that the framework reads and
    # dependencies would cost more than the read itself.
    user = await admitted(request, READ)
    desk = desk_of(request)
    row = await own_session(desk, request.path_params["session_id"], user)
    if request.query_params:
        row = await _awaited(desk, row, user, request)
    if "no-cache" in request.headers.get("cache-control", ""):
        state = await ask_state(desk.services.temporal, row.id)
        row = _decided(row, state) if state else row
    return _json(await _status(desk, row, datetime.now(UTC)))


@router.post(
    "/start",
    status_code=201,
    response_model=StartAnswer,
    summary="Start charging a car",
    responses=doc.problems(
        *doc.BODY_CODES,
        "idempotency_key_invalid",
        "idempotency_key_reused",
        "evse_not_found",
        "connector_not_available",
        "max_cost_required",
        "evse_busy",
        "evse_reserved",
        "evse_out_of_service",
        "cpo_offline",
        "cpo_unavailable",
    ),
    openapi_extra=doc.with_key(StartRequest),
)
async def start_session(request: Request, user: CostlyWriter, order: StartBody) -> Response:
    """Starts one session. With an `Idempotency-Key`, a repeat answers 201 with the same session and its status."""
    started = await desk_of(request).starter.start(user, order, idempotency_key(request))
    session_id = started.spec.session_id
    answer = {
        "session_id": session_id,
        "status": started.status,
        "evse_id": started.spec.evse_id,
        "network": started.spec.network,
    }
    return _json(answer, 201, {"Location": f"/v1/sessions/{session_id}/status"})


@router.post(
    "/stop",
    response_model=StopAnswer,
    summary="Stop charging",
    responses=doc.problems(*doc.BODY_CODES, "session_not_found"),
    openapi_extra=doc.body(StopRequestBody),
)
async def stop_session(request: Request, user: Writer, body: StopBody) -> Response:
    """Asks for the end. Repeatable; after the end it answers the true status. Kept even when no worker runs."""
    desk = desk_of(request)
    row = await own_session(desk, body.session_id, user)
    if row.status not in (*ENDED, Status.STOPPING):
        message = StopRequest(message_id=str(uuid.uuid4()), by="user")
        try:
            await signal(desk.services.temporal, row.id, names.Signal.STOP, message)
        except WorkflowGone:
            # It ended between our read and the signal, or its start is not through yet.
            row = await own_session(desk, row.id, user)
            if row.status not in ENDED:
                raise unavailable("The session cannot be reached yet.") from None
    return _json({"session_id": row.id, "status": row.status if row.status in ENDED else Status.STOPPING})


@router.get(
    "",
    response_model=HistoryAnswer,
    summary="Your sessions, newest first",
    responses=doc.problems("validation_error"),
)
async def list_sessions(request: Request, user: Reader, query: Annotated[HistoryQuery, Query()]) -> Response:
    """So that a rebooted robot finds its session: `?active=true&robot_id=…`."""
    desk = desk_of(request)
    wanted = Filter(query.status, query.active, query.evse_id, query.job_id, query.robot_id)
    try:
        page = await desk.reader.history(user.sub, wanted, limit=query.limit, cursor=query.cursor)
    except BadCursor:
        raise invalid_field("cursor", "cursor_unknown", "Not a cursor of this list.") from None
    now = datetime.now(UTC)
    answers = [await _status(desk, row, now) for row in page.rows]
    return _json({"sessions": answers, "next_cursor": page.next_cursor})


@router.post(
    "/{session_id}/charging-profile",
    response_model=ProfileAnswerBody,
    summary="Limit or schedule the power",
    responses={
        **doc.problems(*doc.BODY_CODES, "session_not_found", *_PROFILE_CODES),
        **doc.still_open(ProfileAnswerBody),
    },
    openapi_extra=doc.body(ProfileRequestBody),
)
async def post_profile(request: Request, session_id: str, user: CostlyWriter, body: ProfileBody) -> Response:
    """A cap, a departure, both, or a schedule. A newer request supersedes an open one."""
    desk = desk_of(request)
    now = datetime.now(UTC)
    row = await own_session(desk, session_id, user)
    require_future(body.departure_time, now)
    is_set, answer = await set_profile(desk, row, user, body.wish(), now)
    return _json(answer, 200 if is_set else 202)


@router.delete(
    "/{session_id}/charging-profile",
    response_model=ProfileClearedAnswer,
    summary="Full power again",
    responses={**doc.problems("session_not_found", *_PROFILE_CODES), **doc.still_open(ProfileClearedAnswer)},
)
async def delete_profile(request: Request, session_id: str, user: CostlyWriter) -> Response:
    """Removes the profile at the charger."""
    desk = desk_of(request)
    is_cleared = await clear_profile(desk, await own_session(desk, session_id, user), user)
    return _json({"session_id": canonical_id(session_id), "profile_cleared": is_cleared}, 200 if is_cleared else 202)


async def _status(desk: Desk, row: StatusRow, now: datetime) -> dict[str, Any]:
    live = await desk.costs.of(row, now)
    return status_answer(row, now, stale_s=desk.services.settings.stale_s, live=live)


async def _awaited(desk: Desk, row: StatusRow, user: User, request: Request) -> StatusRow:
    """The row once its revision is above ``after`` (default: what it is now), or when ``wait`` s are over."""
    wait = _whole_number(request, "wait", MAX_WAIT_S) or 0
    after = _whole_number(request, "after", doc.MOST_REVISIONS)
    seen = row.revision if after is None else after
    deadline = time.monotonic() + wait
    with desk.waits.one_of(user.sub):
        while row.revision <= seen and time.monotonic() < deadline:
            if await request.is_disconnected():
                break
            await desk.waits.pause(user.sub, POLL_S, deadline)
            row = await own_session(desk, row.id, user)
    return row


def _whole_number(request: Request, name: str, most: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise invalid_field(name, "whole_number", f"Must be a whole number from 0 to {most}.")
    return int(text)


def _decided(row: StatusRow, state: SessionState) -> StatusRow:
    """The stored row with the workflow's own decisions, which may not be published yet."""
    return replace(
        row,
        status=state.status.value,
        phase=state.phase.value if state.phase else None,
        reason=state.reason.model_dump(mode="json") if state.reason else None,
        start_outcome=state.start.value,
        stop_sent_at=state.stop.first_sent_at,
        stop_accepted_at=state.stop.accepted_at,
        closed_at=state.closed_at,
        watch_until=state.watch_until,
        profile=state.profile.in_force.model_dump(mode="json") if state.profile.in_force else None,
        ended_at=state.ended_at,
    )


def idempotency_key(request: Request) -> str | None:
    """The request's Idempotency-Key, if any. Raises ``Problem`` 400."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not 0 < len(keys[0]) <= MAX_KEY or not keys[0].isprintable():
        raise Problem(400, "idempotency_key_invalid", f"Idempotency-Key must be 1 to {MAX_KEY} printable characters.")
    return keys[0]


def _json(answer: dict[str, Any], status_code: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(answer), status_code, headers, "application/json")
