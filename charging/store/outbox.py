"""The ``events`` table as an outbox: rows are written with the fact that they tell of, and numbered afterwards.

A row's ``position`` is its place among all events. One transaction at a time gives positions, to rows that are
committed, so whoever reads upwards from a position misses nothing: a number that the insert itself took could become
visible after a higher one. The order within a session is that of ``seq``.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.session.events import Event, public_event
from charging.store.engine import Database
from charging.store.leases import take_lease
from charging.store.meter_readers import read_meters
from charging.store.quick import QuickRead
from charging.store.tables import events, sessions

NUMBERED_AT_ONCE: Final = 500
PAGE: Final = 200
_LEASE: Final = "outbox"


@dataclass(frozen=True)
class PlacedEvent:
    """An event, whose it is, and its place among all events; 0: not numbered yet."""

    event: Event
    user_id: str
    place: int


# Writes what follows from newly numbered events; answers whom to wake.
Owe = Callable[[AsyncConnection, Sequence[PlacedEvent], datetime], Awaitable[set[str]]]

_COLUMNS: Final = (
    events.c.id,
    events.c.session_id,
    events.c.seq,
    events.c.type,
    events.c.at,
    events.c.data,
    events.c.position,
    sessions.c.user_id,
)
_ALL: Final = select(*_COLUMNS).join(sessions, sessions.c.id == events.c.session_id)
_UNNUMBERED: Final = events.c.position.is_(None)
_AFTER: Final = events.c.position > bindparam("after")
_NUMBER: Final = (
    update(events)
    .where(events.c.session_id == bindparam("of"), events.c.seq == bindparam("at_seq"))
    .values(position=bindparam("place"))
)


class Outbox:
    """Numbers events, and reads them upwards from any place."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting = QuickRead(database, select(events.c.seq).where(_UNNUMBERED).limit(1))
        self._newest = QuickRead(database, select(func.max(events.c.position)))
        self._since = QuickRead(database, _ALL.where(_AFTER).order_by(events.c.position).limit(PAGE))
        of_user = _ALL.where(_AFTER, sessions.c.user_id == bindparam("user_id"))
        self._of_user = QuickRead(database, of_user.order_by(events.c.position).limit(PAGE))
        of_session = _ALL.where(events.c.session_id == bindparam("of"), events.c.seq > bindparam("after"))
        self._of_session = QuickRead(database, of_session.order_by(events.c.seq).limit(PAGE))
        newest_place = (
            select(func.max(events.c.position))
            .join(sessions, sessions.c.id == events.c.session_id)
            .where(sessions.c.user_id == bindparam("of"))
        )
        self._newest_of_user = QuickRead(database, _ALL.where(events.c.position == newest_place.scalar_subquery()))
        self._one = QuickRead(database, _ALL.where(events.c.id == bindparam("id")))

    async def number(self, now: datetime, owe: Owe) -> set[str]:
        """Give the next places to events that have none, and ``owe`` them in the same transaction; what that answers.

        Nothing is done while another process does it.
        """
        if await self._waiting.one() is None:
            return set()
        async with self._database.write() as store:
            # The lease's row is locked until the commit: one process at a time.
            if not await take_lease(store, _LEASE, now=now, until=now):
                return set()
            last = await store.scalar(select(func.max(events.c.position))) or 0
            query = _ALL.where(_UNNUMBERED).order_by(events.c.session_id, events.c.seq).limit(NUMBERED_AT_ONCE)
            rows = (await store.execute(query)).all()
            placed = [_placed(row, place) for place, row in enumerate(rows, last + 1)]
            if not placed:
                return set()
            await store.execute(_NUMBER, [_number(each) for each in placed])
            return await owe(store, placed, now)

    async def newest(self) -> int:
        """The highest place that is given; 0: none is."""
        row = await self._newest.one()
        return (row and row[0]) or 0

    async def newest_of_user(self, user_id: str) -> PlacedEvent | None:
        """The last numbered event of a user's sessions."""
        found = _read(await self._newest_of_user.all(of=user_id))
        return found[0] if found else None

    async def since(self, place: int) -> list[PlacedEvent]:
        """The next events of everybody after ``place``, a page at most."""
        return _read(await self._since.all(after=place))

    async def of_user(self, user_id: str, after: int) -> list[PlacedEvent]:
        """The next numbered events of a user's sessions after a place, a page at most."""
        return _read(await self._of_user.all(user_id=user_id, after=after))

    async def of_session(self, session_id: str, after: int) -> list[PlacedEvent]:
        """The next events of a session after ``seq``, numbered or not, a page at most."""
        return _read(await self._of_session.all(of=session_id, after=after))

    async def one(self, event_id: str) -> PlacedEvent | None:
        """The event with this id."""
        found = _read(await self._one.all(id=event_id))
        return found[0] if found else None

    async def read_meters(self, user_id: str, until: datetime) -> None:
        """Somebody reads this user's events: have meter events written until then."""
        async with self._database.write() as store:
            await read_meters(store, user_id, until)


def _number(placed: PlacedEvent) -> dict[str, Any]:
    return {"of": placed.event.session_id, "at_seq": placed.event.seq, "place": placed.place}


def _read(rows: Sequence[Sequence[Any]]) -> list[PlacedEvent]:
    return [_made(*values) for values in rows]


def _placed(row: Row[*tuple[Any, ...]], place: int) -> PlacedEvent:
    return _made(row.id, row.session_id, row.seq, row.type, row.at, row.data, place, row.user_id)


def _made(
    id: str, session_id: str, seq: int, kind: str, at: datetime, data: dict[str, Any], place: int | None, user: str
) -> PlacedEvent:
    return PlacedEvent(
        public_event(id=id, session_id=session_id, seq=seq, kind=kind, at=at, data=data), user, place or 0
    )
