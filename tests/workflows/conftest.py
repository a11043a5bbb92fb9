"""A running engine whose deadlines are seconds, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.stack import Stack, running_stack


@pytest.fixture
async def stack(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[Stack]:
    """The engine with short deadlines: confirm 3 s, plug-in 5 s, stop confirm 2 s."""
    async with running_stack(temporal, store_url, confirm_s=3, plug_in_s=5, stop_confirm_s=2) as stack:
        yield stack
