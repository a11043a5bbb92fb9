"""A keep-alive HTTP/1.1 client on a bare socket: it must cost far less than the server that it measures."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

Address = tuple[str, int]

_WARM_UP_S = 0.3


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as data; fails for what is not a success, naming it."""
        if not 200 <= self.status < 300:
            raise RuntimeError(f"HTTP {self.status}: {self.body[:500]!r}")
        return json.loads(self.body)


class Connection(asyncio.Protocol):
    """One connection, one request at a time. Understands answers with a Content-Length only."""

    def __init__(self) -> None:
        self._received = b""
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport

    @classmethod
    async def open(cls, address: Address) -> Self:
        """Connect."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, *address)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Hand over the answer once it is whole."""
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end]
        whole = end + 4 + _content_length(head)
        if len(self._received) < whole or self._waiting is None:
            return
        answer = Answer(int(head[9:12]), self._received[end + 4 : whole])
        self._received = self._received[whole:]
        waiting, self._waiting = self._waiting, None
        if not waiting.done():  # whoever asked has left
            waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits learns it."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("the server closed the connection"))

    async def ask(self, request: bytes) -> Answer:
        """Send ``request`` and wait for its answer."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


def request(method: str, path: str, *, authorization: str = "", body: Any = None, **headers: str) -> bytes:
    """The bytes of a request; ``body`` is sent as JSON, headers with ``_`` for ``-``."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    lines += [f"authorization: {authorization}"] if authorization else []
    lines += ["content-type: application/json", f"content-length: {len(content)}"] if content else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def requests_per_second(address: Address, callers: Sequence[Iterator[bytes]], seconds: float) -> float:
    """How many requests are answered per second, with one connection per caller and one request in flight on each.

    Anything but a success ends the measurement with an error.
    """
    connections = [await Connection.open(address) for _ in callers]
    begin = time.perf_counter() + _WARM_UP_S
    counts = await asyncio.gather(
        *(_keep_asking(c, caller, begin, begin + seconds) for c, caller in zip(connections, callers, strict=True))
    )
    for connection in connections:
        connection.close()
    return sum(counts) / seconds


async def _keep_asking(connection: Connection, requests: Iterator[bytes], begin: float, end: float) -> int:
    count = 0
    for each in requests:
        answer = await connection.ask(each)
        now = time.perf_counter()
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"HTTP {answer.status}: {answer.body[:500]!r}")
        if now >= end:
            break
        count += now >= begin
    return count


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return 0 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])
