"""``/v1/history``: a user's sessions as EV Pass shows them among all that the user has done (docs/neighbours.md)."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api import documentation as doc
from api.auth import READ, User, authenticated
from api.branch import Branch
from api.desk import desk_of
from charging.session.model import Status
from charging.session.reading import history_item

router = Branch(prefix="/v1/history", tags=["Neighbours"])


class HistoryItem(BaseModel):
    """One session. Energy in kWh, whole minutes, money in ``currency``; ``end_time`` null while it runs."""

    type: Literal["charging"]
    session_id: str
    status: Status
    energy_kwh: float
    cost: float | None
    currency: str
    duration_minutes: int
    start_time: str | None
    end_time: str | None


class HistoryItems(BaseModel):
    """Newest first; fewer than ``limit`` items: that was all."""

    items: list[HistoryItem]


class Slice(BaseModel):
    """Which of them."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100)
    skip: int = Field(0, ge=0, le=100_000)


@router.get(
    "",
    summary="Your sessions, for a list of everything you did",
    responses=doc.problems("unauthorized", "insufficient_scope", "validation_error", "service_unavailable"),
)
async def read_history(
    request: Request, user: Annotated[User, Depends(authenticated(READ))], wanted: Annotated[Slice, Query()]
) -> HistoryItems:
    """Called with the user's own token. A session that begins meanwhile shifts the others by one."""
    rows = await desk_of(request).reader.newest(user.sub, limit=wanted.limit, skip=wanted.skip)
    now = datetime.now(UTC)
    return HistoryItems(items=[HistoryItem.model_validate(history_item(row, now)) for row in rows])
