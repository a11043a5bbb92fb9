"""An SSE client that knows nothing of the engine: lines in, events out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Received:
    """One event as the wire has it."""

    id: str
    event: str
    data: dict[str, Any]


class Events:
    """What a stream says, one event at a time."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self, within_s: float = 10) -> Received | None:
        """The next event; None: the stream has ended."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(within_s):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif "data" in fields:
                    return Received(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
                else:
                    fields.clear()
        return None

    async def until(self, event: str, within_s: float = 60, **data: Any) -> list[Received]:
        """All events up to the first of this type with these data."""
        seen: list[Received] = []
        while (received := await self.next(within_s)) is not None:
            seen.append(received)
            if received.event == event and data.items() <= received.data["data"].items():
                return seen
        raise AssertionError(f"the stream ended without {event} {data}: {[each.event for each in seen]}")

    async def rest(self, within_s: float = 60) -> list[Received]:
        """All that is left until the stream ends."""
        seen = []
        while (received := await self.next(within_s)) is not None:
            seen.append(received)
        return seen


@asynccontextmanager
async def listen(http: httpx.AsyncClient, path: str, last: str | None = None, **headers: str) -> AsyncIterator[Events]:
    """GET a stream, from an event on."""
    sent = headers | ({"Last-Event-ID": last} if last else {})
    async with http.stream("GET", path, headers=sent) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Events(response)
