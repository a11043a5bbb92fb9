"""Webhooks of users, and the deliveries that each is owed.

A delivery is written in the transaction that numbers its event, so each event has exactly one per webhook. Of one
session they are made in order: a delivery waits while an earlier one of its session does.
"""

import base64
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.session.events import Event, EventType, public_event
from charging.store.engine import Database
from charging.store.meter_readers import read_meters
from charging.store.outbox import PlacedEvent
from charging.store.secrets import cipher
from charging.store.tables import events, webhook_deliveries, webhooks

MOST_PER_USER: Final = 10
OLD_SECRET_SIGNS_FOR: Final = timedelta(hours=24)
LISTED: Final = 100
_FOR_EVER: Final = datetime(9000, 1, 1, tzinfo=UTC)
_SECRET_BYTES: Final = 32
_w, _d = webhooks.c, webhook_deliveries.c


@dataclass(frozen=True)
class StoredWebhook:
    """Where a user's events go. ``types`` empty: all of them. ``disabled_at``: it answered 410, and gets no more."""

    id: str
    url: str
    types: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None
    old_secret_until: datetime | None


@dataclass(frozen=True)
class Delivery:
    """One event for one webhook. ``state``: waiting, delivered or failed. ``http_status`` is of the last attempt."""

    id: str
    event_id: str
    event_type: str
    session_id: str
    state: str
    attempts: int
    due_at: datetime
    http_status: int | None
    problem: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class DueDelivery:
    """What one attempt needs. ``secrets``: each of them signs."""

    id: str
    webhook_id: str
    attempts: int
    url: str
    secrets: tuple[str, ...]
    event: Event


class TooManyWebhooks(Exception):
    """The user has as many as one may."""


class WebhookStore:
    """Reads and writes webhooks and deliveries. A webhook of another user is absent (None)."""

    def __init__(self, database: Database, secret_keys: SecretStr) -> None:
        self._database = database
        self._cipher = cipher(secret_keys, "charging/webhook-secret")

    async def add(self, user_id: str, url: str, types: Sequence[str], now: datetime) -> tuple[StoredWebhook, str]:
        """A new webhook and its secret, which nobody is shown again. Raises ``TooManyWebhooks``."""
        webhook_id, secret = str(uuid.uuid4()), _new_secret()
        values = {"id": webhook_id, "user_id": user_id, "url": url, "types": list(types), "created_at": now}
        async with self._database.write() as store:
            count = await store.scalar(select(func.count()).select_from(webhooks).where(_w.user_id == user_id))
            if (count or 0) >= MOST_PER_USER:
                raise TooManyWebhooks
            await store.execute(insert(webhooks).values(**values, secret=self._encrypt(secret)))
            if not types or EventType.METER in types:
                await read_meters(store, user_id, _FOR_EVER)
        return StoredWebhook(webhook_id, url, tuple(types), now, None, None), secret

    async def of_user(self, user_id: str) -> list[StoredWebhook]:
        """The user's webhooks, oldest first."""
        query = select(webhooks).where(_w.user_id == user_id).order_by(_w.created_at, _w.id)
        async with self._database.read() as store:
            return [_webhook(row) for row in await store.execute(query)]

    async def get(self, user_id: str, webhook_id: str) -> StoredWebhook | None:
        """One of the user's webhooks."""
        async with self._database.read() as store:
            row = (await store.execute(select(webhooks).where(_of(user_id, webhook_id)))).one_or_none()
        return _webhook(row) if row else None

    async def remove(self, user_id: str, webhook_id: str) -> bool:
        """Forget a webhook and all of its deliveries; False: there is none."""
        async with self._database.write(many=True) as store:
            if (await store.execute(select(_w.id).where(_of(user_id, webhook_id)).with_for_update())).first() is None:
                return False
            await store.execute(delete(webhook_deliveries).where(_d.webhook_id == webhook_id))
            await store.execute(delete(webhooks).where(_w.id == webhook_id))
        return True

    async def rotate(self, user_id: str, webhook_id: str, now: datetime) -> str | None:
        """A new secret; the one before signs, too, for 24 h."""
        secret = _new_secret()
        changed = {"old_secret": _w.secret, "old_secret_until": now + OLD_SECRET_SIGNS_FOR}
        async with self._database.write() as store:
            statement = update(webhooks).where(_of(user_id, webhook_id))
            done = await store.execute(statement.values(secret=self._encrypt(secret), **changed))
        return secret if done.rowcount else None

    async def deliveries(self, webhook_id: str, state: str | None) -> list[Delivery]:
        """The newest deliveries of a webhook."""
        query = _DELIVERY.where(_d.webhook_id == webhook_id).order_by(_d.place.desc()).limit(LISTED)
        async with self._database.read() as store:
            rows = await store.execute(query.where(_d.state == state) if state else query)
            return [_delivery(row) for row in rows]

    async def replay(self, webhook_id: str, delivery_id: str, now: datetime) -> Delivery | None:
        """Have a delivery made again, whatever became of it; with the same event id."""
        its = and_(_d.id == delivery_id, _d.webhook_id == webhook_id)
        again = {"state": "waiting", "attempts": 0, "due_at": now, "updated_at": now}
        async with self._database.write() as store:
            await store.execute(update(webhook_deliveries).where(its).values(again))
            row = (await store.execute(_DELIVERY.where(its))).one_or_none()
        return _delivery(row) if row else None

    async def due(self, webhook_id: str, now: datetime) -> DueDelivery | None:
        """The next delivery to attempt now."""
        query = (
            select(_d.id, _d.attempts, _w.url, _w.secret, _w.old_secret, _w.old_secret_until, *_EVENT)
            .join(webhooks, _w.id == _d.webhook_id)
            .join(events, events.c.id == _d.event_id)
            .where(_heads(webhook_id), _d.due_at <= now, _w.disabled_at.is_(None))
            .order_by(_d.place)
            .limit(1)
        )
        async with self._database.read() as store:
            row = (await store.execute(query)).one_or_none()
        if row is None:
            return None
        old = row.old_secret if row.old_secret_until and row.old_secret_until > now else None
        signing = tuple(self._decrypt(each) for each in (row.secret, old) if each)
        return DueDelivery(row.id, webhook_id, row.attempts, row.url, signing, _event(row))

    async def next_at(self, webhook_id: str) -> datetime | None:
        """When the next attempt of a webhook is due; None: there is nothing to deliver."""
        query = (
            select(func.min(_d.due_at))
            .join(webhooks, _w.id == _d.webhook_id)
            .where(_heads(webhook_id), _w.disabled_at.is_(None))
        )
        async with self._database.read() as store:
            due_at: datetime | None = await store.scalar(query)
        return due_at

    async def attempted(
        self,
        due: DueDelivery,
        now: datetime,
        *,
        state: str,
        due_at: datetime | None,
        http_status: int | None,
        problem: str | None,
    ) -> None:
        """Write how an attempt went. ``due_at`` None: there is no next one."""
        values: dict[str, Any] = {"state": state, "http_status": http_status, "problem": problem, "updated_at": now}
        values["attempts"] = due.attempts + 1
        if due_at is not None:
            values["due_at"] = due_at
        async with self._database.write() as store:
            await store.execute(update(webhook_deliveries).where(_d.id == due.id).values(values))

    async def disable(self, webhook_id: str, now: datetime) -> None:
        """It is gone: it gets nothing any more."""
        async with self._database.write() as store:
            await store.execute(update(webhooks).where(_w.id == webhook_id).values(disabled_at=now))

    async def overdue(self, since: datetime) -> list[str]:
        """The webhooks with a delivery that has been due since then: somebody forgot to wake them."""
        query = (
            select(_d.webhook_id)
            .join(webhooks, _w.id == _d.webhook_id)
            .where(_d.state == "waiting", _d.due_at <= since, _w.disabled_at.is_(None))
            .distinct()
        )
        async with self._database.read() as store:
            return list((await store.scalars(query)).all())

    def _encrypt(self, secret: str) -> str:
        return self._cipher.encrypt(secret.encode()).decode()

    def _decrypt(self, encrypted: str) -> str:
        return self._cipher.decrypt(encrypted.encode()).decode()


