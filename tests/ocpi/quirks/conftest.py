"""One database for the quirks: what both kinds do alike is shown elsewhere."""

import shutil
from pathlib import Path

import pytest

from tests.receive.conftest import desk
from tests.workflows.conftest import hasty, stack

__all__ = ["desk", "hasty", "stack"]


@pytest.fixture
def store_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite database."""
    path = tmp_path / "charging.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"
