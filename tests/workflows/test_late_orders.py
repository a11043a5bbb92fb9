"""Orders that cannot be carried out in time: nothing is started behind the robot's back, and no hold is left open."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from charging.sandbox.neighbours.app import create_app
from tests.serving import free_port, serve
from tests.stack import Stack, running_stack
from tests.waiting import eventually

EVPASS_PORT = free_port()
AT_EV_PASS: dict[str, Any] = {
    "payments": "evpass",
    "evpass_url": f"http://127.0.0.1:{EVPASS_PORT}",
    "neighbour_timeout_s": 1,
}
IMPATIENT: dict[str, Any] = {"send_s": 1}

Skipping = tuple[Stack, WorkflowEnvironment]


@pytest.fixture
async def skipping(store_url: str, time_skipping: WorkflowEnvironment) -> AsyncIterator[Skipping]:
    """The engine with production's deadlines, the users' money at EV Pass, and a clock that can be moved on."""
    async with running_stack(time_skipping, store_url, settings=AT_EV_PASS) as stack:
        yield stack, time_skipping


@pytest.fixture
async def impatient(store_url: str, temporal: WorkflowEnvironment) -> AsyncIterator[Stack]:
    """An engine for whose orders it is too late after a second."""
    async with running_stack(temporal, store_url, **IMPATIENT) as stack:
        yield stack


async def assert_failed_in_time(stack: Stack, session_id: str) -> None:
    """The robot is told to go, and the next one may come."""
    reason = (await stack.until(session_id, "failed", next_action="move_on", safe_to_unplug=True))["reason"]
    assert (reason["code"], reason["retryable"], reason["party"]) == ("start_timeout", True, "payments")
    next_order = {"evse_id": "FI-VRT-E12345", "connector_type": "CCS"}
    assert (await stack.api.post("/v1/sessions/start", json=next_order)).status_code == 201


async def held(stack: Stack, evpass: httpx.AsyncClient, session_id: str) -> float:
    """What EV Pass holds for the session."""
    headers = {"X-API-Key": stack.settings.evpass_key.get_secret_value()}
    funds = await evpass.get(f"/v1/wallet/sessions/{session_id}", params={"currency": "EUR"}, headers=headers)
    return float(funds.json()["held"])


async def test_an_order_whose_wallet_comes_back_too_late_fails_and_starts_nothing(skipping: Skipping) -> None:
    stack, clock = skipping
    session_id = await stack.start()
    await clock.sleep(timedelta(seconds=181))
    await assert_failed_in_time(stack, session_id)
    async with serve(create_app(), EVPASS_PORT) as url, httpx.AsyncClient(base_url=url) as evpass:
        await clock.sleep(timedelta(hours=1))
        assert await stack.workflow(session_id).result() == "failed"
        assert await held(stack, evpass, session_id) == 0


@pytest.mark.parametrize("kind", ["error_after", "refused"])
async def test_a_hold_that_gets_no_answer_in_time_is_given_back_when_the_wallet_is_well(
    skipping: Skipping, kind: str
) -> None:
    stack, clock = skipping
    async with serve(create_app(), EVPASS_PORT) as url, httpx.AsyncClient(base_url=url) as evpass:
        mishaps = [
            {"on": "/v1/wallet/holds", "kind": kind, "times": 1_000},
            {"on": "/v1/wallet/releases", "kind": "error_before", "times": 12},
        ]
        await evpass.post("/admin/mishaps", json=mishaps)
        session_id = await stack.start()
        if kind == "error_after":
            await eventually(lambda: held(stack, evpass, session_id))
        await clock.sleep(timedelta(seconds=181))
        assert (await stack.until(session_id, "failed"))["reason"]["code"] == "start_timeout"
        await clock.sleep(timedelta(hours=1))
        assert await stack.workflow(session_id).result() == "failed"
        assert (await held(stack, evpass, session_id), stack.cpo.starts) == (0, [])


async def test_an_order_that_no_worker_takes_up_in_time_starts_nothing(impatient: Stack) -> None:
    stack = impatient
    async with stack.worker_away():
        session_id = await stack.start()
        too_late = datetime.now(UTC) + timedelta(seconds=1)
        await eventually(lambda: datetime.now(UTC) > too_late)
    assert (await stack.until(session_id, "failed"))["reason"]["code"] == "start_timeout"
    assert await stack.workflow(session_id).result() == "failed"
    assert (await stack.held(session_id), stack.cpo.starts) == (0, [])
