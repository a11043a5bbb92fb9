"""The wire fails as it is told to, and otherwise does nothing."""

import asyncio
import random
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.chaos.link import HOST, Link, Mishap
from tests.waiting import eventually


class _Peer:
    """An HTTP server that remembers the bodies it got and answers with what it is asked for."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
        self.bodies.append(await reader.readexactly(length))
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{"data": 17}')
        await writer.drain()
        writer.close()


@pytest.fixture
async def peer() -> _Peer:
    return _Peer()


@pytest.fixture
async def link(peer: _Peer) -> AsyncIterator[Link]:
    server = await asyncio.start_server(peer.serve, HOST, 0)
    link = Link("to-cpo", [server.sockets[0].getsockname()[1]], random.Random(1))
    await link.open()
    yield link
    await link.close()
    server.close()


async def _post(link: Link, path: str = "/sessions") -> httpx.Response | None:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            headers = {"Authorization": "Token c2VjcmV0"}
            return await http.post(link.url + path, json={"kwh": 1.5}, headers=headers)
        except httpx.TransportError:
            return None


async def test_what_is_sent_arrives_once_and_is_answered(link: Link, peer: _Peer) -> None:
    answer = await _post(link)
    assert answer is not None
    assert answer.json() == {"data": 17}
    assert peer.bodies == [b'{"kwh":1.5}']
    assert link.secrets == {"c2VjcmV0"}


@pytest.mark.parametrize(
    ("kind", "bodies", "answer"),
    [
        ("delay", [b'{"kwh":1.5}'], b'{"data": 17}'),
        ("slow-answer", [b'{"kwh":1.5}'], b'{"data": 17}'),
        ("lose-request", [], None),
        ("lose-answer", [b'{"kwh":1.5}'], None),
        ("duplicate", [b'{"kwh":1.5}', b'{"kwh":1.5}'], b'{"data": 17}'),
        ("corrupt-request", [b'{"kwh'], b'{"data": 17}'),
        ("corrupt-answer", [b'{"kwh":1.5}'], b'{"data'),
        ("refuse", [], b"<html>sorry</html>"),
    ],
)
async def test_a_mishap_strikes_so_many_requests_and_no_more(
    link: Link, peer: _Peer, kind: str, bodies: list[bytes], answer: bytes | None
) -> None:
    link.strike(Mishap(kind, messages=1, seconds=0.01))
    struck = await _post(link)
    assert peer.bodies == bodies
    assert (None if struck is None else struck.content) == answer
    whole = await _post(link)
    assert whole is not None
    assert whole.content == b'{"data": 17}'
    assert link.struck == 1


async def test_reordered_is_what_comes_again_behind_what_followed_it(link: Link, peer: _Peer) -> None:
    link.strike(Mishap("reorder", messages=1, seconds=0.05))
    await _post(link)
    await eventually(lambda: peer.bodies == [b'{"kwh":1.5}'] * 2)


@pytest.mark.parametrize("kind", ["duplicate", "reorder"])
async def test_a_start_is_never_repeated_by_the_wire(link: Link, peer: _Peer, kind: str) -> None:
    link.strike(Mishap(kind, messages=1, seconds=0.0))
    await _post(link, "/commands/START_SESSION")
    assert len(peer.bodies) == 1
    assert link.struck == 0


async def test_healed_it_does_nothing_any_more(link: Link, peer: _Peer) -> None:
    link.strike(Mishap("lose-request", messages=100, seconds=0.0))
    link.heal()
    assert await _post(link) is not None
