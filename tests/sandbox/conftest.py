"""A sandbox of its own for each test: sessions take a second, cars sixty times the power."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sandbox.emsp import Emsp, sandbox


@pytest.fixture
async def emsp(tmp_path: Path) -> AsyncIterator[Emsp]:
    """An eMSP that is registered with a running sandbox."""
    async with sandbox(tmp_path / "cpo") as emsp:
        yield emsp
