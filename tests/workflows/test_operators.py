"""What operators see in Temporal UI and can do there, and what keeps long sessions alive."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from charging import names
from tests.stack import EVSE, Stack, running_stack
from tests.waiting import eventually


async def test_a_live_session_shows_what_it_does_and_why_without_opening_an_event(stack: Stack) -> None:
    session_id, session = await stack.charging(battery_target_kwh=60, job_id="job-7")
    await stack.cpo.patch_session(session, {"kwh": 2, "total_cost": {"excl_vat": 1, "incl_vat": 1.26}})
    description = await stack.workflow(session_id).describe()
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    assert attributes["ChargingStatus"] == "active"
    assert (attributes["EvseId"], attributes["Network"], attributes["JobId"]) == (EVSE, "Virta", "job-7")
    assert "user-1" not in attributes["UserId"]
    summary = await description.static_summary()
    assert summary == f"Charge at {EVSE} (Virta)"
    details = await stack.workflow(session_id).query("__temporal_workflow_metadata")
    assert "**active**" in str(details)
    assert "START_SESSION to Virta" in str(details)


async def test_sessions_are_found_by_their_status(stack: Stack) -> None:
    session_id, _ = await stack.charging()

    async def found() -> bool:
        query = 'ChargingStatus="active" AND Network="Virta" AND ExecutionStatus="Running"'
        return [w.id async for w in stack.temporal.list_workflows(query)] == [names.charging_session_id(session_id)]

    await eventually(found)


async def test_queries_answer_status_plan_and_timeline(stack: Stack) -> None:
    session_id, _ = await stack.charging()
    handle = stack.workflow(session_id)
    assert (await handle.query(names.Query.STATUS))["status"] == "active"
    assert await handle.query(names.Query.PLAN) is None
    assert [entry["type"] for entry in await handle.query(names.Query.TIMELINE)][:2] == ["funds_held", "start_sent"]


async def test_an_operators_cancellation_stops_the_car_and_settles_the_bill(stack: Stack) -> None:
    session_id, session = await stack.charging()
    await stack.workflow(session_id).cancel()
    await eventually(lambda: stack.cpo.stops)
    ended = {**session, "status": "COMPLETED", "kwh": 1}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended))
    await stack.until(session_id, "completed")
    assert await stack.workflow(session_id).result() == "completed"


@pytest.fixture
async def short_history(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[Stack]:
    """An engine whose sessions continue as new after 30 events."""
    async with running_stack(temporal, store_url, history_limit=30) as stack:
        yield stack


async def test_a_session_with_a_long_history_continues_as_new_with_all_it_knows(short_history: Stack) -> None:
    stack = short_history
    session_id, session = await stack.charging(battery_target_kwh=60)
    first = await stack.workflow(session_id).describe()
    await stack.cpo.patch_session(session, {"power_kw": 0, "kwh": 1})
    for _ in range(6):
        await stack.workflow(session_id).signal(names.Signal.COMMAND_RESULT, {"command": "odd", "result": "odd"})

    async def continued() -> bool:
        return (await stack.workflow(session_id).describe()).run_id != first.run_id

    await eventually(continued)
    before = await stack.status(session_id)
    assert before["status"] == "active"
    await stack.stop(session_id)
    await eventually(lambda: stack.cpo.stops)
    assert stack.cpo.stops[0]["session_id"] == session["id"]
    after = await stack.until(session_id, "stopping")
    assert after["revision"] > before["revision"]
    ended = {**session, "status": "COMPLETED", "kwh": 1}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended))
    await stack.until(session_id, "completed")
    assert len(stack.cpo.starts) == 1
