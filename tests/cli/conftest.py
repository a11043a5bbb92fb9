"""A real embedded stack, one for each file of tests, and the command in this process."""

from collections.abc import AsyncIterator

import pytest

from tests.cli.command import Command
from tests.embedded import Embedded, embedded


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    """``charging up --ports auto --json --speed 600`` on a fresh directory."""
    async with embedded(tmp_path_factory.mktemp("cli") / "data") as stack:
        yield stack


@pytest.fixture
def charging(stack: Embedded) -> Command:
    """The command, on that stack."""
    return Command(stack.data)
