"""Days of waiting, on the time-skipping server."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from charging import names
from tests.programs import program
from tests.stack import Stack, running_stack
from tests.waiting import eventually


@pytest.fixture
async def skipping(store_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Stack, WorkflowEnvironment]]:
    """The engine, all deadlines as in production, on a server whose time can be skipped."""
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter, test_server_existing_path=program("temporal-test-server")
    ) as environment:
        kinds = dict.fromkeys(map(str, names.SearchAttribute), IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
        request = AddSearchAttributesRequest(search_attributes=kinds)
        await environment.client.operator_service.add_search_attributes(request)
        monkeypatch.setenv("TEMPORAL_ADDRESS", environment.client.service_client.config.target_host)
        async with running_stack(environment, store_url) as stack:
            yield stack, environment


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
