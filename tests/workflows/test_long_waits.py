"""Days of waiting, on the time-skipping server."""

from datetime import timedelta

from temporalio.testing import WorkflowEnvironment

from tests.stack import Stack
from tests.waiting import eventually


async def test_after_35_days_without_a_cdr_nothing_is_charged_and_the_hold_goes_back(
    skipping: tuple[Stack, WorkflowEnvironment],
) -> None:
    stack, environment = skipping
    session_id, session = await stack.charging()
    await stack.cpo.patch_session(session, {"status": "COMPLETED", "kwh": 8})
    await stack.until(session_id, "stopping", phase="awaiting_cdr")
    await environment.sleep(timedelta(days=34))
    assert (await stack.status(session_id))["status"] == "stopping"
    await environment.sleep(timedelta(days=2))
    failed = await stack.until(session_id, "failed")
    assert failed["reason"]["code"] == "cdr_missing"
    await eventually(lambda: _is_zero(stack, session_id))


async def test_a_start_of_unknown_outcome_is_watched_for_a_day_with_its_claim_and_hold(
    skipping: tuple[Stack, WorkflowEnvironment],
) -> None:
    stack, environment = skipping
    session_id = await stack.started()
    await environment.sleep(timedelta(minutes=4))
    await stack.until(session_id, "failed", safe_to_unplug=False)
    assert await stack.held(session_id) > 0
    busy = await stack.api.post("/v1/sessions/start", json={"evse_id": "FI-VRT-E12345", "connector_type": "CCS"})
    assert (busy.status_code, busy.json()["code"]) == (409, "evse_busy")
    await environment.sleep(timedelta(hours=25))
    await eventually(lambda: _is_zero(stack, session_id))


async def _is_zero(stack: Stack, session_id: str) -> bool:
    return await stack.held(session_id) == 0
