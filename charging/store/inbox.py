"""The inbox: what a session's workflow has yet to hear. Rows are written with the push that they are about.

Per session one delivery is in flight at a time, of all its rows, the oldest first; who has it holds a lease, so several
API processes can deliver. ``session`` rows carry no meter: the newest is read at delivery, so one waiting row stands
for many pushes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.session.model import Meter
from charging.store.engine import Database
from charging.store.meter_row import METER_COLUMNS, meter_of
from charging.store.tables import inbox, sessions


class Kind(StrEnum):
    """What a row is about."""

    COMMAND_RESULT = "command_result"
    SESSION = "session"
    CDR = "cdr"
    PRICES = "prices"  # the curve of its connector has changed
    PARKED = "parked"  # a second CPO Session for one authorization_reference: stop it


@dataclass(frozen=True)
class Message:
    """One waiting row."""

    id: int
    session_id: str
    kind: Kind
    payload: dict[str, Any]
    attempts: int
    traceparent: str | None


@dataclass(frozen=True)
class Mail:
    """All that waits for one session, oldest first, leased to us; with its newest meter and its connection."""

    session_id: str
    connection_id: str
    meter: Meter
    messages: list[Message]


_NO_TRACES: Final[Mapping[str, str]] = {}
_AT_ONCE: Final = 1000  # a statement has room for so many parameters on both databases
_WAITING = inbox.c.state == "waiting"
_MESSAGE_COLUMNS: Final = ("id", "session_id", "kind", "payload", "attempts", "traceparent")
_MAIL_COLUMNS: tuple[ColumnElement[Any], ...] = (sessions.c.id, sessions.c.connection_id, *METER_COLUMNS)


async def add_message(
    connection: AsyncConnection,
    session_id: str,
    kind: Kind,
    payload: dict[str, Any],
    now: datetime,
    *,
    traceparent: str | None = None,
) -> None:
    """Add one row, to be committed with what it is about. ``traceparent``: of whoever it came with."""
    await connection.execute(
        insert(inbox).values(
            session_id=session_id, kind=kind, payload=payload, received_at=now, due_at=now, traceparent=traceparent
        )
    )


async def add_wakes(
    connection: AsyncConnection,
    session_ids: Collection[str],
    now: datetime,
    kind: Kind = Kind.SESSION,
    *,
    traces: Mapping[str, str] = _NO_TRACES,
) -> None:
    """Have these sessions' workflows hear their meters, or that their prices are others.

    Always a new row: one that waits already may be in flight, with an older meter. ``traces``: a ``traceparent`` of
    each session that has one.
    """
    row = {"kind": kind, "payload": {}, "received_at": now, "due_at": now}
    rows = [row | {"session_id": each, "traceparent": traces.get(each)} for each in sorted(session_ids)]
    if rows:
        await connection.execute(insert(inbox), rows)


class InboxStore:
    """Claims, finishes and postpones rows of the inbox."""

    def __init__(self, database: Database, lease: timedelta = timedelta(seconds=10)) -> None:
        self._database = database
        self._lease = lease

    async def is_waiting(self, now: datetime) -> bool:
        """Whether anything is due that nobody has: a look at an index, where a claim would lock and write."""
        async with self._database.read() as connection:
            row = await connection.execute(
                select(inbox.c.id).where(_WAITING, inbox.c.due_at <= now, _is_free(now)).limit(1)
            )
            return row.first() is not None

    async def claim(self, now: datetime, *, largest: int, without: Collection[str] = ()) -> list[Mail]:
        """Lease what is due, for at most ``largest`` sessions, except those named in ``without``.

        A session is claimed by its oldest waiting row, and with it come all behind: so the order is kept while that
        row is in flight here or elsewhere, or has been postponed.
        """
        oldest = select(func.min(inbox.c.id)).where(_WAITING).group_by(inbox.c.session_id)
        heads = (
            select(inbox.c.session_id)
            .where(
                inbox.c.id.in_(oldest),
                inbox.c.due_at <= now,
                _is_free(now),
                inbox.c.session_id.not_in(sorted(without)),
            )
            .order_by(inbox.c.id)
            .limit(largest)
            .with_for_update(skip_locked=True)
            .cte("heads")  # evaluated once: as a subquery PostgreSQL may look again and find other rows
        )
        lease = (
            update(inbox)
            .where(_WAITING, inbox.c.session_id.in_(select(heads.c.session_id)))
            .values(leased_until=now + self._lease)
            .returning(*(inbox.c[name] for name in _MESSAGE_COLUMNS))
        )
        async with self._database.write(many=True) as connection:
            rows = sorted(await connection.execute(lease), key=lambda row: row.id)
            if not rows:
                return []
            named = sessions.c.id.in_({row.session_id for row in rows})
            # Read after the rows were: a meter is never older than the rows that stand for it.
            own = (await connection.execute(select(*_MAIL_COLUMNS).where(named))).all()
        return [_mail(session, rows) for session in own]

    async def finish(self, delivered: Sequence[int], now: datetime) -> None:
        """These rows have been delivered."""
        for at in range(0, len(delivered), _AT_ONCE):
            await self._set(delivered[at : at + _AT_ONCE], state="delivered", leased_until=None, due_at=now)

    async def postpone(self, waiting: Sequence[int], due_at: datetime, *, error: str | None = None) -> None:
        """Give these rows back; the first is tried again at ``due_at``, the others wait behind it."""
        if not waiting:
            return
        async with self._database.write() as connection:
            for at in range(0, len(waiting), _AT_ONCE):
                of = inbox.c.id.in_(waiting[at : at + _AT_ONCE])
                await connection.execute(update(inbox).where(of).values(leased_until=None))
            values: dict[str, Any] = {"due_at": due_at}
            if error is not None:
                values |= {"error": error, "attempts": inbox.c.attempts + 1}
            await connection.execute(update(inbox).where(inbox.c.id == waiting[0]).values(values))

    async def bury(self, message: Message, error: str) -> None:
        """Nobody will ever take this message: it stays, dead, for people to see."""
        await self._set([message.id], state="dead", leased_until=None, error=error)

    async def forget(self, before: datetime) -> None:
        """Delete rows delivered before ``before``, but the newest: SQLite would give its id to another message, and a
        workflow takes none twice.
        """
        newest = select(func.max(inbox.c.id)).scalar_subquery()
        old = (inbox.c.state == "delivered", inbox.c.due_at < before, inbox.c.id < newest)
        async with self._database.write(many=True) as connection:
            await connection.execute(delete(inbox).where(*old))

    async def _set(self, ids: Sequence[int], **values: Any) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(inbox).where(inbox.c.id.in_(ids)).values(values))


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(inbox.c.leased_until.is_(None), inbox.c.leased_until < now)


def _mail(session: Row[Any], rows: Sequence[Row[Any]]) -> Mail:
    messages = [
        Message(row.id, row.session_id, Kind(row.kind), row.payload, row.attempts, row.traceparent)
        for row in rows
        if row.session_id == session.id
    ]
    return Mail(session.id, session.connection_id, meter_of(session), messages)
