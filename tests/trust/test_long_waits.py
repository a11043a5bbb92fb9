"""Days of waiting, on the time-skipping server."""

from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.payments.factory import payment_rows
from tests.stack import Stack
from tests.trust.billing import assert_books_are_right, bill, charged, post, until_receipt
from tests.waiting import eventually


@pytest.mark.trust("1.48")
async def test_without_a_cdr_nothing_is_charged_and_the_hold_goes_back_until_one_comes_after_all(
    skipping: tuple[Stack, WorkflowEnvironment],
) -> None:
    stack, environment = skipping
    session_id, session = await charged(stack)
    await stack.make_silent(session_id)
    await eventually(lambda: stack.cpo.received("cdrs"))  # it is asked for
    await environment.sleep(timedelta(days=34))
    await stack.until(session_id, "stopping", phase="awaiting_cdr")
    await environment.sleep(timedelta(days=2))
    failed = await stack.until(session_id, "failed")
    assert failed["reason"]["code"] == "cdr_missing"
    assert "failed" in await stack.events(session_id)
    assert await stack.workflow(session_id).result() == "failed"
    assert (await stack.held(session_id), await payment_rows(stack.database, session_id)) == (0, [])
    await post(stack, bill(stack, session))
    await until_receipt(stack, session_id, payment_status="paid", cost=3.1)
    await assert_books_are_right(stack)


@pytest.mark.trust("1.16")
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
