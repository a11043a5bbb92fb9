"""The sandbox's neighbours on real HTTP, and our API beside them for what they send."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from api.app import create_app
from charging.neighbours.purse import payments_port
from charging.payments.port import PaymentsPort
from charging.sandbox.neighbours import app as neighbours
from charging.sandbox.neighbours.settings import NeighbourSettings
from charging.sandbox.persistence import Journal
from charging.settings import Settings
from charging.store.engine import Database
from charging.store.tables import metadata
from tests.conftest import database_url
from tests.serving import free_port, serve

PATIENCE_S = 3.0  # with a neighbour; a mishap hangs for longer


@dataclass
class Town:
    """We and our neighbours. ``neighbours`` and ``ours`` are clients of the two addresses."""

    settings: Settings
    database: Database
    neighbours: httpx.AsyncClient
    ours: httpx.AsyncClient
    app: FastAPI

    @property
    def port(self) -> PaymentsPort:
        """The adapter that the worker uses."""
        return payments_port(self.settings, self.database)

    async def tell(self, path: str, body: Any) -> dict[str, Any]:
        """POST to the neighbours' admin."""
        answer = await self.neighbours.post(f"/admin/{path}", json=body)
        assert answer.is_success, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def mishaps(self, *kinds: str, on: str, method: str = "POST") -> None:
        """Let the next calls go wrong, one after the other."""
        await self.tell("mishaps", [{"on": on, "method": method, "kind": kind} for kind in kinds])

    async def movements(self) -> list[dict[str, Any]]:
        """What Payments has moved, or was asked to."""
        found: list[dict[str, Any]] = (await self.neighbours.get("/admin/payments")).json()["movements"]
        return found


@asynccontextmanager
async def running_town(store_url: str) -> AsyncIterator[Town]:
    """Neighbours, our API, and the store, for many tests: serving costs more than each of them."""
    port = free_port()
    app = neighbours.create_app(NeighbourSettings(engine_url=f"http://127.0.0.1:{port}"))
    async with AsyncExitStack() as stack:
        database = Database(store_url)
        stack.push_async_callback(database.close)
        url = await stack.enter_async_context(serve(app))
        settings = Settings(
            database_url=store_url,
            payments="payments",
            payments_url=url,
            robot_jobs_url=url,
            neighbour_timeout_s=PATIENCE_S,
        )
        ours = await stack.enter_async_context(serve(create_app(settings), port))
        # A kept connection may be closed by the server just when it is used again.
        limits = httpx.Limits(max_keepalive_connections=0)
        to_them = await stack.enter_async_context(httpx.AsyncClient(base_url=url, limits=limits))
        to_us = await stack.enter_async_context(httpx.AsyncClient(base_url=ours, limits=limits))
        yield Town(settings, database, to_them, to_us, app)


@pytest.fixture(scope="session")
async def sqlite_town(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """On SQLite."""
    path = tmp_path_factory.mktemp("town") / "charging.db"
    shutil.copy(sqlite_template, path)
    async with running_town(f"sqlite+aiosqlite:///{path}") as town:
        yield town


@pytest.fixture(scope="session")
async def postgres_town(postgres_server: str) -> AsyncIterator[Town]:
    """On PostgreSQL."""
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS town WITH (FORCE)")
        admin.execute("CREATE DATABASE town TEMPLATE template_charging")
    async with running_town(database_url(postgres_server, "town")) as town:
        yield town


@pytest.fixture(params=["sqlite", "postgres"])
def any_town(request: pytest.FixtureRequest) -> Town:
    """The shared town on each database in turn."""
    town: Town = request.getfixturevalue(f"{request.param}_town")
    return town


@pytest.fixture
async def town(any_town: Town) -> AsyncIterator[Town]:
    """Nothing has happened yet, between us and Payments, whom we have chosen."""
    town = any_town
    neighbours.move_in(town.app, Journal(None))
    chosen = town.settings.model_copy()
    yield town
    for name in type(chosen).model_fields:
        setattr(town.settings, name, getattr(chosen, name))
    for table in reversed(metadata.sorted_tables):
        async with town.database.write() as store:  # each by itself: the town lives on, and one must not wait for two
            await store.execute(table.delete())
