"""Live events in this process: one reader of the store, many listeners, each with a short queue of its own.

A listener that lags is cut off instead of being waited for; it comes back with the id of the last event that it has.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from charging.errors import ChargingError
from charging.store.exact_json import to_json
from charging.store.outbox import Outbox, PlacedEvent

QUEUE: Final = 256


class TooManyStreams(ChargingError):
    """The user listens at as many streams of this process as one may."""


@dataclass(frozen=True)
class Telling:
    """An event with its JSON, which is made once for all that hear it."""

    placed: PlacedEvent
    text: str


@dataclass
class Listener:
    """Who listens: a user, to all sessions or to one. ``cut``: it lagged behind, and hears no more."""

    user_id: str
    session_id: str | None
    queue: asyncio.Queue[Telling] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    cut: bool = False

    def hear(self, telling: Telling) -> None:
        """Queue one event, or be cut."""
        try:
            self.queue.put_nowait(telling)
        except asyncio.QueueFull:
            self.cut = True


class Feed:
    """Hands new events to those who listen. Reads nothing while nobody does. ``most``: streams that a user may have."""

    def __init__(self, outbox: Outbox, most: int) -> None:
        self._outbox = outbox
        self._most = most
        self._listeners: dict[str, list[Listener]] = {}
        self._read_to = 0  # all numbered events up to here have been handed out

    @asynccontextmanager
    async def listen(self, user_id: str, session_id: str | None = None) -> AsyncIterator[Listener]:
        """Hear each event of the user that is numbered from now on.

        Raises ``TooManyStreams``, ``StoreUnavailable``.
        """
        newest = await self._outbox.newest()  # in any case: a store that is away is known before the answer begins
        if not self._listeners:
            self._read_to = newest
        listeners = self._listeners.setdefault(user_id, [])
        if len(listeners) >= self._most:
            raise TooManyStreams(user_id)
        listener = Listener(user_id, session_id)
        listeners.append(listener)
        try:
            yield listener
        finally:
            listeners.remove(listener)
            if not listeners:
                del self._listeners[user_id]

    @property
    def readers(self) -> list[str]:
        """The users who listen."""
        return list(self._listeners)

    async def hand_out(self) -> None:
        """Tell the listeners what is new."""
        while self._listeners and (page := await self._outbox.since(self._read_to)):
            for placed in page:
                self._tell(placed)
            self._read_to = page[-1].place

    def _tell(self, placed: PlacedEvent) -> None:
        listeners = [
            each
            for each in self._listeners.get(placed.user_id, ())
            if each.session_id in (None, placed.event.session_id) and not each.cut
        ]
        if listeners:
            telling = tell(placed)
            for listener in listeners:
                listener.hear(telling)


def tell(placed: PlacedEvent) -> Telling:
    """An event and its JSON."""
    return Telling(placed, to_json(placed.event.document()))
