"""Store, disk, clock, identity provider and network that fail us, and floods that they bring."""

import asyncio
import math
import resource
import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import update
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from api.auth import Authenticator
from charging import names
from charging.errors import Problem
from charging.ocpi import wire
from charging.session.model import CpoStatus
from charging.settings import Settings
from charging.store import tables
from charging.store.engine import Database
from tests.api.conftest import new_key, running_api
from tests.peer import Body, ScriptedCpo
from tests.receive.conftest import Desk, at, session_body
from tests.receive.test_commands import ACCEPTED
from tests.receive.test_inbox import delivered, running
from tests.serving import free_port
from tests.stack import Stack, running_stack
from tests.trust.api_process import ApiProcess, api_process
from tests.trust.billing import bill, post, until_receipt
from tests.trust.test_hostile_tokens import Issuer, check, issuer, refused
from tests.waiting import eventually

__all__ = ["issuer"]

PUSHES_AT_MOST = 500
BURST_S = 3


@asynccontextmanager
async def locked(database: Database) -> AsyncIterator[None]:
    """Somebody else writes, and does not end."""
    if database.is_sqlite:
        lock = sqlite3.connect(str(database.engine.url.database), isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        yield
        lock.execute("ROLLBACK")
        lock.close()
        return
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url) as holder:
        await holder.execute("LOCK TABLE sessions, commands, ocpi_sessions IN EXCLUSIVE MODE")
        yield
        await holder.rollback()


@asynccontextmanager
async def emptied(database: Database) -> AsyncIterator[None]:
    """All connections of the pool are taken."""
    async with AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(database.engine.connect())
        yield


@pytest.mark.trust("1.9", "1.65")
async def test_while_the_store_cannot_be_written_nothing_is_acknowledged_and_what_is_sent_again_is_kept(
    desk: Desk,
) -> None:
    spec = await desk.start()
    command = await desk.command(spec, "START_SESSION")
    push = session_body(authorization_reference=spec.authorization_reference, kwh=1)
    without_store = locked if desk.database.is_sqlite else emptied
    async with without_store(desk.database):
        result = desk.call("POST", f"commands/START_SESSION/{command}", ACCEPTED)
        answers = await asyncio.gather(desk.put(push), result)
    for answer in answers:
        assert (answer.status_code, answer.json()["status_code"]) == (503, 3000)
    assert await desk.mail(spec) == []
    assert (await desk.put(push)).json()["status_code"] == 1000
    assert (await desk.call("POST", f"commands/START_SESSION/{command}", ACCEPTED)).json()["status_code"] == 1000
    assert await desk.mail(spec) == ["session", "command_result"]


@pytest.mark.trust("1.65")
async def test_while_the_store_is_locked_a_start_is_503_and_the_robot_may_come_again(
    temporal: WorkflowEnvironment, store_url: str
) -> None:
    key = new_key()
    async with running_api(temporal, store_url) as api:
        async with locked(api.database):
            answer = await api.start(key=key)
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert "Retry-After" in answer.headers
        assert (await api.start(key=key)).status_code == 201


@pytest.mark.trust("1.66")
async def test_a_full_disk_is_not_ready_and_nothing_is_acknowledged_that_is_not_kept(
    temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path: Path
) -> None:
    path, port = tmp_path / "charging.db", free_port()
    shutil.copy(sqlite_template, path)
    url = f"sqlite+aiosqlite:///{path}"
    settings = Settings(database_url=url, public_url=f"http://127.0.0.1:{port}", allow_private_peers=True)
    database = Database(url)
    async with ScriptedCpo() as cpo, api_process(url, port) as api:
        await cpo.befriend(database, settings)
        await database.close()
        limit_files(api, largest_file(tmp_path) + 100_000)
        acknowledged, is_ready = [], True
        for number in range(PUSHES_AT_MOST):
            answer = await cpo.push_session(cpo.session(id=f"S{number}"))
            if answer.status_code == 503:
                assert answer.json()["status_code"] == 3000
                # It may have room again: SQLite has moved its log into the database.
                is_ready = (await api.http.get("/readyz")).json()["store"]
                if not is_ready:
                    break
                continue
            assert answer.json()["status_code"] == 1000
            acknowledged.append(f"S{number}")
        assert not is_ready
        assert (await api.http.get("/readyz")).status_code == 503
        assert (await api.http.get("/healthz")).status_code == 200
        with closing(sqlite3.connect(path)) as store:
            kept = {id for (id,) in store.execute("SELECT json_extract(body, '$.id') FROM ocpi_sessions")}
        assert kept == set(acknowledged)

        limit_files(api, resource.RLIM_INFINITY)
        assert (await cpo.push_session(cpo.session(id="after"))).json()["status_code"] == 1000
        assert (await api.http.get("/readyz")).json()["store"] is True


