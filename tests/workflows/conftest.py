"""A running engine: as in production, with deadlines of seconds, or with a time that can be skipped."""

from collections.abc import AsyncIterator

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from charging import names
from tests.programs import program
from tests.stack import Stack, running_stack


@pytest.fixture
async def stack(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[Stack]:
    """The engine with deadlines as in production: none of them ends within a test, however slow the machine is."""
    async with running_stack(temporal, store_url) as stack:
        yield stack


@pytest.fixture
async def hasty(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[Stack]:
    """The engine with short deadlines: confirm 3 s, plug-in 5 s, stop confirm 2 s."""
    async with running_stack(temporal, store_url, confirm_s=3, plug_in_s=5, stop_confirm_s=2) as stack:
        yield stack


@pytest.fixture
async def time_skipping(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkflowEnvironment]:
    """A server whose time can be skipped, for one test."""
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter, test_server_existing_path=program("temporal-test-server")
    ) as environment:
        kinds = dict.fromkeys(map(str, names.SearchAttribute), IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
        request = AddSearchAttributesRequest(search_attributes=kinds)
        await environment.client.operator_service.add_search_attributes(request)
        monkeypatch.setenv("TEMPORAL_ADDRESS", environment.client.service_client.config.target_host)
        yield environment


@pytest.fixture
async def skipping(
    store_url: str, time_skipping: WorkflowEnvironment
) -> AsyncIterator[tuple[Stack, WorkflowEnvironment]]:
    """The engine, all deadlines as in production, on a server whose time can be skipped."""
    async with running_stack(time_skipping, store_url) as stack:
        yield stack, time_skipping
