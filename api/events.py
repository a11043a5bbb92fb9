"""``/v1/events``: what happens to a user's sessions, as Server-Sent Events (docs/events.md)."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response

from api import documentation as doc
from api.auth import READ, User, authenticated
from api.branch import Branch
from api.desk import Desk, desk_of
from api.event_stream import EventStream, Track
from api.ownership import own_session
from api.problems import invalid_field
from charging.event_relay import METERS_ARE_READ_FOR
from charging.store.outbox import PlacedEvent
from charging.store.reading import ENDED

router = Branch(
    prefix="/v1",
    tags=["Events"],
    responses=doc.problems("unauthorized", "insufficient_scope", "service_unavailable"),
)

Reader = Annotated[User, Depends(authenticated(READ))]

NONE: Final = "none"  # the Last-Event-ID of a reader that has no event yet

_EXTRA: Final = doc.header("Last-Event-ID", "The `id` of the last event that you have: those after it come first.")
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-Sent Events until the token expires; those of one session end when it does.",
        "content": {"text/event-stream": {}},
    }
}
_PROBLEMS: Final = doc.problems("validation_error", "too_many_streams", "rate_limited")


@router.get(
    "/sessions/{session_id}/events",
    summary="A session's events as they happen",
    response_class=Response,
    responses={
        **_STREAM,
        204: {"description": "The session has ended and you have all of its events: do not come back."},
        **_PROBLEMS,
        **doc.problems("session_not_found"),
    },
    openapi_extra=_EXTRA,
)
async def session_events(request: Request, session_id: str, user: Reader) -> Response:
    """From its first event, or after `Last-Event-ID`, to its end. A comment every 15 s shows that the line is up."""
    desk = desk_of(request)
    row = await own_session(desk, session_id, user)
    sent = _sent(request)
    last = await _event(desk, sent, user, row.id)
    after, is_over = (last.event.seq if last else 0), row.status in ENDED
    if last and is_over and not await desk.outbox.of_session(row.id, after):
        return Response(status_code=204)
    track = Track(user.sub, row.id, after, is_over=is_over, is_lost=sent not in (None, NONE) and last is None)
    return await _open(desk, user, track)


@router.get(
    "/events",
    summary="All your sessions' events as they happen",
    response_class=Response,
    responses={**_STREAM, **_PROBLEMS},
    openapi_extra=_EXTRA,
)
async def all_events(request: Request, user: Reader) -> Response:
    """From now on, or after `Last-Event-ID`. It ends when your token expires: come back with another one.

    It begins with an id of its own, without an event: `Last-Event-ID` for who is cut off before the first one.
    """
    desk, sent = desk_of(request), _sent(request)
    last = await _event(desk, sent, user, None) if sent else await desk.outbox.newest_of_user(user.sub)
    track = Track(user.sub, None, last.place if last else 0, is_lost=sent not in (None, NONE) and last is None)
    return await _open(desk, user, track, begins_at=last.event.id if last else NONE)


async def _open(desk: Desk, user: User, track: Track, begins_at: str | None = None) -> Response:
    await desk.outbox.read_meters(user.sub, datetime.now(UTC) + METERS_ARE_READ_FOR)
    return EventStream(desk.feed, desk.outbox, track, user.expires_at, begins_at)


def _sent(request: Request) -> str | None:
    return request.headers.get("last-event-id") or None


async def _event(desk: Desk, event_id: str | None, user: User, session_id: str | None) -> PlacedEvent | None:
    """The event that the reader has; None where it has none, or one that is not kept.

    Raises ``Problem`` 422 for one that is not of this stream.
    """
    found = await desk.outbox.one(event_id) if event_id else None
    if found and (found.user_id != user.sub or session_id not in (None, found.event.session_id)):
        raise invalid_field("last_event_id", "event_unknown", "Last-Event-ID is not an event of this stream.")
    return found
