"""For how long something has waited is counted from when it was owed, however often it has been tried since."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.store import job_reports, webhooks
from charging.store.engine import Database
from charging.store.events import add_event
from charging.store.gauges import Queue, read_gauges
from charging.store.job_reports import JobReportStore
from charging.store.outbox import Outbox, PlacedEvent
from charging.store.tables import sessions
from charging.store.webhooks import WebhookStore
from tests.payments.factory import add_session

NOW = datetime.now(UTC)
HOURS_AGO = (3, 2, 1)
NEXT = NOW + timedelta(hours=5)


@pytest.fixture
async def webhook_id(database: Database) -> str:
    """Of a user one of whose sessions, of a job, has changed its status at each of ``HOURS_AGO``."""
    session_id = await add_session(database)
    async with database.write() as store:
        await store.execute(update(sessions).where(sessions.c.id == session_id).values(job_id="J1"))
    stored, _ = await _webhooks(database).add("ada", "https://robots.example/hook", [], NOW)
    for hours in HOURS_AGO:
        at = NOW - timedelta(hours=hours)
        async with database.write() as store:
            await add_event(store, session_id, "session.status", {"status": "active"}, at)
        await Outbox(database).number(at, _owe)
    return stored.id


async def _owe(store: AsyncConnection, placed: Sequence[PlacedEvent], now: datetime) -> set[str]:
    await job_reports.owe(store, placed, now)
    return await webhooks.owe(store, placed, now)


def _webhooks(database: Database) -> WebhookStore:
    return WebhookStore(database, SecretStr("a key"))


async def queue(database: Database, name: str) -> Queue:
    return (await read_gauges(database, NOW)).queues[name]


async def test_a_delivery_that_fails_again_and_again_is_as_late_as_its_event(
    database: Database, webhook_id: str
) -> None:
    store = _webhooks(database)
    assert await queue(database, "webhooks") == Queue(3, 3 * 3600)
    due = await store.due(webhook_id, NOW)
    assert due is not None
    await store.attempted(due, NOW, state="waiting", due_at=NEXT, http_status=500, problem="HTTP 500")
    assert await queue(database, "webhooks") == Queue(3, 3 * 3600)
    await store.attempted(due, NOW, state="failed", due_at=None, http_status=500, problem="HTTP 500")
    assert await queue(database, "webhooks") == Queue(2, 2 * 3600, lost=1)


async def test_a_report_that_fails_again_and_again_is_as_late_as_its_event(database: Database, webhook_id: str) -> None:
    store = JobReportStore(database)
    assert await queue(database, "job_reports") == Queue(3, 3 * 3600)
    (report,) = await store.due(NOW, 10)
    await store.postpone(report, NEXT, "HTTP 500")
    assert await queue(database, "job_reports") == Queue(3, 3 * 3600)
    await store.settle(report, problem="HTTP 400")
    assert await queue(database, "job_reports") == Queue(2, 2 * 3600, lost=1)


async def test_where_nothing_waits_nothing_is_late(database: Database) -> None:
    assert set((await read_gauges(database, NOW)).queues.values()) == {Queue(0, 0)}
