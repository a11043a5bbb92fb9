"""A wire between two parties that fails as wires, gateways and their retries do: a small HTTP/1.1 reverse proxy.

One request per connection, so that each may go wrong by itself. START_SESSION is never repeated by it: TCP does not
do that, and a CPO that got it twice would rightly start twice.
"""

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

HOST: Final = "127.0.0.1"
PATIENCE_S: Final = 60.0
_ONCE_ONLY: Final = b"START_SESSION"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CONNECTION: Final = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
_AUTHORIZATION: Final = re.compile(rb"\r\nauthorization: *token +([^\r]+)", re.IGNORECASE)
_SORRY: Final = b"<html>sorry</html>"
_REFUSAL: Final = b"\r\nretry-after: 1\r\ncontent-type: text/html\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
_REFUSALS: Final = tuple(
    b"HTTP/1.1 " + status + _REFUSAL % (len(_SORRY), _SORRY)
    for status in (b"503 Service Unavailable", b"502 Bad Gateway", b"429 Too Many Requests", b"200 OK")
)


@dataclass
class Mishap:
    """What becomes of the next ``messages`` requests; ``kind`` as in ``tests.chaos.plan``."""

    kind: str
    messages: int
    seconds: float


@dataclass(frozen=True)
class Request:
    """One request as it came, with ``Connection: close`` in its head."""

    head: bytes
    body: bytes

    @property
    def is_repeatable(self) -> bool:
        """Whether a network may deliver it twice."""
        return _ONCE_ONLY not in self.head.split(b"\r\n", 1)[0]

    def halved(self) -> "Request":
        """With half a body that claims to be whole; without one it stays as it is."""
        half = self.body[: len(self.body) // 2]
        return Request(_LENGTH.sub(b"\r\ncontent-length: %d" % len(half), self.head), half)


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The one request that comes. Raises ``asyncio.IncompleteReadError`` where it breaks off."""
    head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else b""
    return Request(_CONNECTION.sub(b"", head) + b"\r\nconnection: close\r\n\r\n", body)


class Link:
    """Listens on a port of its own and forwards to ``upstreams`` in turn, as a load balancer would."""

    def __init__(self, name: str, upstreams: Sequence[int], dice: random.Random) -> None:
        self.name = name
        self.port = 0
        self.secrets: set[str] = set()  # OCPI tokens that have passed
        self.struck = 0  # requests to which something has happened
        self._upstreams = upstreams
        self._dice = dice
        self._turn = 0
        self._mishaps: list[Mishap] = []
        self._server: asyncio.Server | None = None
        self._strays: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where others reach it."""
        return f"http://{HOST}:{self.port}"

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more."""
        assert self._server is not None
        self._server.close()
        for stray in self._strays:
            stray.cancel()

    def strike(self, mishap: Mishap) -> None:
        """Let this happen to the next requests."""
        self._mishaps.append(mishap)

    def heal(self) -> None:
        """Nothing happens any more; what is under way arrives."""
        self._mishaps.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whatever breaks here is a wire that breaks: the other end sees a closed connection.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                request = await read_request(reader)
                if token := _AUTHORIZATION.search(request.head):
                    self.secrets.add(token[1].decode())
                writer.write(await self._answer(request))
                await writer.drain()
        writer.close()

    async def _answer(self, request: Request) -> bytes:
        """The whole answer; empty: the connection is closed without one."""
        mishap = self._next(request)
        if mishap is None:
            return await self._forward(request)
        self.struck += 1
        match mishap.kind:
            case "delay":
                await asyncio.sleep(mishap.seconds)
                return await self._forward(request)
            case "slow-answer":
                answer = await self._forward(request)
                await asyncio.sleep(mishap.seconds)
                return answer
            case "lose-request":
                return b""
            case "lose-answer":
                await self._forward(request)
                return b""
            case "duplicate":
                await self._forward(request)
                return await self._forward(request)
            case "reorder":
                self._later(request, mishap.seconds)
                return await self._forward(request)
            case "corrupt-request":
                return await self._forward(request.halved())
            case "corrupt-answer":
                return _halved(await self._forward(request))
            case "refuse":
                return self._dice.choice(_REFUSALS)
        raise AssertionError(mishap.kind)

    def _next(self, request: Request) -> Mishap | None:
        suits: Callable[[Mishap], bool] = lambda m: request.is_repeatable or m.kind not in ("duplicate", "reorder")  # noqa: E731 - used once, on the next line
        mishap = next(filter(suits, self._mishaps), None)
        if mishap is not None:
            mishap.messages -= 1
            self._mishaps = [each for each in self._mishaps if each.messages > 0]
        return mishap

    def _later(self, request: Request, seconds: float) -> None:
        """The same again, behind what will have come meanwhile."""

        async def again() -> None:
            await asyncio.sleep(seconds)
            with suppress(OSError, TimeoutError):
                await self._forward(request)

        task = asyncio.create_task(again())
        self._strays.add(task)
        task.add_done_callback(self._strays.discard)

    async def _forward(self, request: Request) -> bytes:
        reader, writer = await self._connect()
        try:
            writer.write(request.head + request.body)
            await writer.drain()
            return await reader.read(-1)
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the next upstream that listens. Raises ``OSError`` where none does."""
        for _ in self._upstreams[1:]:
            with suppress(OSError):
                return await asyncio.open_connection(HOST, self._take_turn())
        return await asyncio.open_connection(HOST, self._take_turn())

    def _take_turn(self) -> int:
        self._turn += 1
        return self._upstreams[self._turn % len(self._upstreams)]


def _halved(answer: bytes) -> bytes:
    """The first half of its body, with a head that says so."""
    head, _, body = answer.partition(b"\r\n\r\n")
    half = body[: len(body) // 2]
    return _LENGTH.sub(b"\r\ncontent-length: %d" % len(half), head) + b"\r\n\r\n" + half
