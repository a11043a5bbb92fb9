"""One event to a thousand Server-Sent Events clients: from its commit to each of them, and the memory of the API."""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import cast

from benches.http import Address, request
from benches.programs import web_server
from benches.rows import Budget, Row
from benches.servers import KINDS, Databases, temporal_server
from charging.store.engine import Database
from charging.store.events import add_event
from tests.payments.factory import add_session
from tests.stack import user_token

CLIENTS = 1_000
EVENTS = 20
_USER = "fanout"
_AT_ONCE = 50
_PATIENCE_S = 60


class Listener(asyncio.Protocol):
    """Notes when the event that is awaited comes in."""

    def __init__(self, asking: bytes) -> None:
        self._asking = asking
        self.open = asyncio.get_running_loop().create_future()
        self.heard = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.transport.write(self._asking)

    def data_received(self, data: bytes) -> None:
        """The stream begins, or an event comes."""
        if not self.open.done() and b"200 OK" in data:
            self.open.set_result(None)
        if b"data:" in data and not self.heard.done():
            self.heard.set_result(time.perf_counter())

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits learns it."""
        for waiting in (self.open, self.heard):
            if not waiting.done():
                waiting.set_exception(ConnectionError("the stream ended"))
                waiting.exception()  # nobody need wait for it


async def measure(databases: Databases) -> list[Row]:
    """On both databases, against as many bare sockets that are written to one after the other."""
    return [row for kind in KINDS for row in await _measure_on(kind, databases)]


async def _measure_on(kind: str, databases: Databases) -> list[Row]:
    url = databases.fresh(kind)
    async with AsyncExitStack() as stack:
        temporal = await stack.enter_async_context(temporal_server(databases.directory))
        database = Database(url)
        stack.push_async_callback(database.close)
        session_id = await add_session(database, user_id=_USER)
        environment = {
            "CHARGING_DATABASE_URL": url,
            "CHARGING_MAX_EVENT_STREAMS": str(CLIENTS),
            "TEMPORAL_ADDRESS": temporal.service_client.config.target_host,
        }
        server = web_server("api.app:create_app", log=databases.directory / "fanout.log", environment=environment)
        api, address = await stack.enter_async_context(server)
        before_mb = api.rss_mb
        stream = request("GET", "/v1/events", authorization=f"Bearer {user_token(_USER)}")
        listeners = await _listen(address, stream)
        first, last = [], []
        for _ in range(EVENTS):
            began = await _tell(database, session_id)
            heard = await _heard(listeners)
            first.append((heard[0] - began) * 1000)
            last.append((heard[-1] - began) * 1000)
        after_mb = api.rss_mb
        for listener in listeners:
            listener.transport.close()
    bare = [await _bare() for _ in range(5)]
    notes = {
        "first client, median, ms": round(median(first), 1),
        "last client, p99, ms": round(quantiles(last, n=100, method="inclusive")[-1], 1),
    }
    what = f"an event to {CLIENTS:,} SSE clients, {kind}"
    return [
        Row(f"{what}: the last one", "bare sockets", "ms", last, _as_many(bare, last), Budget("ours", "≤", 500), notes),
        Row(f"{what}: memory of the API", "before", "MB", [after_mb], [before_mb], Budget("ratio", "≤", 2)),
    ]


async def _listen(address: Address, asking: bytes) -> list[Listener]:
    """All clients, each with its stream open."""
    found: list[Listener] = []
    loop = asyncio.get_running_loop()
    while len(found) < CLIENTS:
        some = [await loop.create_connection(lambda: Listener(asking), *address) for _ in range(_AT_ONCE)]
        found += [listener for _, listener in some]
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(*(listener.open for _, listener in some))
    return found


async def _tell(database: Database, session_id: str) -> float:
    """Write an event as the worker does; when it was committed."""
    now = datetime.now(UTC)
    async with database.write() as connection:
        await add_event(connection, session_id, "status", {"status": "active", "detail": "Charging."}, now)
    return time.perf_counter()


async def _heard(listeners: list[Listener]) -> list[float]:
    """When each client had the event, in order."""
    async with asyncio.timeout(_PATIENCE_S):
        heard = sorted(await asyncio.gather(*(listener.heard for listener in listeners)))
    for listener in listeners:
        listener.heard = asyncio.get_running_loop().create_future()
    return heard


async def _bare() -> float:
    """Milliseconds until as many sockets that one process writes to have heard it."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=CLIENTS)
    try:
        listeners = await _listen(server.sockets[0].getsockname()[:2], request("GET", "/"))
        began = time.perf_counter()
        for writer in writers:
            writer.write(b"data: " + b"x" * 200 + b"\n\n")
        heard = await _heard(listeners)
        return (heard[-1] - began) * 1000
    finally:
        for writer in writers:
            writer.close()
        server.close()


def _as_many(few: list[float], values: list[float]) -> list[float]:
    """Rows compare rounds pairwise."""
    return (few * len(values))[: len(values)]
