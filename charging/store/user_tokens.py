"""Stable tokens of users (OCPI types APP_USER and RFID): made, changed, made invalid; never deleted (§12).

Each change is written together with the pushes that it owes to every CPO, in one transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from charging.errors import NotUnique
from charging.ocpi.own_tokens import APP_USER
from charging.ocpi.wire import fold, format_datetime
from charging.store.engine import Database
from charging.store.quick import QuickRead
from charging.store.tables import connections, token_pushes, tokens
from charging.store.token_pushes import owe_to_all

# The uid breaks a tie, so that all processes take the same one.
_OF_USER = (
    select(tokens.c.body)
    .where(tokens.c.user_id == bindparam("user_id"), tokens.c.type == APP_USER, tokens.c.valid.is_(True))
    .order_by(tokens.c.last_updated.desc(), tokens.c.uid)
    .limit(1)
)


@dataclass(frozen=True)
class UserToken:
    """A stable token. ``body`` is the OCPI Token object."""

    user_id: str
    body: dict[str, Any]


@dataclass(frozen=True)
class PushState:
    """What the CPO called ``connection`` knows of a token. ``is_due``: a push is owed. ``problem`` of the last one."""

    connection: str
    is_sent: bool
    is_due: bool
    problem: str | None


class UserTokenStore:
    """Reads and writes stable tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._of_user = QuickRead(database, _OF_USER)

    async def add(self, user_id: str, body: dict[str, Any]) -> UserToken:
        """Store a new token, and owe it to every CPO. Raises ``NotUnique`` where its uid and type are taken."""
        now = datetime.now(UTC)
        row = {"uid": body["uid"], "type": body["type"], "user_id": user_id, "valid": body["valid"], "body": body}
        try:
            async with self._database.write() as store:
                await store.execute(insert(tokens).values(**row, last_updated=now))
                await owe_to_all(store, body["uid"], body["type"], now)
        except IntegrityError as error:
            raise NotUnique("a token of this uid and type") from error
        return UserToken(user_id, body)

    async def change(self, uid: str, token_type: str, changes: Mapping[str, Any]) -> UserToken | None:
        """Change fields of a token, and owe that to every CPO; None where there is no such stable token.

        A field that becomes None is taken out. What is the same already is no change.
        """
        now = datetime.now(UTC)
        async with self._database.write() as store:
            row = (await store.execute(select(tokens).where(_is(uid, token_type)).with_for_update())).first()
            if row is None:
                return None
            body = {name: value for name, value in {**row.body, **changes}.items() if value is not None}
            if body != row.body:
                body["last_updated"] = format_datetime(now)
                values = {"body": body, "valid": body["valid"], "last_updated": now}
                await store.execute(update(tokens).where(_is(row.uid, token_type)).values(values))
                await owe_to_all(store, row.uid, token_type, now)
        return UserToken(row.user_id, body)

    async def find(self, uid: str, token_type: str) -> UserToken | None:
        """The stable token of this uid, in any case, and type."""
        async with self._database.read() as store:
            row = (await store.execute(select(tokens).where(_is(uid, token_type)))).first()
        return None if row is None else _token(row)

    async def page(self, user_id: str | None, *, offset: int, limit: int) -> tuple[list[UserToken], int]:
        """Stable tokens, of one user or of all, by uid, and how many there are in all."""
        where: list[ColumnElement[bool]] = [tokens.c.user_id.is_not(None)]
        if user_id is not None:
            where.append(tokens.c.user_id == user_id)
        async with self._database.read() as store:
            total = (await store.execute(select(func.count()).select_from(tokens).where(*where))).scalar_one()
            ordered = select(tokens).where(*where).order_by(tokens.c.uid, tokens.c.type).offset(offset).limit(limit)
            return [_token(row) for row in await store.execute(ordered)], total

    async def of_user(self, user_id: str) -> dict[str, Any] | None:
        """The newest valid APP_USER token of a user, or None."""
        row = await self._of_user.one(user_id=user_id)
        return None if row is None else row[0]

    async def pushes(self, uid: str, token_type: str) -> list[PushState]:
        """What each active CPO knows of a token, by the connection's name."""
        query = (
            select(connections.c.name, token_pushes.c.sent, token_pushes.c.due_at, token_pushes.c.problem)
            .join(connections, connections.c.id == token_pushes.c.connection_id)
            .where(token_pushes.c.uid == fold(uid), token_pushes.c.type == token_type, connections.c.status == "active")
            .order_by(connections.c.name)
        )
        async with self._database.read() as store:
            rows = (await store.execute(query)).all()
        return [PushState(row.name, row.sent is not None, row.due_at is not None, row.problem) for row in rows]


def _is(uid: str, token_type: str) -> ColumnElement[bool]:
    """Ours are upper case; one-time tokens are none of these."""
    return (tokens.c.uid == fold(uid)) & (tokens.c.type == token_type) & tokens.c.user_id.is_not(None)


def _token(row: Row[Any]) -> UserToken:
    return UserToken(row.user_id, row.body)