async def owe(store: AsyncConnection, placed: Sequence[PlacedEvent], now: datetime) -> set[str]:
    """Write the deliveries of events that were numbered just now, in that transaction; the webhooks that get some."""
    users = {each.user_id for each in placed}
    query = select(_w.id, _w.user_id, _w.types).where(_w.user_id.in_(sorted(users)), _w.disabled_at.is_(None))
    # One that is removed at this moment waits for us, and then takes what it is owed with it.
    rows = (await store.execute(query.with_for_update(read=True, key_share=True))).all()
    owed = [
        _owed(row.id, each, now)
        for each in placed
        for row in rows
        if row.user_id == each.user_id and (not row.types or each.event.type in row.types)
    ]
    if owed:
        await store.execute(insert(webhook_deliveries), owed)
    return {str(row["webhook_id"]) for row in owed}


def _owed(webhook_id: str, placed: PlacedEvent, now: datetime) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "webhook_id": webhook_id,
        "event_id": placed.event.id,
        "session_id": placed.event.session_id,
        "place": placed.place,
        "state": "waiting",
        "attempts": 0,
        "due_at": now,
        "created_at": now,
        "updated_at": now,
    }


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


_EVENT: Final = (
    events.c.id.label("event_id"),
    events.c.session_id,
    events.c.seq,
    events.c.type,
    events.c.at,
    events.c.data,
)
_DELIVERY: Final[Select[Any]] = select(
    *(column for column in webhook_deliveries.columns if column.name not in ("session_id", "event_id")), *_EVENT
).join(events, events.c.id == _d.event_id)


def _heads(webhook_id: str) -> ColumnElement[bool]:
    """Deliveries that wait for no other one."""
    earlier = webhook_deliveries.alias("earlier")
    is_held = exists().where(
        earlier.c.webhook_id == webhook_id,
        earlier.c.session_id == _d.session_id,
        earlier.c.state == "waiting",
        earlier.c.place < _d.place,
    )
    return and_(_d.webhook_id == webhook_id, _d.state == "waiting", ~is_held)


def _of(user_id: str, webhook_id: str) -> ColumnElement[bool]:
    return and_(_w.id == webhook_id, _w.user_id == user_id)


def _event(row: Row[*tuple[Any, ...]]) -> Event:
    return public_event(
        id=row.event_id, session_id=row.session_id, seq=row.seq, kind=row.type, at=row.at, data=row.data
    )


def _webhook(row: Row[*tuple[Any, ...]]) -> StoredWebhook:
    return StoredWebhook(row.id, row.url, tuple(row.types), row.created_at, row.disabled_at, row.old_secret_until)


def _delivery(row: Row[*tuple[Any, ...]]) -> Delivery:
    return Delivery(
        id=row.id,
        event_id=row.event_id,
        event_type=_event(row).type,
        session_id=row.session_id,
        state=row.state,
        attempts=row.attempts,
        due_at=row.due_at,
        http_status=row.http_status,
        problem=row.problem,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
