"""What each CPO is owed of our stable tokens: one row per CPO and token, which remembers what the CPO has.

What is pushed is always the token as it is now, never an older state of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Insert, String, and_, case, delete, insert, literal, null, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.store.engine import Database
from charging.store.tables import UtcDateTime, connections, token_pushes, tokens

_COLUMNS = ("connection_id", "uid", "type", "due_at", "attempts")
_C = token_pushes.c


@dataclass(frozen=True)
class OwedPush:
    """A push that is due. ``body`` is the Token as it is, ``sent`` as the CPO has it (None: it has none)."""

    connection_id: str
    body: dict[str, Any]
    sent: dict[str, Any] | None
    due_at: datetime
    attempts: int


async def owe_to_all(store: AsyncConnection, uid: str, token_type: str, now: datetime) -> None:
    """A token has changed: it is owed to every CPO, those in the middle of their registration included."""
    due = (
        select(connections.c.id, *_constants(uid, token_type, now))
        .where(connections.c.status != "unregistered")
        .order_by(connections.c.id)
    )
    statement = _upsert(store).from_select(_COLUMNS, due)
    await store.execute(
        statement.on_conflict_do_update(
            index_elements=["connection_id", "uid", "type"],
            set_={"due_at": statement.excluded.due_at, "attempts": 0},
        )
    )


def _upsert(store: AsyncConnection) -> Any:
    return (sqlite.insert if store.dialect.name == "sqlite" else postgresql.insert)(token_pushes)


def _constants(uid: str, token_type: str, now: datetime) -> tuple[Any, ...]:
    return literal(uid, String), literal(token_type, String), literal(now, UtcDateTime), literal(0)


def _all(connection_id: str, now: datetime) -> Insert:
    """Invalid ones, too: a CPO that was connected before may have kept a card that was lost meanwhile."""
    of_each = literal(connection_id, String), tokens.c.uid, tokens.c.type, literal(now, UtcDateTime), literal(0)
    stable = select(*of_each).where(tokens.c.user_id.is_not(None))
    return insert(token_pushes).from_select(_COLUMNS, stable)


class TokenPushStore:
    """Rows of ``token_pushes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def offer_to_new_peers(self) -> None:
        """Owe all stable tokens to every CPO that has been connected since the last look."""
        new = select(connections.c.id).where(
            connections.c.status == "active", connections.c.tokens_offered_at.is_(None)
        )
        async with self._database.read() as store:
            ids = (await store.scalars(new)).all()
        for connection_id in ids:
            await self._offer(connection_id, datetime.now(UTC))

    async def _offer(self, connection_id: str, now: datetime) -> None:
        async with self._database.write(many=True) as store:
            taken = await store.execute(
                update(connections)
                .where(connections.c.id == connection_id, connections.c.tokens_offered_at.is_(None))
                .values(tokens_offered_at=now)
            )
            if taken.rowcount == 1:  # else another process was first
                await store.execute(delete(token_pushes).where(_C.connection_id == connection_id))
                await store.execute(_all(connection_id, now))

    async def owing(self, now: datetime) -> Sequence[str]:
        """The active connections that something is due to."""
        query = (
            select(_C.connection_id)
            .distinct()
            .join(connections, connections.c.id == _C.connection_id)
            .where(_C.due_at <= now, connections.c.status == "active")
        )
        async with self._database.read() as store:
            return (await store.scalars(query)).all()

    async def next(self, connection_id: str, now: datetime) -> OwedPush | None:
        """What is due to a connection for longest."""
        query = (
            select(tokens.c.body, _C.sent, _C.due_at, _C.attempts)
            .join(tokens, and_(tokens.c.uid == _C.uid, tokens.c.type == _C.type))
            .where(_C.connection_id == connection_id, _C.due_at <= now)
            .order_by(_C.due_at, _C.uid, _C.type)
            .limit(1)
        )
        async with self._database.read() as store:
            row = (await store.execute(query)).first()
        return None if row is None else OwedPush(connection_id, *row)

    async def sent(self, push: OwedPush) -> None:
        """The CPO has the token; if it has changed meanwhile, the next push stays due."""
        await self._done(push, sent=push.body, attempts=0, problem=None)

    async def refused(self, push: OwedPush, problem: str) -> None:
        """The CPO will not have the token: not tried again until it changes, or the CPO registers anew."""
        await self._done(push, problem=problem)

    async def _done(self, push: OwedPush, **values: Any) -> None:
        due_at = case((_C.due_at == push.due_at, null()), else_=_C.due_at)
        async with self._database.write() as store:
            await store.execute(
                update(token_pushes)
                .where(
                    _C.connection_id == push.connection_id,
                    _C.uid == push.body["uid"],
                    _C.type == push.body["type"],
                )
                .values(**values, due_at=due_at)
            )

    async def postpone(self, connection_id: str, *, now: datetime, until: datetime, problem: str) -> None:
        """The CPO cannot be reached: whatever is due to it waits."""
        async with self._database.write(many=True) as store:
            await store.execute(
                update(token_pushes)
                .where(_C.connection_id == connection_id, _C.due_at <= now)
                .values(due_at=until, attempts=_C.attempts + 1, problem=problem)
            )
