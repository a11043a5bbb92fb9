"""The API is killed while it takes what a CPO pushes: before it is stored, and when it is stored but not answered."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Table, insert, select
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from charging import names
from charging.settings import Settings
from charging.store import tables
from charging.store.engine import Database
from tests.kill.barriers import Barrier, is_locked
from tests.peer import Body, ScriptedCpo
from tests.serving import free_port
from tests.stack import EVSE
from tests.trust.api_process import ApiProcess, api_process
from tests.waiting import eventually

HOLDING = "tests.trust.holding:create_app"
HEARD = ("poll_at", "meter_received_at")
LED_TO = (
    tables.ocpi_sessions,
    tables.cdrs,
    tables.commands,
    tables.events,
    tables.odd_messages,
    tables.receipts,
    tables.payments,
    tables.meter_points,
)


@dataclass
class Started:
    """A session that a CPO is to tell of, in a store that outlives every API. ``temporal``: nobody works there."""

    folder: Path
    database: Database
    temporal: WorkflowEnvironment
    cpo: ScriptedCpo
    port: int
    session: Body
    session_id: str
    command: str

    def api(self, app: str = "api.app:create_app") -> Any:
        """One that serves; see ``api_process``."""
        return api_process(self.database.url, self.port, app)

    async def rows(self, table: Table) -> list[Any]:
        """Those of a table, all columns, by whatever key it has."""
        async with self.database.read() as store:
            return list((await store.execute(select(table).order_by(*table.primary_key))).all())

    async def signals(self) -> list[str]:
        """What the session's workflow was told."""
        workflow = self.temporal.client.get_workflow_handle(names.charging_session_id(self.session_id))
        return [
            event.workflow_execution_signaled_event_attributes.signal_name
            async for event in workflow.fetch_history_events()
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        ]


@dataclass(frozen=True)
class Push:
    """One kind of push: how it is sent, where it is stored, and the write at which a barrier holds it up."""

    name: str
    send: Callable[[Started], Awaitable[httpx.Response]]
    table: Table
    write: Barrier
    signal: names.Signal

    async def is_stored(self, started: Started) -> bool:
        """Whether the store has it."""
        rows = await started.rows(self.table)
        return any(row.result for row in rows) if self.table is tables.commands else bool(rows)


async def _session(started: Started) -> httpx.Response:
    return await started.cpo.push_session(started.session)


async def _cdr(started: Started) -> httpx.Response:
    return await started.cpo.post_cdr(started.cpo.cdr(started.session, last_updated=started.session["last_updated"]))


async def _result(started: Started) -> httpx.Response:
    url = f"http://127.0.0.1:{started.port}/ocpi/emsp/2.2.1/commands/START_SESSION/{started.command}"
    return await started.cpo.send_result(url, "ACCEPTED")


PUSHES: Sequence[Push] = (
    Push("session", _session, tables.ocpi_sessions, Barrier("INSERT ON ocpi_sessions"), names.Signal.SESSION_UPDATED),
    Push("cdr", _cdr, tables.cdrs, Barrier("INSERT ON cdrs"), names.Signal.CDR_RECEIVED),
    Push("result", _result, tables.commands, Barrier("UPDATE OF result ON commands"), names.Signal.COMMAND_RESULT),
)
# A bill with each change, the others behind `make soak`: each starts three processes.
every_push = pytest.mark.parametrize(
    "push", [pytest.param(push, id=push.name, marks=() if push.name == "cdr" else pytest.mark.soak) for push in PUSHES]
)


@pytest.fixture
async def started(temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Started]:
    """A session that was started, by an API that has ended since."""
    shutil.copy(sqlite_template, tmp_path / "charging.db")
    url, port = f"sqlite+aiosqlite:///{tmp_path / 'charging.db'}", free_port()
    database = Database(url)
    async with ScriptedCpo() as cpo:
        settings = Settings(database_url=url, public_url=f"http://127.0.0.1:{port}", allow_private_peers=True)
        connection = await cpo.befriend(database, settings)
        async with api_process(url, port) as api:
            answer = await api.http.post("/v1/sessions/start", json={"evse_id": EVSE})
        session_id = answer.json()["session_id"]
        started = Started(tmp_path, database, temporal, cpo, port, {}, session_id, uuid.uuid4().hex)
        (own,) = await started.rows(tables.sessions)
        started.session |= cpo.session(kwh=3, authorization_reference=own.authorization_reference)
        sent: Body = {"id": started.command, "session_id": session_id, "connection_id": connection.id}
        sent |= {"command": "START_SESSION", "state": "sending", "created_at": datetime.now(UTC)}
        async with database.write() as store:
            await store.execute(insert(tables.commands).values(sent))
        yield started
        await temporal.client.get_workflow_handle(names.charging_session_id(session_id)).terminate("end of test")
    await database.close()


@asynccontextmanager
async def unanswered(started: Started, push: Push) -> AsyncIterator[None]:
    """``push`` is under way within the block; the API is dead afterwards, and the CPO has heard nothing."""
    sending = asyncio.ensure_future(push.send(started))
    yield
    with pytest.raises(httpx.TransportError):
        await sending


async def kill(api: ApiProcess) -> None:
    """SIGKILL; return when it is gone."""
    api.process.kill()
    await api.ended()


async def told(started: Started, push: Push) -> None:
    """Once the session's workflow has heard of it."""

    async def is_told() -> bool:
        return push.signal in await started.signals()

    await eventually(is_told)


async def everything(started: Started) -> list[Any]:
    """All that a push may lead to, but for when the CPO was heard last; of messages to workflows, that they are."""
    kept: list[Any] = [await started.rows(table) for table in LED_TO]
    sessions = [row._asdict() for row in await started.rows(tables.sessions)]
    told = [{name: value for name, value in row.items() if name not in HEARD} for row in sessions]
    return [*kept, told, [(row.id, row.kind) for row in await started.rows(tables.inbox)]]


@pytest.mark.trust("1.8")
@every_push
async def test_what_a_killed_api_has_stored_and_not_answered_is_sent_again_and_changes_nothing(
    started: Started, push: Push
) -> None:
    async with started.api(HOLDING) as api, unanswered(started, push):
        await eventually(lambda: push.is_stored(started))
        await kill(api)
    async with started.api():
        await told(started, push)  # by itself: it was not lost
        before = await everything(started)
        again = await push.send(started)
        assert (again.is_success, again.json()["status_code"]) == (True, 1000)
        assert await everything(started) == before


@pytest.mark.trust("1.9")
@every_push
async def test_what_a_killed_api_was_just_storing_is_not_there_and_is_kept_when_it_is_sent_again(
    started: Started, push: Push
) -> None:
    push.write.up(started.folder, EVSE, hangs=True)
    async with started.api() as api, unanswered(started, push):
        await eventually(lambda: is_locked(started.folder))
        await kill(api)
    Barrier.down(started.folder, EVSE)
    assert not await push.is_stored(started)
    assert await started.signals() == []
    async with started.api():
        again = await push.send(started)
        assert (again.is_success, again.json()["status_code"]) == (True, 1000)
        assert await push.is_stored(started)
        await told(started, push)
