"""A CPO that pushes nothing: its lists alone carry a session from the start to the paid receipt."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from charging.ocpi import wire
from tests.stack import Stack, running_stack
from tests.waiting import eventually


@pytest.fixture
async def stack(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[Stack]:
    """An engine that looks for silent sessions all the time."""
    async with running_stack(temporal, store_url, settings={"sweep_s": 0.2}) as stack:
        yield stack


def ago(minutes: int) -> str:
    return wire.format_datetime(datetime.now(UTC) - timedelta(minutes=minutes))


async def test_a_session_of_a_cpo_without_pushes_runs_to_its_paid_receipt(stack: Stack) -> None:
    cpo, session_id = stack.cpo, await stack.started()
    session = cpo.session(start_date_time=ago(9), last_updated=ago(5), kwh=3)
    cpo.sessions = [session]
    await stack.make_silent(session_id)
    await stack.until(session_id, "active", energy_kwh=3.0)

    await stack.stop(session_id)
    await eventually(lambda: cpo.stops)
    cpo.sessions = [{**session, "status": "COMPLETED", "kwh": 4, "end_date_time": ago(1), "last_updated": ago(1)}]
    await stack.make_silent(session_id)
    await stack.until(session_id, "stopping", phase="awaiting_cdr", energy_kwh=4.0, safe_to_unplug=True)

    cpo.cdrs = [cpo.cdr({**session, "kwh": 4}, total_cost=1.2)]
    await stack.make_silent(session_id)
    await stack.until(session_id, "completed", energy_kwh=4.0)
    assert await stack.workflow(session_id).result() == "completed"
    receipt = (await stack.api.get(f"/v1/sessions/{session_id}/receipt")).json()
    assert (receipt["payment_status"], receipt["cost"]) == ("paid", 1.2)
