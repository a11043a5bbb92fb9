"""Processes that end between two steps, and those that come after them."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import Response
from starlette.types import Receive, Scope, Send
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from api.schemas import StartRequest
from api.starting import body_hash, new_session
from charging import names
from charging.ocpi.own_tokens import one_time_token
from charging.session.model import SessionSpec
from charging.settings import Settings
from charging.store import tables
from charging.store.connections import ConnectionStore
from charging.store.engine import Database
from charging.store.evse_index import EvseIndex
from charging.store.starts import StartStore
from charging.temporal import start_charging_session
from charging.webhooks.sender import WebhookSender
from tests.api.conftest import RunningApi, new_key, running_api
from tests.api.sse import Events, listen
from tests.api.test_away import cut_off
from tests.api.test_events import happen
from tests.conftest import SQLITE_PRAGMAS
from tests.peer import Body, ScriptedCpo
from tests.programs import program
from tests.receive.conftest import Desk, at, session_body
from tests.receive.test_sweeper import NOW, sweeping
from tests.serving import free_port
from tests.stack import EVSE, USER, Stack, running_stack
from tests.trust.api_process import ROOT, ApiProcess, api_process
from tests.waiting import eventually
from tests.workflows.test_webhooks import Receiver as WebhookReceiver
from tests.workflows.test_webhooks import added, hurry, receiving
from worker import build_webhook_worker

__all__ = ["cut_off"]


async def stored(database: Database, settings: Settings, key: str) -> SessionSpec:
    """POST start as far as an API comes that is killed once its transaction is committed."""
    order = StartRequest(evse_id=EVSE)
    match = await EvseIndex(database, ConnectionStore(database, settings.secret_keys)).find(EVSE)
    assert match is not None
    now = datetime.now(UTC)
    new = new_session(order, USER, match, settings, now, one_time_token(settings, USER, now))
    await StartStore(database).begin(new, key, body_hash(order))
    return new.spec


@pytest.mark.trust("1.1")
async def test_a_repeat_starts_the_workflow_that_a_killed_api_left_unstarted(lite: RunningApi) -> None:
    key = new_key()
    spec = await stored(lite.database, lite.settings, key)
    for _ in range(2):
        again = await lite.start(key=key)
        assert (again.status_code, again.json()["session_id"]) == (201, spec.session_id)
    workflow = lite.temporal.get_workflow_handle(names.charging_session_id(spec.session_id))
    assert (await workflow.describe()).status == WorkflowExecutionStatus.RUNNING
    assert await lite.count(tables.sessions) == 1


@pytest.mark.trust("1.1")
async def test_a_start_that_never_began_is_abandoned(desk: Desk) -> None:
    spec = await desk.start(created_at=NOW - timedelta(minutes=1), admission="accepted")
    young = await desk.start(created_at=datetime.now(UTC), admission="accepted")
    async with sweeping(desk) as sweeper:
        await sweeper.sweep()
    assert (await desk.row(spec)).admission == "abandoned"
    assert await desk.rows(tables.evse_claims, session_id=spec.session_id) == []
    assert (await desk.row(young)).admission == "accepted"


@pytest.mark.trust("1.2")
async def test_a_repeat_after_the_workflow_was_started_is_the_same_session_and_the_cpo_is_asked_once(
    stack: Stack,
) -> None:
    key = new_key()
    spec = await stored(stack.database, stack.settings, key)
    await start_charging_session(stack.temporal, spec)  # and here the API was killed
    await eventually(lambda: stack.cpo.starts)
    order, headers = {"evse_id": EVSE}, {"Idempotency-Key": key}
    for _ in range(2):
        again = await stack.api.post("/v1/sessions/start", json=order, headers=headers)
        assert (again.status_code, again.json()["session_id"]) == (201, spec.session_id)
    await stack.cpo.push_session(stack.cpo.session())
    await stack.until(spec.session_id, "active")
    assert len(stack.cpo.starts) == 1


@pytest.mark.trust("1.8")
async def test_a_push_that_comes_twice_changes_nothing(desk: Desk) -> None:
    spec = await desk.start()
    body = session_body(authorization_reference=spec.authorization_reference, kwh=3, last_updated=at(20))
    await desk.put(body)
    before = await desk.row(spec)
    assert (await desk.put(body)).status_code == 200
    after = await desk.row(spec)
    assert (after.revision, after.meter_seq) == (before.revision, before.meter_seq)
    assert await desk.mail(spec) == ["session"]


class Held(Response):
    """An answer that does not leave before it is released."""

    def __init__(self, release: asyncio.Event) -> None:
        super().__init__(status_code=204)
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._release.wait()
        await super().__call__(scope, receive, send)


@pytest.mark.trust("1.11")
async def test_a_webhook_whose_sender_ends_in_the_middle_is_sent_again_under_its_id(stack: Stack) -> None:
    session_id, _ = await stack.charging()
    async with receiving() as receiver:
        webhook_id = await added(stack, receiver, "session.note")
        release = asyncio.Event()
        receiver.answers = [Held(release)]
        await happen(stack.database, session_id)
        await eventually(lambda: receiver.requests)
        await stack.webhook_worker.shutdown()
        release.set()
        async with new_sender(stack):
            await hurry(stack, webhook_id)
            await eventually(lambda: len(receiver.requests) > 1)
        assert_same_twice(receiver)


@pytest.mark.trust("1.11")
async def test_a_webhook_whose_sender_is_killed_in_the_middle_is_sent_again_under_its_id(
    temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path: Path
) -> None:
    path = tmp_path / "charging.db"
    shutil.copy(sqlite_template, path)
    async with running_stack(temporal, f"sqlite+aiosqlite:///{path}") as stack, receiving() as receiver:
        session_id, _ = await stack.charging()
        await stack.webhook_worker.shutdown()
        async with worker_process(stack) as process:
            await added(stack, receiver, "session.note")
            release = asyncio.Event()
            receiver.answers = [Held(release)]
            await happen(stack.database, session_id)
            await eventually(lambda: receiver.requests)
            process.kill()
            await process.wait()
        release.set()
        async with new_sender(stack):
            await eventually(lambda: receiver.events)
        assert_same_twice(receiver)


@asynccontextmanager
async def worker_process(stack: Stack) -> AsyncIterator[asyncio.subprocess.Process]:
    """The worker as the container runs it, beside the one of ``stack``; killed in the end if it still runs."""
    environment = {
        **os.environ,
        "CHARGING_DATABASE_URL": stack.settings.database_url,
        "CHARGING_PUBLIC_URL": stack.settings.public_url,
        "CHARGING_ALLOW_PRIVATE_PEERS": "true",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "worker.py"), cwd=ROOT, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def new_sender(stack: Stack) -> AsyncIterator[None]:
    """Another one delivers to webhooks within the block."""
    sender = WebhookSender(allow_private=True)
    async with build_webhook_worker(stack.temporal, stack.database, sender, stack.settings):
        yield
    await sender.aclose()


def assert_same_twice(receiver: WebhookReceiver) -> None:
    """What came first has come again, under the same id."""
    (first, told), (second, told_again) = receiver.requests[:2]
    assert (first, told["webhook-id"]) == (second, told_again["webhook-id"])


@pytest.mark.trust("1.12")
async def test_a_rolling_restart_ends_streams_that_go_on_elsewhere_and_answers_whatever_it_has_accepted(
    temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path: Path
) -> None:
    path, ports = tmp_path / "charging.db", (free_port(), free_port())
    key, order = new_key(), {"evse_id": "FI-VRT-E12346"}
    shutil.copy(sqlite_template, path)
    url = f"sqlite+aiosqlite:///{path}"
    database = Database(url)
    async with (
        ScriptedCpo() as cpo,
        api_process(url, ports[0]) as old,
        api_process(url, ports[1]) as new,
    ):
        await cpo.befriend(database, Settings(database_url=url, public_url=old.url, allow_private_peers=True))
        session_id = (await old.http.post("/v1/sessions/start", json={"evse_id": EVSE})).json()["session_id"]
        stream = f"/v1/sessions/{session_id}/events"
        async with listen(old.http, stream) as events:
            await happen(database, session_id)
            first = await events.next()
            assert first is not None
            status = (await old.http.get(f"/v1/sessions/{session_id}/status")).json()
            waiting = {"wait": 2, "after": status["revision"]}
            polls = [
                asyncio.create_task(old.http.get(f"/v1/sessions/{session_id}/status", params=waiting)) for _ in range(8)
            ]
            seen: list[int] = []
            asked = asyncio.create_task(ask_until_gone(old, session_id, seen))
            await eventually(lambda: len(seen) > len(polls))  # those that wait were sent before
            async with half_sent(old, "/v1/sessions/start", key, order) as rest_of_start:
                old.process.send_signal(signal.SIGTERM)
                await asked
                assert await rest_of_start() == 201
            await until_ended(events)
        assert {answer.status_code for answer in await asyncio.gather(*polls)} == {200}
        assert set(seen) == {200}
        await old.ended()
        listed = [each["session_id"] for each in (await new.http.get("/v1/sessions")).json()["sessions"]]
        again = await new.http.post("/v1/sessions/start", json=order, headers={"Idempotency-Key": key})
        assert listed == [again.json()["session_id"], session_id]
        for _ in range(2):
            await happen(database, session_id)
        async with listen(new.http, stream, first.id) as events:
            rest = [await events.next() for _ in range(2)]
        assert [each.data["seq"] for each in rest if each] == [first.data["seq"] + 1, first.data["seq"] + 2]
    await database.close()


async def ask_until_gone(api: ApiProcess, session_id: str, seen: list[int]) -> None:
    """``seen`` gets every HTTP status until no connection is taken any more."""
    with suppress(httpx.TransportError):
        while True:
            seen.append((await api.http.get(f"/v1/sessions/{session_id}/status")).status_code)


@asynccontextmanager
async def half_sent(api: ApiProcess, path: str, key: str, order: Body) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """A POST for whose body the API waits: it has said so (100, RFC 9110 §10.1.1). Yields what sends it: the status."""
    body, credentials = json.dumps(order).encode(), api.http.headers["Authorization"]
    reader, writer = await asyncio.open_connection("127.0.0.1", api.http.base_url.port)
    head = [f"POST {path} HTTP/1.1", "Host: api", f"Authorization: {credentials}", f"Idempotency-Key: {key}"]
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-continue"]
    writer.write("\r\n".join([*head, "", ""]).encode())
    assert (await reader.readuntil(b"\r\n\r\n")).split()[1] == b"100"

    async def rest() -> int:
        writer.write(body)
        return int((await reader.readline()).split()[1])

    yield rest
    writer.close()


async def until_ended(events: Events) -> None:
    """The stream ends, or breaks: either has a client come back with what it has seen last."""
    with suppress(httpx.TransportError):
        while await events.next() is not None:
            pass


@asynccontextmanager
async def temporal_server(data: Path, port: int) -> AsyncIterator[None]:
    """A Temporal server of this test's own, on its file; killed in the end."""
    attributes = [word for name in names.SearchAttribute for word in ("--search-attribute", f"{name}=Keyword")]
    process = await asyncio.create_subprocess_exec(
        *(program("temporal"), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)),
        *("--db-filename", str(data), "--log-level", "never", *attributes, *SQLITE_PRAGMAS),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@pytest.mark.trust("1.7")
