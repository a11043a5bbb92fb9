"""The life of a session through the running engine: robot, API, workflow, CPO, receipt."""

import pytest

from charging import names
from tests.stack import Stack
from tests.waiting import eventually


async def test_one_session_from_start_to_paid_receipt(stack: Stack) -> None:
    session_id = await stack.started(battery_target_kwh=60)
    await stack.until(session_id, "pending", phase="awaiting_cpo")
    command = stack.cpo.starts[0]
    assert (command["location_id"], command["evse_uid"]) == ("LOC1", "3256")
    await stack.cpo.send_result(command["response_url"], "ACCEPTED")
    await stack.until(session_id, "pending", phase="awaiting_plug", next_action="plug_in")
    session = stack.cpo.session(status="PENDING")
    await stack.cpo.push_session(session)
    await stack.cpo.patch_session(session, {"status": "ACTIVE", "kwh": 1.5})
    charging = await stack.until(session_id, "active", phase="charging")
    assert charging["energy_kwh"] == 1.5
    assert (await stack.stop(session_id))["status"] == "stopping"
    await eventually(lambda: stack.cpo.stops)
    await stack.cpo.send_result(stack.cpo.stops[0]["response_url"], "ACCEPTED")
    ended = {**session, "status": "COMPLETED", "kwh": 2.5}
    await stack.cpo.push_session(ended)
    await stack.until(session_id, "stopping", phase="awaiting_cdr", safe_to_unplug=True, next_action="unplug")
    await stack.cpo.post_cdr(stack.cpo.cdr(ended, total_cost=1.0))
    done = await stack.until(session_id, "completed")
    assert (done["energy_kwh"], done["cost"]) == (2.5, 1.0)
    receipt = (await stack.api.get(f"/v1/sessions/{session_id}/receipt")).json()
    assert (receipt["payment_status"], receipt["cost"], receipt["energy_kwh"]) == ("paid", 1.0, 2.5)
    assert await stack.workflow(session_id).result() == "completed"


async def settled_history(stack: Stack, session_id: str) -> int:
    """The number of history events once the answer to START is in and the workflow rests."""

    async def start_is_answered() -> bool:
        return "start_understood" in await stack.events(session_id)

    await eventually(start_is_answered)
    await stack.workflow(session_id).query(names.Query.STATUS)  # answered after the task that is under way
    return (await stack.workflow(session_id).describe()).history_length


async def test_pushes_that_change_nothing_cost_no_history_event(stack: Stack) -> None:
    session_id, session = await stack.charging()
    before = await settled_history(stack, session_id)
    for tenth in range(1, 31):
        await stack.cpo.patch_session(session, {"kwh": tenth / 10})
    await stack.until(session_id, "active", energy_kwh=3.0)
    assert await settled_history(stack, session_id) == before


@pytest.mark.trust("1.68")
async def test_junk_in_any_signal_is_dropped_and_the_session_goes_on(stack: Stack) -> None:
    session_id, session = await stack.charging()
    handle = stack.workflow(session_id)
    junk = ["text", 7, [1], {"message_id": 5}, {"wish": {"max_charge_rate_kw": "fast"}}, {"meter": 3}]
    harmless = set(names.Signal) - {names.Signal.STOP}
    for signal in sorted(harmless):
        await handle.signal(signal)
        for value in junk:
            await handle.signal(signal, value)
        await handle.signal(signal, args=[{}, 1, 2])
    for value in junk[:4]:
        await handle.signal(names.Signal.STOP, value)
    await stack.cpo.patch_session(session, {"status": "COMPLETED", "kwh": 4})
    await stack.until(session_id, "stopping", phase="awaiting_cdr")


@pytest.mark.parametrize("signal", sorted(names.Signal))
async def test_every_signal_may_come_without_input(stack: Stack, signal: str) -> None:
    session_id, session = await stack.charging()
    await stack.workflow(session_id).signal(signal)
    await stack.cpo.patch_session(session, {"status": "COMPLETED", "kwh": 4})
    await stack.until(session_id, "stopping", phase="awaiting_cdr")
