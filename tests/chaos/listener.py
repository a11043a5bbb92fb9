"""The users' own ears: a webhook receiver that takes down what it is told, in the order in which it comes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any, Final

from tests.chaos.link import HOST, read_request
from tests.chaos.processes import Fleet

TYPES: Final = ("session.status", "receipt.issued")
_DONE: Final = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"


class Listener:
    """``heard``: every event that was delivered, repeats included. ``secrets``: those that sign them."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.secrets: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One delivery."""
        with suppress(OSError, asyncio.IncompleteReadError):
            self.heard.append(json.loads((await read_request(reader)).body, parse_float=Decimal))
            writer.write(_DONE)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(fleet: Fleet, users: Iterable[str]) -> AsyncIterator[Listener]:
    """A listener to the events of all ``users``."""
    listener = Listener()
    async with await asyncio.start_server(listener.serve, HOST, 0) as server:
        url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
        for user in users:
            answer = await fleet.http.post(
                f"{fleet.apis[0]}/v1/webhooks",
                json={"url": url, "types": TYPES},
                headers={"Authorization": f"Bearer {fleet.token(user)}"},
            )
            assert answer.status_code == 201, answer.text
            listener.secrets.add(answer.json()["secret"])
        yield listener
