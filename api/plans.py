"""Plans for a departure: before any session (``POST /v1/plans``), and of a session, in numbers and as a picture."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Request, Response

from api import documentation as doc
from api.auth import READ, User, authenticated
from api.desk import Desk, desk_of
from api.ownership import own_session
from api.plan_schemas import PlanPreviewAnswer, SessionPlanAnswer
from api.plan_words import book_answer, plan_answer
from api.problems import invalid_field
from api.schemas import PlanRequestBody
from api.starting import evse_not_found, require_connector
from api.strict_json import strict_body
from charging.errors import Problem
from charging.plan_picture import Form, PlanPicture, can_draw, draw
from charging.session.reading import StatusRow

router = APIRouter(
    tags=["Plans"],
    responses=doc.problems("unauthorized", "insufficient_scope", "service_unavailable"),
)

Reader = Annotated[User, Depends(authenticated(READ))]
CostlyReader = Annotated[User, Depends(authenticated(READ, costly=True))]
PlanBody = Annotated[PlanRequestBody, Depends(strict_body(PlanRequestBody))]

_PICTURE_CODES = ("session_not_found", "plan_not_found", "plan_unavailable")


@router.post(
    "/v1/plans",
    response_model=PlanPreviewAnswer,
    summary="What a session would do, and cost",
    responses=doc.problems(*doc.BODY_CODES, "evse_not_found", "connector_not_available"),
    openapi_extra=doc.body(PlanRequestBody),
)
async def preview_plan(request: Request, user: CostlyReader, body: PlanBody) -> Response:
    """The plan that a session at this EVSE would get now, by the prices that hold there. Starts nothing."""
    desk, now = desk_of(request), datetime.now(UTC)
    require_future(body.departure_time, now)
    match = await desk.refresh.find(body.evse_id, body.place)
    if match is None:
        raise evse_not_found()
    connector = require_connector(body.connector_type, match)
    plan = await desk.scheduler.preview(match, connector, need_kwh=body.energy_kwh, wish=body.wish(), now=now)
    return _json(
        {
            "evse_id": body.evse_id,
            "network": match.connection.network,
            "connector_type": connector.plug,
            "plan": plan_answer(plan),
        }
    )


@router.get(
    "/v1/sessions/{session_id}/plan",
    response_model=SessionPlanAnswer,
    summary="What is planned, and what came of it",
    responses=doc.problems("session_not_found"),
)
async def read_plan(request: Request, session_id: str, user: Reader) -> Response:
    """The plan that counts, the earlier ones and why each was replaced, and the meter against them."""
    desk = desk_of(request)
    row = await own_session(desk, session_id, user)
    return _json(book_answer(row.id, await desk.plans.of(row.id)))


@router.get(
    "/v1/sessions/{session_id}/plan.svg",
    response_class=Response,
    summary="The same as a picture (SVG)",
    responses={200: {"content": {"image/svg+xml": {}}}, **doc.problems(*_PICTURE_CODES)},
)
async def read_plan_svg(request: Request, session_id: str, user: CostlyReader) -> Response:
    """Planned and metered power, prices, energy and departure over time."""
    return Response(await _picture(request, session_id, user, "svg"), media_type="image/svg+xml")


@router.get(
    "/v1/sessions/{session_id}/plan.png",
    response_class=Response,
    summary="The same as a picture (PNG)",
    responses={200: {"content": {"image/png": {}}}, **doc.problems(*_PICTURE_CODES)},
)
async def read_plan_png(request: Request, session_id: str, user: CostlyReader) -> Response:
    """Planned and metered power, prices, energy and departure over time."""
    return Response(await _picture(request, session_id, user, "png"), media_type="image/png")


def require_future(departure: datetime | None, now: datetime) -> None:
    """Raises ``Problem`` 422 for a departure that has passed."""
    if departure is not None and departure <= now:
        raise invalid_field("departure_time", "departure_in_the_past", "Must be in the future.")


async def _picture(request: Request, session_id: str, user: User, form: Form) -> bytes:
    desk = desk_of(request)
    row = await own_session(desk, session_id, user)
    if not can_draw():
        raise Problem(501, "plan_unavailable", "Pictures need the extra `plot` (matplotlib), which is not installed.")
    return await asyncio.to_thread(draw, await _drawn(desk, row), form)


async def _drawn(desk: Desk, row: StatusRow) -> PlanPicture:
    book = await desk.plans.of(row.id)
    if book.current is None:
        raise Problem(404, "plan_not_found", "This session has no plan.")
    return PlanPicture(
        title=f"{row.network} {row.evse_id}",
        plan=book.current.plan,
        metered=book.metered,
        prices=book.prices,
        now=datetime.now(UTC),
        zone=_zone(book.time_zone),
    )


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # whatever the CPO has sent
        return ZoneInfo("UTC")


def _json(answer: dict[str, Any]) -> Response:
    return Response(json.dumps(answer), media_type="application/json")
