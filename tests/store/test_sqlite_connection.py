"""SQLite in the event loop: what waits for somebody else's lock holds up nobody, and leaves nothing behind."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from charging.store.engine import Database
from charging.store.tables import leases

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


async def write(database: Database, *names: str) -> None:
    async with database.write() as connection:
        for name in names:
            await connection.execute(insert(leases).values(name=name, until=datetime.now(UTC)))


async def count(database: Database) -> int:
    async with database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(leases)) or 0


@pytest.fixture
async def another_process(database: Database, store_url: str) -> AsyncIterator[sqlite3.Connection]:
    """Somebody else who writes to the same file, and does not wait for a lock."""
    assert await count(database) == 0  # the first to open the file changes its journal's mode, which takes a lock, too
    path = store_url.removeprefix("sqlite+aiosqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        yield connection


async def test_others_read_while_a_writer_waits_for_another_process(
    database: Database, another_process: sqlite3.Connection
) -> None:
    another_process.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(write(database, "waits"))
    assert await count(database) == 0
    assert not writing.done()
    another_process.execute("COMMIT")
    await writing
    assert await count(database) == 1


async def test_a_writer_that_is_cancelled_while_it_waits_takes_no_lock_with_it(
    database: Database, another_process: sqlite3.Connection
) -> None:
    another_process.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(write(database, "gone"))
    _, waiting = await asyncio.wait({writing}, timeout=0.2)
    assert waiting
    writing.cancel()
    another_process.execute("COMMIT")
    with pytest.raises(asyncio.CancelledError):
        await writing
    await write(database, "next")
    another_process.execute("BEGIN IMMEDIATE")  # at once: nobody has it
    assert await count(database) == 1


async def test_a_transaction_that_fails_in_its_midst_leaves_nothing(
    database: Database, another_process: sqlite3.Connection
) -> None:
    with pytest.raises(IntegrityError):
        await write(database, "half", "half")
    another_process.execute("BEGIN IMMEDIATE")
    assert await count(database) == 0
