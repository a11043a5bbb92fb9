"""Sessions of a CPO that appear when nobody waits for them any more."""

from datetime import timedelta

from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from charging import names
from tests.peer import client_info
from tests.stack import Stack, running_stack
from tests.waiting import eventually


async def test_a_late_session_in_which_a_car_begins_to_charge_is_stopped_again_soon(
    skipping: tuple[Stack, WorkflowEnvironment],
) -> None:
    stack, environment = skipping
    session_id = await stack.started()
    await stack.cpo.send_result(stack.cpo.starts[0]["response_url"], "FAILED")
    assert await stack.workflow(session_id).result() == "failed"
    session = stack.cpo.session(status="PENDING")
    await stack.cpo.push_session(session)
    await eventually(lambda: stack.cpo.stops)
    await environment.sleep(timedelta(hours=3, minutes=10))  # it is stopped hourly by now
    before = len(stack.cpo.stops)
    await stack.cpo.patch_session(session, {"status": "ACTIVE"})
    await eventually(lambda: len(stack.cpo.stops) == before + 1)
    await stack.cpo.push_session({**session, "status": "COMPLETED"})
    await environment.sleep(timedelta(hours=2))
    late = stack.temporal.get_workflow_handle(names.late_session_id(session_id))
    assert (await late.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert len(stack.cpo.stops) == before + 1


async def test_a_late_session_behind_a_hub_is_not_over_because_another_party_has_ended_one_of_the_same_id(
    temporal: WorkflowEnvironment, store_url: str
) -> None:
    async with running_stack(temporal, store_url) as stack:
        hub = stack.cpo
        hub.become_a_hub(client_info("AAA"), client_info("BBB"))
        await hub.befriend(stack.database, stack.settings)
        for info in hub.hubclientinfo:
            await hub.call("PUT", f"hubclientinfo/FI/{info['party_id']}", info)
        session_id = await stack.started(evse_id="FI-BBB-E1")
        await hub.send_result(hub.starts[0]["response_url"], "FAILED")
        assert await stack.workflow(session_id).result() == "failed"
        session = hub.session(country_code="FI", party_id="BBB")
        other = {**session, "party_id": "AAA", "status": "COMPLETED", "authorization_reference": "NOT-OURS"}
        other["cdr_token"] = {**session["cdr_token"], "uid": "NOT-OURS", "contract_id": "NOT-OURS"}
        answer = await hub.push_session(other)
        assert answer.json()["status_code"] == 1000, answer.text
        await hub.push_session(session)
        await eventually(lambda: hub.stops)
