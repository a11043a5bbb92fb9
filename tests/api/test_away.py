"""While Temporal or the store is away: nothing is half done, and what was refused may be tried again."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from charging.settings import Settings
from charging.store import tables
from tests.api.conftest import RunningApi, new_key, running_api
from tests.serving import free_port, serve
from tests.stack import EVSE, user_token
from tests.waiting import eventually


@pytest.fixture
async def cut_off(
    temporal: WorkflowEnvironment, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningApi]:
    """An API whose Temporal does not listen."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    async with running_api(temporal, store_url) as api:
        yield api


async def test_the_key_of_a_refused_start_may_be_used_anew(
    temporal: WorkflowEnvironment, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    with monkeypatch.context() as away:
        away.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
        async with running_api(temporal, store_url) as api:
            assert (await api.start(key=key)).status_code == 503
    async with running_api(temporal, store_url) as api:
        assert (await api.start(key=key, battery_target_kwh=60)).status_code == 201


async def test_a_session_that_a_repeat_has_started_is_not_taken_back_by_the_request_that_could_not(
    temporal: WorkflowEnvironment, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by chaos: the repeat was answered 201, then the first request gave the session up, so it was gone."""
    key, released = new_key(), asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    async with AsyncExitStack() as stack:
        silent = await stack.enter_async_context(await asyncio.start_server(hang, "127.0.0.1", 0))
        with monkeypatch.context() as away:
            away.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{silent.sockets[0].getsockname()[1]}")
            cut_off = await stack.enter_async_context(running_api(temporal, store_url))
        well = await stack.enter_async_context(running_api(temporal, store_url))
        first = asyncio.create_task(cut_off.start(key=key))
        await eventually(lambda: cut_off.count(tables.idempotency_keys, key=key))
        repeat = await well.start(key=key)
        released.set()
        assert {repeat.status_code, (await first).status_code} == {201}
        assert (await well.status(repeat.json()["session_id"]))["status"] == "pending"


async def test_an_abandoned_session_is_absent_for_its_own_user(cut_off: RunningApi) -> None:
    await cut_off.start()
    async with cut_off.database.read() as store:
        session_id = (await store.execute(tables.sessions.select())).one().id
    assert (await cut_off.http.get(f"/v1/sessions/{session_id}/status")).status_code == 404


async def test_readiness_says_that_temporal_is_away_and_liveness_does_not_care(cut_off: RunningApi) -> None:
    ready = await cut_off.http.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": "not_ready", "store": True, "temporal": False})
    assert (await cut_off.http.get("/healthz")).status_code == 200
    shown = (await cut_off.http.get("/metrics")).text.splitlines()
    assert {"charging_store_up 1.0", "charging_temporal_up 0.0", "charging_disputes_open 0.0"} <= set(shown)


async def test_a_store_that_hangs_is_away_to_prometheus_before_it_gives_the_scrape_up() -> None:
    released = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as silent:
        url = f"postgresql+psycopg://x@127.0.0.1:{silent.sockets[0].getsockname()[1]}/x"
        async with (
            serve(create_app(Settings(database_url=url))) as base,
            httpx.AsyncClient(base_url=base, timeout=10) as http,  # Prometheus's own
        ):
            await http.get("/healthz")
            shown = (await http.get("/metrics")).text
            released.set()
    assert "charging_store_up 0.0" in shown.splitlines()
    assert "charging_http_requests_total{" in shown
    assert "charging_disputes_open" not in shown


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:////no/such/directory/x.db", "postgresql+psycopg://x@127.0.0.1:1/x"])
async def test_without_a_store_everything_is_503_and_liveness_does_not_care(url: str) -> None:
    headers = {"Authorization": f"Bearer {user_token()}"}
    async with (
        serve(create_app(Settings(database_url=url))) as base,
        httpx.AsyncClient(base_url=base, headers=headers) as http,
    ):
        answers = [
            await http.post("/v1/sessions/start", json={"evse_id": EVSE}, headers={"Idempotency-Key": "k"}),
            await http.get(f"/v1/sessions/{uuid.uuid4()}/status"),
            await http.get("/v1/sessions"),
        ]
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).json()["store"] is False
        assert "charging_store_up 0.0" in (await http.get("/metrics")).text.splitlines()
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert "Retry-After" in answer.headers
