"""A store that does not answer for a while: decisions go on, and the store catches up."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
from sqlalchemy import text

from charging import names
from tests.stack import Stack
from tests.waiting import eventually


@asynccontextmanager
async def store_away(stack: Stack) -> AsyncIterator[None]:
    """Nobody can write, as while a disk hangs: another connection holds everything."""
    if stack.database.is_sqlite:
        lock = sqlite3.connect(str(stack.database.engine.url.database), isolation_level=None, timeout=0)

        def holds() -> bool:
            try:
                lock.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False  # the engine writes just now, in this very thread: it must not be waited for here
            return True

        await eventually(holds)
        yield
        lock.execute("ROLLBACK")
        lock.close()
        return
    url = stack.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url) as holder:
        await holder.execute("LOCK TABLE sessions, events, commands IN EXCLUSIVE MODE")
        yield
        await holder.rollback()


async def test_a_stop_is_decided_while_the_store_is_away_and_shown_when_it_is_back(stack: Stack) -> None:
    session_id, session = await stack.charging()
    handle = stack.workflow(session_id)

    async def decided() -> bool:
        return bool((await handle.query(names.Query.STATUS))["status"] == "stopping")

    async def catching_up() -> bool:
        history = await handle.fetch_history()
        scheduled = [e.activity_task_scheduled_event_attributes.activity_type.name for e in history.events]
        return "publish" in scheduled

    async with store_away(stack):
        await handle.signal(names.Signal.STOP)
        await eventually(decided)
        assert (await stack.status(session_id))["status"] == "active"
        await eventually(catching_up)
    await stack.until(session_id, "stopping")
    await eventually(lambda: stack.cpo.stops)
    ended = {**session, "status": "COMPLETED", "kwh": 1}
    answered = await asyncio.gather(*(stack.cpo.push_session(ended) for _ in range(2)))
    assert {answer.status_code for answer in answered} == {200}
    await stack.cpo.post_cdr(stack.cpo.cdr(ended))
    await stack.until(session_id, "completed")
    assert "stop_requested" in await stack.events(session_id)


@asynccontextmanager
async def connections_unreadable(stack: Stack) -> AsyncIterator[None]:
    """Nobody can read how a CPO is reached."""
    async with stack.database.write() as store:
        await store.execute(text("ALTER TABLE connections RENAME COLUMN client_token TO hidden"))
    yield
    async with stack.database.write() as store:
        await store.execute(text("ALTER TABLE connections RENAME COLUMN hidden TO client_token"))


async def test_a_start_that_the_store_kept_from_leaving_leaves_when_it_is_back(stack: Stack) -> None:
    """It was taken for one that may have left: hold and EVSE were kept for a day, and nothing was charged."""

    async def is_tried_again() -> bool:
        description = (await stack.workflow(session_id).describe()).raw_description
        is_retried = any(pending.attempt > 1 for pending in description.pending_activities)
        return is_retried or "start_unknown" in await stack.events(session_id)

    async with AsyncExitStack() as away:
        async with stack.worker_away():
            session_id = await stack.start()
            await away.enter_async_context(connections_unreadable(stack))
        await eventually(is_tried_again)
    await eventually(lambda: stack.cpo.starts)
    await stack.until(session_id, "pending", phase="awaiting_cpo")
    assert "start_unknown" not in await stack.events(session_id)
