"""A CPO that costs next to nothing: it says ACCEPTED to every command and tells whoever waits that it came."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from charging.ocpi import wire
from charging.ocpi.models import Credentials, Endpoint
from charging.settings import Settings
from charging.store.connections import ConnectionStore
from charging.store.engine import Database
from charging.store.locations import LocationStore
from charging.store.tariffs import TariffStore
from tests.peer import ENDPOINTS, ROLE, evse, location, tariff

_PER_LOCATION = 100
_PATIENCE_S = 60
# The shortest tick of the limit check is a minute of such a car, so a second of ours.
POWER_FACTOR = 60

Body = dict[str, Any]


class LeanCpo:
    """``arrived(step, about)`` is the body of a command: START_SESSION at an EVSE's uid, else about a Session."""

    def __init__(self) -> None:
        self.url = ""
        self.token = ""  # what it calls us with
        self._arrivals: defaultdict[tuple[str, str], asyncio.Future[Body]] = defaultdict(
            lambda: asyncio.get_running_loop().create_future()
        )

    async def arrived(self, step: str, about: str) -> Body:
        """Wait for a command; each is handed out once."""
        try:
            return await asyncio.wait_for(self._arrivals[step, about], _PATIENCE_S)
        finally:
            del self._arrivals[step, about]

    async def befriend(self, database: Database, settings: Settings, evses: int) -> None:
        """Make it an active connection with so many EVSEs, named ``FI*VRT*E{number}`` with the number as uid."""
        store = ConnectionStore(database, settings.secret_keys)
        versions_url = f"{self.url}/ocpi/versions"
        _, self.token = await store.begin("virta", versions_url, power_factor=POWER_FACTOR)
        endpoints = [
            Endpoint(identifier=module, role=role, url=f"{self.url}/ocpi/2.2.1/{module}") for module, role in ENDPOINTS
        ]
        connection = await store.activate(
            "virta",
            Credentials.model_validate({"token": "of-the-lean-cpo", "url": versions_url, "roles": [ROLE]}),
            version=wire.VERSION,
            endpoints=endpoints,
            server_token=self.token,
        )
        await TariffStore(database).put_tariffs(connection.id, [tariff()])
        await LocationStore(database).put_locations(connection.id, _locations(evses))

    def take(self, method: str, path: str, body: Body) -> Any:
        """The data of the answer to one request."""
        if method == "GET":
            return []
        if "/commands/" in path:
            step = path.rpartition("/")[2]
            self._arrive(step, body["evse_uid"] if step == "START_SESSION" else body["session_id"], body)
        elif "/chargingprofiles/" in path:
            self._arrive("PROFILE", path.partition("?")[0].rpartition("/")[2], body)
        return {"result": "ACCEPTED", "timeout": 30}

    def _arrive(self, step: str, about: str, body: Body) -> None:
        arrival = self._arrivals[step, about]
        if not arrival.done():
            arrival.set_result(body)


@asynccontextmanager
async def lean_cpo() -> AsyncIterator[LeanCpo]:
    """Serve one on a free port of loopback."""
    cpo = LeanCpo()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await _serve_one(cpo, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    cpo.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield cpo
    finally:
        server.close()


async def _serve_one(cpo: LeanCpo, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    method, path, _ = head.split(" ", 2)
    length = next((line[15:] for line in head.lower().split("\r\n") if line.startswith("content-length:")), "0")
    content = await reader.readexactly(int(length))
    data = cpo.take(method, path, json.loads(content) if content else {})
    envelope = {"data": data, "status_code": wire.SUCCESS, "timestamp": wire.format_datetime(datetime.now(UTC))}
    answer = json.dumps(envelope).encode()
    lines = ["HTTP/1.1 200 OK", "content-type: application/json", f"content-length: {len(answer)}", "x-total-count: 0"]
    writer.write("\r\n".join([*lines, "", ""]).encode() + answer)
    await writer.drain()


def _locations(evses: int) -> list[Body]:
    numbers = range(evses)
    return [
        location(id=f"LOC{first}", evses=[_evse(number) for number in numbers[first : first + _PER_LOCATION]])
        for first in numbers[::_PER_LOCATION]
    ]


def _evse(number: int) -> Body:
    return evse(uid=str(number), evse_id=f"FI*VRT*E{number:05}")
