"""The API alone: real HTTP, store and Temporal, a CPO's chargers in the store, and no worker (signals are kept)."""

import contextlib
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import func, select, update
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from charging import names
from charging.settings import Settings
from charging.store import tables
from charging.store.engine import Database
from tests.conftest import database_url
from tests.peer import ScriptedCpo
from tests.serving import free_port, serve
from tests.stack import EVSE, Stack, running_stack, user_token


@dataclass
class RunningApi:
    """An API that serves on ``url``. ``http`` is authenticated as the default user."""

    settings: Settings
    database: Database
    temporal: Client
    cpo: ScriptedCpo
    url: str
    http: httpx.AsyncClient

    async def start(self, *, key: str | None = None, sub: str | None = None, **body: Any) -> httpx.Response:
        """POST /v1/sessions/start."""
        headers = {"Idempotency-Key": key} if key else {}
        if sub:
            headers["Authorization"] = f"Bearer {user_token(sub)}"
        order = {"evse_id": EVSE, **body}
        return await self.http.post("/v1/sessions/start", json=order, headers=headers)

    async def started(self, **body: Any) -> str:
        """The id of a fresh session."""
        answer = await self.start(**body)
        assert answer.status_code == 201, answer.text
        session_id: str = answer.json()["session_id"]
        return session_id

    async def status(self, session_id: str, **query: Any) -> dict[str, Any]:
        """GET …/status."""
        answer = await self.http.get(f"/v1/sessions/{session_id}/status", params=query)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def set(self, session_id: str, **columns: Any) -> None:
        """As if the receiver or the workflow had written these columns."""
        values = {**columns, "revision": tables.sessions.c.revision + 1, "updated_at": datetime.now(UTC)}
        async with self.database.write() as store:
            await store.execute(update(tables.sessions).where(tables.sessions.c.id == session_id).values(values))

    async def count(self, table: Any, **equal: Any) -> int:
        """Rows of ``table`` with these values."""
        query = select(func.count()).select_from(table).where(*(table.c[k] == v for k, v in equal.items()))
        async with self.database.read() as store:
            return int(await store.scalar(query) or 0)

    async def signals(self, session_id: str) -> list[str]:
        """The names of the signals that the session's workflow has in its history."""
        handle = self.temporal.get_workflow_handle(names.charging_session_id(session_id))
        return [
            event.workflow_execution_signaled_event_attributes.signal_name
            async for event in handle.fetch_history_events()
            if event.HasField("workflow_execution_signaled_event_attributes")
        ]


@asynccontextmanager
async def running_api(
    temporal: WorkflowEnvironment, store_url: str, cpo: ScriptedCpo | None = None, **settings: Any
) -> AsyncIterator[RunningApi]:
    """Serve the API, with the chargers of ``cpo`` in its store."""
    port = free_port()
    chosen = Settings(
        database_url=store_url, public_url=f"http://127.0.0.1:{port}", allow_private_peers=True, **settings
    )
    async with AsyncExitStack() as stack:
        database = Database(store_url)
        stack.push_async_callback(database.close)
        friend = await stack.enter_async_context(cpo or ScriptedCpo())
        await friend.befriend(database, chosen)
        stack.push_async_callback(_terminate_sessions, database, temporal.client)
        url = await stack.enter_async_context(serve(create_app(chosen), port))
        headers = {"Authorization": f"Bearer {user_token()}"}
        # A kept connection may be closed by the server just when it is used again.
        limits = httpx.Limits(max_keepalive_connections=0)
        client = httpx.AsyncClient(base_url=url, headers=headers, timeout=40, limits=limits)
        http = await stack.enter_async_context(client)
        yield RunningApi(chosen, database, temporal.client, friend, url, http)


async def _terminate_sessions(database: Database, client: Client) -> None:
    """No workflow outlives its test: another test's worker would take it up."""
    async with database.read() as store:
        ids = (await store.scalars(select(tables.sessions.c.id))).all()
    for id in ids:
        with contextlib.suppress(RPCError):  # it never began, or has ended
            await client.get_workflow_handle(names.charging_session_id(id)).terminate("end of test")


@pytest.fixture
async def stack(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[Stack]:
    """The whole engine, worker included."""
    async with running_stack(temporal, store_url) as stack:
        yield stack


@pytest.fixture(scope="session")
async def sqlite_api(
    temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningApi]:
    """One API on SQLite, shared by tests."""
    path = tmp_path_factory.mktemp("shared") / "charging.db"
    shutil.copy(sqlite_template, path)
    async with running_api(temporal, f"sqlite+aiosqlite:///{path}", profile_wait_s=0.3) as api:
        yield api


@pytest.fixture(scope="session")
async def postgres_api(temporal: WorkflowEnvironment, postgres_server: str) -> AsyncIterator[RunningApi]:
    """One API on PostgreSQL, shared by tests."""
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS shared_api WITH (FORCE)")
        admin.execute("CREATE DATABASE shared_api TEMPLATE template_charging")
    async with running_api(temporal, database_url(postgres_server, "shared_api"), profile_wait_s=0.3) as api:
        yield api


@pytest.fixture(params=["sqlite", "postgres"])
def any_api(request: pytest.FixtureRequest) -> RunningApi:
    """The shared API on each database in turn."""
    api: RunningApi = request.getfixturevalue(f"{request.param}_api")
    return api


@pytest.fixture
async def api(any_api: RunningApi) -> AsyncIterator[RunningApi]:
    """A running API without sessions, its chargers free and available, on SQLite and on PostgreSQL."""
    yield any_api
    await _clear(any_api)


@pytest.fixture
async def lite(sqlite_api: RunningApi) -> AsyncIterator[RunningApi]:
    """The same on SQLite only, for what has nothing to do with the store."""
    yield sqlite_api
    await _clear(sqlite_api)


async def _clear(api: RunningApi) -> None:
    await _terminate_sessions(api.database, api.temporal)
    kept = (tables.connections, tables.locations, tables.evses, tables.tariffs)
    async with api.database.write() as store:
        for table in reversed(tables.metadata.sorted_tables):
            if table not in kept:
                await store.execute(table.delete())
        await store.execute(tables.evses.update().values(status="AVAILABLE"))


def new_key() -> str:
    """A fresh Idempotency-Key."""
    return str(uuid.uuid4())
