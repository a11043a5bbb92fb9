"""What is old is deleted, what somebody still waits for is not, and numbers go on where they were."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.pruner import Pruner
from charging.settings import Settings
from charging.store import job_reports, tables, webhooks
from charging.store.engine import Database
from charging.store.events import add_event
from charging.store.outbox import Outbox, PlacedEvent
from charging.store.retention import BATCH
from charging.store.webhooks import WebhookStore
from tests.payments.factory import add_session

NOW = datetime.now(UTC)
SETTINGS = Settings(keep_events_days=100, keep_deliveries_days=30)


async def happen(database: Database, session_id: str, *days_ago: float) -> None:
    """Events of so many days ago, the oldest first, and what is owed of them since then."""
    for days, group in groupby(days_ago):
        at = NOW - timedelta(days=days)
        async with database.write() as store:
            for _ in group:
                await add_event(store, session_id, "session.status", {"status": "active"}, at)
        while await Outbox(database).number(at, _owe):
            pass


async def _owe(store: AsyncConnection, placed: Sequence[PlacedEvent], now: datetime) -> set[str]:
    await job_reports.owe(store, placed, now)
    await webhooks.owe(store, placed, now)
    return {"numbered"}


async def seqs(database: Database, session_id: str) -> list[int]:
    query = select(tables.events.c.seq).where(tables.events.c.session_id == session_id).order_by(tables.events.c.seq)
    async with database.read() as store:
        return list((await store.scalars(query)).all())


async def deliveries(database: Database) -> list[tuple[str, int]]:
    """State and age in days of each that is there, the oldest first."""
    of = tables.webhook_deliveries.c
    async with database.read() as store:
        rows = await store.execute(select(of.state, of.created_at).order_by(of.created_at))
        return [(row.state, round((NOW - row.created_at) / timedelta(days=1))) for row in rows]


async def finish(database: Database, state: str, **where: Any) -> None:
    of = tables.webhook_deliveries
    async with database.write() as store:
        await store.execute(
            update(of).where(*(of.c[name] == value for name, value in where.items())).values(state=state)
        )


async def test_old_events_go_but_the_last_of_a_session_stays_and_the_next_counts_on(
    database: Database,
) -> None:
    mine, other = await add_session(database), await add_session(database)
    await happen(database, mine, *[150] * (BATCH + 1))
    await happen(database, other, 150, 150)
    await happen(database, mine, 101, 99, 1)
    await Pruner(database, SETTINGS).prune(NOW)
    assert (await seqs(database, mine), await seqs(database, other)) == ([BATCH + 3, BATCH + 4], [2])
    await happen(database, other, 0)
    assert await seqs(database, other) == [2, 3]
    async with database.read() as store:
        assert await store.scalar(select(func.max(tables.events.c.position))) == BATCH + 7


async def test_deliveries_go_sooner_and_what_is_still_owed_keeps_its_event(database: Database) -> None:
    await WebhookStore(database, SecretStr("k")).add("ada", "https://a.example/", [], NOW)
    session_id = await add_session(database)
    await happen(database, session_id, 150, 150, 40, 20)
    first = select(tables.webhook_deliveries.c.id).order_by(tables.webhook_deliveries.c.place).limit(1)
    async with database.read() as store:
        waiting = await store.scalar(first)
    await finish(database, "delivered")
    await finish(database, "waiting", id=waiting)
    await Pruner(database, SETTINGS).prune(NOW)
    assert await deliveries(database) == [("waiting", 150), ("delivered", 20)]
    assert await seqs(database, session_id) == [1, 3, 4]
    await finish(database, "failed", id=waiting)
    await Pruner(database, SETTINGS).prune(NOW)
    assert await deliveries(database) == [("delivered", 20)]
    assert await seqs(database, session_id) == [3, 4]


async def test_what_a_disabled_webhook_never_got_is_owed_to_nobody(database: Database) -> None:
    store = WebhookStore(database, SecretStr("k"))
    webhook, _ = await store.add("ada", "https://a.example/", [], NOW)
    session_id = await add_session(database)
    await happen(database, session_id, 150, 150)
    await store.disable(webhook.id, NOW)
    await Pruner(database, SETTINGS).prune(NOW)
    assert await deliveries(database) == []
    assert await seqs(database, session_id) == [2]


async def test_a_report_that_robot_jobs_has_not_got_stays(database: Database) -> None:
    session_id, reports = await add_session(database), tables.job_reports
    async with database.write() as store:
        await store.execute(update(tables.sessions).values(job_id="J1"))
    await happen(database, session_id, 150, 150, 1)
    async with database.write() as store:
        await store.execute(update(reports).where(reports.c.place == 2).values(state="delivered"))
    await Pruner(database, SETTINGS).prune(NOW)
    assert await seqs(database, session_id) == [1, 3]
