"""Locations per second of a paged pull, and the memory that it takes: as much for a thousand pages as for a hundred."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from benches.programs import program
from benches.rows import Budget, Row
from benches.servers import KINDS, Databases, temporal_server
from charging.pulling import Module, Synchronisation
from charging.settings import Settings
from charging.store.engine import Database
from charging.temporal import synchronise
from tests.peer import ScriptedCpo, evse, location

SIZES = (10_000, 100_000)
PAGE = 100


class PagedCpo:
    """Serves ``size`` locations with one EVSE each, made from one text as they are asked for, and nothing else."""

    def __init__(self, size: int) -> None:
        self.url = ""
        self._size = size
        self._template = json.dumps(location(id="@ID@", evses=[evse(uid="@ID@", evse_id="FI*VRT*E@ID@")]))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the other side has had enough."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._page(head.split(b" ", 2)[1].decode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _page(self, path: str) -> bytes:
        size = self._size if "/locations" in path else 0
        offset = int(path.partition("offset=")[2] or 0)
        end = min(offset + PAGE, size)
        objects = ",".join(self._template.replace("@ID@", f"L{number:06}") for number in range(offset, end))
        body = f'{{"data":[{objects}],"status_code":1000,"timestamp":"2026-01-01T00:00:00Z"}}'.encode()
        head = ["HTTP/1.1 200 OK", "content-type: application/json", f"content-length: {len(body)}"]
        head.append(f"x-total-count: {size}")
        if end < size:
            head.append(f'link: <{self.url}/ocpi/2.2.1/locations?offset={end}>; rel="next"')
        return "\r\n".join([*head, "", ""]).encode() + body


@asynccontextmanager
async def paged_cpo(size: int) -> AsyncIterator[PagedCpo]:
    """One on a free port of loopback."""
    cpo = PagedCpo(size)
    server = await asyncio.start_server(cpo.serve, "127.0.0.1", 0)
    cpo.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield cpo
    finally:
        server.close()


async def measure(databases: Databases) -> list[Row]:
    """Both sizes on both databases, each with a worker of its own; the small one is the large one's reference."""
    return [row for kind in KINDS for row in await _measure_on(kind, databases)]


async def _measure_on(kind: str, databases: Databases) -> list[Row]:
    (few, few_mb), (many, many_mb) = [await _pull(kind, size, databases) for size in SIZES]
    against = f"a pull of {SIZES[0]:,}"
    return [
        Row(f"ingest, {SIZES[1]:,} locations, {kind}", against, "/s", [many], [few], Budget("ratio", "≥", 0.5)),
        Row(
            f"ingest, peak memory of the worker, {kind}", against, "MB", [many_mb], [few_mb], Budget("ratio", "≤", 1.25)
        ),
    ]


async def _pull(kind: str, size: int, databases: Databases) -> tuple[float, float]:
    """Locations per second, and the worker's peak memory in MB."""
    url = databases.fresh(kind)
    settings = Settings(database_url=url, allow_private_peers=True)
    async with AsyncExitStack() as stack:
        temporal = await stack.enter_async_context(temporal_server(databases.directory))
        cpo = await stack.enter_async_context(paged_cpo(size))
        database = Database(url)
        stack.push_async_callback(database.close)
        scripted = ScriptedCpo()
        scripted.url = cpo.url
        connection = await scripted.befriend(database, settings)
        environment = {
            "CHARGING_DATABASE_URL": url,
            "CHARGING_ALLOW_PRIVATE_PEERS": "true",
            "TEMPORAL_ADDRESS": temporal.service_client.config.target_host,
        }
        worker = await stack.enter_async_context(
            program("worker.py", log=databases.directory / "ingest.log", environment=environment)
        )
        warm_up = Synchronisation(connection_id=connection.id, modules=[Module.CDRS])
        await (await synchronise(temporal, warm_up, "warm up")).result()
        wish = Synchronisation(connection_id=connection.id, modules=[Module.LOCATIONS], full=True)
        began = time.perf_counter()
        (pull,) = await (await synchronise(temporal, wish, "ingest")).result()
        elapsed = time.perf_counter() - began
        assert (pull.error, pull.counts.created) == (None, size)
        return size / elapsed, worker.peak_mb
