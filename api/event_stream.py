"""Server-Sent Events (WHATWG HTML §9.2): a user's events as they happen, from any event on.

A stream holds no database connection while it waits. One whose reader is slow is cut off; it comes back with
``Last-Event-ID`` and misses nothing.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.problems import problem_response
from charging.errors import Problem
from charging.feed import Feed, Listener, Telling, TooManyStreams, tell
from charging.store.outbox import Outbox, PlacedEvent

HEARTBEAT_S: Final = 15
SLOWEST_S: Final = 10  # that a reader may take for one piece
RETRY_MS: Final = 1000
RESET: Final = b'event: stream.reset\ndata: {"type": "stream.reset"}\n\n'

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Track:
    """Which events: those of one session after a ``seq``, or of all of the user's sessions after a place."""

    user_id: str
    session_id: str | None
    after: int
    is_over: bool = False  # the session has ended: the stream does, too, when it has told what there is
    is_lost: bool = False  # the event that the reader has is not kept any more: it gets all that is

    def mark(self, placed: PlacedEvent) -> int:
        """How far a reader is who has this event."""
        return placed.event.seq if self.session_id else placed.place

    async def next(self, outbox: Outbox, after: int) -> list[PlacedEvent]:
        """A page of stored events."""
        if self.session_id:
            return await outbox.of_session(self.session_id, after)
        return await outbox.of_user(self.user_id, after)


class EventStream(StreamingResponse):
    """The events of ``track``. Ends with the session, at ``expires_at`` (of the token), or when the reader is slow.

    ``begins_at``: the id that a reader has from the start, so that one that is cut off before its first event misses
    none.
    """

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, outbox: Outbox, track: Track, expires_at: float, begins_at: str | None) -> None:
        super().__init__(self._frames(), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._feed = feed
        self._outbox = outbox
        self._track = track
        self._expires_at = expires_at
        self._listener: Listener
        self._begins_at = begins_at
        self._seen = track.after
        self._is_over = track.is_over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. Listens before it reads what is stored, so that nothing falls in between."""
        try:
            async with self._feed.listen(self._track.user_id, self._track.session_id) as self._listener:
                await super().__call__(scope, receive, send)
        except TooManyStreams:
            words = "You have too many event streams open."
            headers = {"Retry-After": str(HEARTBEAT_S)}
            await problem_response(Problem(429, "too_many_streams", words, headers=headers))(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send what there is, but wait for nobody for long."""

        async def patiently(message: Message) -> None:
            async with asyncio.timeout(SLOWEST_S):
                await send(message)

        try:
            await super().stream_response(patiently)
        except TimeoutError:
            log.info("an event stream was cut: its reader is slow")

    async def _frames(self) -> AsyncIterator[bytes]:
        known = f"id: {self._begins_at}\n" if self._begins_at else ""
        yield f"retry: {RETRY_MS}\n{known}\n".encode()
        if self._track.is_lost:
            yield RESET
        async for frame in self._stored():
            yield frame
        while not (self._is_over or self._listener.cut or time.time() > self._expires_at):
            telling = await self._heard()
            if telling is None:
                yield b":\n\n"
            elif self._track.mark(telling.placed) > self._seen:
                yield self._frame(telling)
        if self._is_over:  # what was published together with the end
            async for frame in self._stored():
                yield frame

    async def _stored(self) -> AsyncIterator[bytes]:
        while page := await self._track.next(self._outbox, self._seen):
            for placed in page:
                yield self._frame(tell(placed))

    def _frame(self, telling: Telling) -> bytes:
        event = telling.placed.event
        self._seen = self._track.mark(telling.placed)
        self._is_over = self._is_over or (self._track.session_id is not None and event.ends_session)
        return f"id: {event.id}\nevent: {event.type}\ndata: {telling.text}\n\n".encode()

    async def _heard(self) -> Telling | None:
        """The next event that happens; None: nothing did for a while."""
        try:
            async with asyncio.timeout(min(HEARTBEAT_S, self._expires_at - time.time())):
                return await self._listener.queue.get()
        except TimeoutError:
            return None