async def test_after_a_restart_of_temporal_timers_ring_and_no_session_is_lost(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, data, port = tmp_path / "charging.db", tmp_path / "temporal.db", free_port()
    shutil.copy(sqlite_template, path)
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{port}")
    async with AsyncExitStack() as later:
        async with temporal_server(data, port):
            environment = WorkflowEnvironment.from_client(await connected(port))
            url = f"sqlite+aiosqlite:///{path}"
            stack = await later.enter_async_context(running_stack(environment, url, confirm_s=8))
            session_id, session = await stack.charging(minutes=30)
            silent = await stack.started(evse_id="FI-VRT-E12346", connector_type="Type2")
        assert (await stack.status(silent))["status"] == "pending"  # its deadline is yet to come
        ended = {**session, "status": "COMPLETED", "kwh": 10}
        assert (await stack.cpo.push_session(ended)).json()["status_code"] == 1000
        async with temporal_server(data, port):
            await connected(port)
            await stack.until(session_id, "stopping", phase="awaiting_cdr", within_s=40)
            failed = await stack.until(silent, "failed", within_s=40)
            assert failed["reason"]["code"] == "start_timeout"
            await stack.cpo.post_cdr(stack.cpo.cdr(ended, total_cost=3.1))
            await stack.until(session_id, "completed", within_s=40)
            await later.aclose()


async def connected(port: int) -> Client:
    """A client, once the server answers."""
    clients: list[Client] = []

    async def answers() -> bool:
        try:
            clients.append(await Client.connect(f"127.0.0.1:{port}", data_converter=pydantic_data_converter))
        except RuntimeError:
            return False
        return True

    await eventually(answers, every_s=0.1)
    return clients[0]


@pytest.mark.trust("1.6")
async def test_a_start_while_temporal_is_away_is_503_with_retry_after_and_leaves_nothing_behind(
    cut_off: RunningApi,
) -> None:
    key = new_key()
    answer = await cut_off.start(key=key)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert await cut_off.count(tables.evse_claims) == await cut_off.count(tables.idempotency_keys) == 0
    assert await cut_off.count(tables.sessions, admission="abandoned") == 1
    assert (await cut_off.http.get("/v1/sessions")).json()["sessions"] == []


@pytest.mark.trust("1.6")
async def test_reads_are_served_and_stops_and_profiles_are_503(
    temporal: WorkflowEnvironment, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_api(temporal, store_url) as api:
        session_id = await api.started()
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    async with running_api(temporal, store_url) as api:
        assert (await api.status(session_id))["status"] == "pending"
        fresh = await api.http.get(f"/v1/sessions/{session_id}/status", headers={"Cache-Control": "no-cache"})
        assert fresh.json()["session_id"] == session_id
        stop = await api.http.post("/v1/sessions/stop", json={"session_id": session_id})
        profile = await api.http.post(f"/v1/sessions/{session_id}/charging-profile", json={"max_charge_rate_kw": 7})
        for answer in (stop, profile):
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
            assert "Retry-After" in answer.headers
        assert await api.count(tables.profile_requests) == 0
