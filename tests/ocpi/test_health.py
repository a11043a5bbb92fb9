"""A broken CPO is left alone, says so to the admin, and slows no other."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from charging.errors import PeerError, PeerNotReached, PeerOutcomeUnknown, PeerRefused
from charging.ocpi.breaker import FAILURES
from charging.ocpi.client import CpoClient
from charging.ocpi.health import CALLS_AT_ONCE
from charging.ocpi.models import StopSession
from charging.ocpi.transport import retry_after
from charging.ocpi.worker_metrics import WorkerMetrics
from charging.store.connections import Connection
from charging.temporal import measured_runtime
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.ocpi.test_client import start
from tests.peer import ScriptedCpo, answer, html, refuse
from tests.serving import free_port
from tests.waiting import eventually

STOP = StopSession(response_url="https://emsp.example/x", session_id="S1")


@pytest.fixture
def client(emsp: Emsp, friend: Connection) -> CpoClient:
    return emsp.services.peers.of(friend)


async def fail(client: CpoClient, times: int = FAILURES) -> None:
    for _ in range(times):
        with pytest.raises(PeerOutcomeUnknown):
            await client.start_session(start())


async def health(emsp: Emsp) -> dict[str, Any]:
    """What GET /ocpi/connections says of the one connection, as the API finds it."""
    (view,) = (await emsp.admin("GET", "connections")).json()["connections"]
    return next((h for h in view["health"] if h["process"] == "api"), {})


@on_sqlite
async def test_a_worker_shows_its_calls_to_prometheus(emsp: Emsp, client: CpoClient, cpo: ScriptedCpo) -> None:
    address = f"127.0.0.1:{free_port()}"
    runtime = measured_runtime(address)
    emsp.services.peers.health.on_call = WorkerMetrics(runtime.metric_meter).called
    cpo.on("START_SESSION", answer(), html(500))
    await client.start_session(start())
    await fail(client)
    async with httpx.AsyncClient() as http:
        shown = (await http.get(f"http://{address}/metrics")).text
    lines = {re.sub(r",service_name=[^,}]*", "", line) for line in shown.splitlines()}
    of_start = 'charging_cpo_calls_total{connection="virta",operation="START_SESSION",outcome='
    assert {f'{of_start}"answered"}} 1', f'{of_start}"unknown"}} {FAILURES}'} <= lines
    gauges = {"breaker_open": 1, "failures": FAILURES}
    assert {f'charging_cpo_{name}{{connection="virta"}} {value}' for name, value in gauges.items()} <= lines
    assert "charging_cpo_last_ok_seconds{" in shown


@on_sqlite
class TestABrokenCpo:
    async def test_is_left_alone_after_some_failures(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        cpo.on("START_SESSION", html(500))
        await fail(client)
        with pytest.raises(PeerNotReached, match="left alone"):
            await client.start_session(start())
        assert len(cpo.starts) == FAILURES

    async def test_is_told_to_stop_all_the_same_and_its_answer_ends_the_pause(
        self, client: CpoClient, cpo: ScriptedCpo
    ) -> None:
        cpo.on("START_SESSION", *[html(500)] * FAILURES, answer())
        cpo.on("STOP_SESSION", html(502), answer({"result": "ACCEPTED", "timeout": 0}))
        await fail(client)
        with pytest.raises(PeerOutcomeUnknown):
            await client.stop_session(STOP)
        assert (await client.stop_session(STOP)).result == "ACCEPTED"
        assert (await client.start_session(start())).result == "ACCEPTED"

    async def test_that_refuses_is_not_broken(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        cpo.on("START_SESSION", refuse(2003))
        for _ in range(FAILURES + 1):
            with pytest.raises(PeerRefused):
                await client.start_session(start())
        assert len(cpo.starts) == FAILURES + 1

    @pytest.mark.parametrize(
        ("script", "error"),
        [
            (html(503, headers={"Retry-After": "60"}), PeerOutcomeUnknown),
            (html(429, headers={"Retry-After": "60"}), PeerNotReached),
            (html(503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}), PeerOutcomeUnknown),
        ],
    )
    async def test_is_given_the_time_that_it_asks_for(
        self, client: CpoClient, cpo: ScriptedCpo, script: Any, error: type[PeerError]
    ) -> None:
        cpo.on("START_SESSION", script)
        with pytest.raises(error):
            await client.start_session(start())
        with pytest.raises(PeerNotReached, match="left alone"):
            await client.start_session(start())
        assert len(cpo.starts) == 1

    async def test_is_seen_by_the_admin(self, emsp: Emsp, client: CpoClient, cpo: ScriptedCpo) -> None:
        await client.start_session(start())
        await eventually(lambda: is_(emsp, "closed"))
        assert (await health(emsp))["last_ok_at"]
        cpo.on("START_SESSION", html(500))
        await fail(client)
        await eventually(lambda: is_(emsp, "open"))
        seen = await health(emsp)
        assert (seen["failures"], seen["last_error"]) == (FAILURES, "HTTP 500 without an OCPI envelope")
        assert datetime.fromisoformat(seen["retry_at"]) > datetime.now(UTC)

    async def test_that_registers_anew_is_called_again(self, emsp: Emsp, client: CpoClient, cpo: ScriptedCpo) -> None:
        cpo.on("START_SESSION", html(500))
        await fail(client)
        view = (await emsp.register(cpo)).json()
        assert view["locations_synced_at"]


async def is_(emsp: Emsp, state: str) -> bool:
    return (await health(emsp)).get("state") == state


@on_sqlite
async def test_a_cpo_that_hangs_slows_no_other(emsp: Emsp, client: CpoClient, cpo: ScriptedCpo) -> None:
    hangs = asyncio.Event()
    cpo.on("START_SESSION", answer(wait_for=hangs))
    async with ScriptedCpo() as other:
        healthy = emsp.services.peers.of(
            await other.befriend(emsp.services.database, emsp.services.settings, name="other")
        )
        calls = [asyncio.create_task(client.start_session(start())) for _ in range(CALLS_AT_ONCE + 3)]
        await eventually(lambda: len(cpo.starts) == CALLS_AT_ONCE)
        assert (await healthy.start_session(start())).result == "ACCEPTED"
        assert (await client.stop_session(STOP)).result == "ACCEPTED"
        await eventually(lambda: sum(call.done() for call in calls) == 3)
        hangs.set()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(outcome, PeerNotReached) for outcome in outcomes) == 3


@on_sqlite
async def test_a_stumble_in_a_long_list_costs_one_page(client: CpoClient, cpo: ScriptedCpo) -> None:
    cpo.on("cdrs", html(502), answer([{"id": "1"}]))
    assert [cdr["id"] async for cdr in client.cdrs()] == ["1"]
    assert len(cpo.received("cdrs")) == 2


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 30 Mar 2026 12:01:00 GMT", 60),
        ("Mon, 30 Mar 2026 11:59:00 GMT", -60),
        ("9" * 5000, 999999999),
        ("-5", None),
        ("soon", None),
        ("Mon, 30 Mar 2026 12:01:00 +" + "9" * 20, None),
        ("", None),
        (None, None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, datetime(2026, 3, 30, 12, tzinfo=UTC)) == seconds