def largest_file(folder: Path) -> int:
    """Its size in bytes."""
    return max(file.stat().st_size for file in folder.iterdir())


def limit_files(api: ApiProcess, size: int) -> None:
    """No file of the process may grow beyond ``size`` bytes: as on a disk that is full."""
    resource.prlimit(api.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture(scope="module")
async def shared(
    temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    """One engine for the tests that change nothing of it."""
    path = tmp_path_factory.mktemp("shared") / "charging.db"
    shutil.copy(sqlite_template, path)
    async with running_stack(temporal, f"sqlite+aiosqlite:///{path}") as stack:
        yield stack


@pytest.mark.trust("1.67")
@pytest.mark.parametrize("minutes", [5, -5])
async def test_a_clock_that_is_wrong_by_minutes_costs_no_update_and_no_time_is_negative(
    shared: Stack, minutes: int
) -> None:
    def told(seconds: int) -> str:
        return wire.format_datetime(datetime.now(UTC) + timedelta(minutes=minutes, seconds=seconds))

    session_id = await shared.started()
    session = shared.cpo.session(id=uuid.uuid4().hex, start_date_time=told(0), last_updated=told(0))
    await shared.cpo.push_session(session)
    await shared.until(session_id, "active")
    for second in (1, 2, 3):
        await shared.cpo.patch_session(session, {"kwh": second, "last_updated": told(second)})
    seen = await shared.status(session_id)
    assert (seen["energy_kwh"], seen["duration_minutes"]) == (3, max(0, -minutes))
    ended = {**session, "status": "COMPLETED", "kwh": 3, "last_updated": told(4)}
    await shared.cpo.push_session({**ended, "end_date_time": told(-600)})
    assert (await shared.until(session_id, "stopping"))["duration_minutes"] == 0
    await post(shared, bill(shared, ended, total=0.93))
    await shared.until(session_id, "completed", cost=0.93, energy_kwh=3)


@pytest.mark.trust("1.67")
async def test_an_hour_over_the_end_of_summer_time_is_an_hour(shared: Stack) -> None:
    session_id = await shared.started()
    night: Body = {"start_date_time": "2025-10-26T03:30:00+03:00", "end_date_time": "2025-10-26T03:30:00+02:00"}
    ended = shared.cpo.session(id=uuid.uuid4().hex, status="COMPLETED", **night)
    await shared.cpo.push_session(ended)
    assert (await shared.until(session_id, "stopping"))["duration_minutes"] == 60
    await post(shared, bill(shared, ended, total=0))
    await until_receipt(shared, session_id, payment_status="not_required")


@pytest.mark.trust("1.68")
async def test_an_odd_result_is_kept_whole_and_wakes_nobody(desk: Desk) -> None:
    spec = await desk.start()
    command = await desk.command(spec, "START_SESSION")
    for raw, http_status in ((b"{", 400), (b"{}", 200), (b"[]", 200), (b'{"result": 1}', 200)):
        answer = await desk.call("POST", f"commands/START_SESSION/{command}", raw)
        assert (answer.status_code, answer.json()["status_code"]) == (http_status, 2001)
    assert len(await desk.rows(tables.odd_messages)) == 4
    assert await desk.mail(spec) == []
    assert (await desk.call("POST", f"commands/START_SESSION/{command}", ACCEPTED)).json()["status_code"] == 1000
    assert await desk.mail(spec) == ["command_result"]


@pytest.mark.trust("1.68")
async def test_poison_ends_as_a_dead_letter_and_holds_up_nobody(desk: Desk) -> None:
    spec = await desk.start(workflow=True)
    command = await desk.command(spec, "START_SESSION")
    await desk.call("POST", f"commands/START_SESSION/{command}", {"result": "ACCEPTED"})
    poison = update(tables.inbox).values(payload={"result": {"not": "a string"}}, attempts=9)
    async with desk.database.write() as store:
        await store.execute(poison)
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    async with running(desk.inbox()):
        await delivered(desk, spec)
    assert await desk.mail(spec, "dead") == ["command_result"]
    assert [name for name, _ in await desk.signals(spec)] == [names.Signal.SESSION_UPDATED]


@pytest.mark.trust("1.69")
async def test_a_flood_of_changes_becomes_a_few_signals(desk: Desk) -> None:
    spec = await desk.start(workflow=True)
    await desk.put(session_body(authorization_reference=spec.authorization_reference))

    async def change(n: int) -> None:
        await desk.patch("S1", status=("PENDING", "ACTIVE")[n % 2], last_updated=at(n / 60))

    async with running(desk.inbox()):
        pushed, at_most = await burst(change)
        await change(pushed + pushed % 2 + 1)
        await delivered(desk, spec)
    signals = await desk.signals(spec)
    assert len(signals) <= at_most < pushed
    assert signals[-1][1]["meter"]["cpo_status"] == CpoStatus.ACTIVE


async def burst(push: Callable[[int], Awaitable[None]]) -> tuple[int, int]:
    """Push one after the other, for ``BURST_S`` seconds or, on a slow machine, until it was too often.

    How often, and the most signals that this may become: five in each second that the burst touches, the one in which
    it ends included, and five for what comes after it.
    """
    begun, pushed, at_most = asyncio.get_running_loop().time(), 0, 5 * (BURST_S + 2)
    while pushed <= at_most or asyncio.get_running_loop().time() < begun + BURST_S:
        await push(pushed)
        pushed += 1
        at_most = 5 * (max(BURST_S, math.ceil(asyncio.get_running_loop().time() - begun)) + 2)
    return pushed, at_most


@pytest.mark.trust("1.69")
async def test_a_flood_of_pushes_is_a_few_events_of_the_workflow(shared: Stack) -> None:
    session_id, session = await shared.charging(id=uuid.uuid4().hex)
    before = await signal_events(shared, session_id)

    async def change(n: int) -> None:
        changes = {"status": ("PENDING", "ACTIVE")[n % 2], "last_updated": wire.format_datetime(datetime.now(UTC))}
        assert (await shared.cpo.patch_session(session, changes)).is_success

    pushed, at_most = await burst(change)
    assert await signal_events(shared, session_id) - before <= at_most < pushed
    ended = {**session, "status": "COMPLETED", "kwh": 1, "last_updated": wire.format_datetime(datetime.now(UTC))}
    await shared.cpo.push_session(ended)
    await post(shared, bill(shared, ended, total=0.31))
    await shared.until(session_id, "completed")


async def signal_events(stack: Stack, session_id: str) -> int:
    """How many signals the history of the session's workflow holds."""
    history = stack.workflow(session_id).fetch_history_events()
    return sum([event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED async for event in history])


@pytest.mark.trust("1.70")
async def test_keys_that_were_good_last_while_their_issuer_is_away_up_to_a_cap(issuer: Issuer) -> None:
    settings = Settings(jwks_url=issuer.url, jwt_algorithms=["RS256", "ES256"])
    authenticator = Authenticator(settings, key_fresh_s=0.1, key_kept_s=3)
    users = (f"user-{number}" for number in range(1_000_000))  # a token that was verified is remembered

    async def token(kid: str) -> str:
        return f"Bearer {issuer.token(kid, 'RS256', sub=next(users))}"

    async def is_503() -> bool:
        try:
            await check(authenticator, await token("rsa"))
        except Problem as problem:
            return problem.status == 503 and "Retry-After" in problem.headers
        return False

    await check(authenticator, await token("rsa"))
    issuer.is_down = True
    fetched = issuer.fetches

    async def was_asked_again() -> bool:
        await check(authenticator, await token("rsa"))  # good, whatever the answer
        return issuer.fetches > fetched

    await eventually(was_asked_again)
    await refused(authenticator, await token("made-up"))
    await eventually(is_503)
    issuer.is_down = False
    assert (await check(authenticator, await token("rsa"))).sub


@pytest.mark.trust("1.70")
def test_what_ships_keeps_keys_for_an_hour_and_looks_them_up_again_after_five_minutes() -> None:
    ships = signature(Authenticator).parameters
    assert (ships["key_kept_s"].default, ships["key_fresh_s"].default) == (3600, 300)
