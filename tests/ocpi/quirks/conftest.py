"""One database for the quirks: what both kinds do alike is shown elsewhere."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.receive.conftest import desk
from tests.stack import Stack, running_stack

__all__ = ["desk"]


@pytest.fixture
def store_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite database."""
    path = tmp_path / "charging.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
async def stack(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[Stack]:
    """The engine with deadlines as in production."""
    async with running_stack(temporal, store_url) as stack:
        yield stack


@pytest.fixture
async def hasty(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[Stack]:
    """The engine with very short deadlines: confirm 2 s, plug-in 2 s."""
    async with running_stack(temporal, store_url, confirm_s=2, plug_in_s=2, stop_confirm_s=2) as stack:
        yield stack
