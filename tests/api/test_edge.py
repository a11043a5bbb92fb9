"""What holds for every answer and every connection: headers, CORS, heads that do not end, bodies that drip."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.edge import Edge
from api.protocol import MAX_HEAD_BYTES, GuardedProtocol
from charging.settings import Settings
from tests.serving import serve
from tests.stack import user_token


@pytest.fixture
async def bare() -> AsyncIterator[httpx.AsyncClient]:
    """The application without its lifespan."""
    transport = httpx.ASGITransport(create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@pytest.mark.parametrize("path", ["/healthz", "/v1/sessions", "/no/such/path", "/docs", "/openapi.json"])
async def test_no_answer_is_guessed_at_framed_or_kept_by_a_cache(bare: httpx.AsyncClient, path: str) -> None:
    headers = (await bare.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


async def test_a_page_of_somebody_else_may_not_call_us(bare: httpx.AsyncClient) -> None:
    asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = await bare.options("/v1/sessions/start", headers=asking)
    assert preflight.status_code == 405
    assert not [name for name in preflight.headers if name.lower().startswith("access-control")]
    assert (await bare.get("/healthz", headers={"Host": "evil.example"})).status_code == 200  # it is used for nothing


class Impatient(GuardedProtocol):
    head_s = 0.2


@asynccontextmanager
async def connected(
    app: Any = None, http: type[GuardedProtocol] = GuardedProtocol
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to the API as ``python -m api`` serves it; its lifespan is left out."""
    app = app or create_app(Settings())
    async with serve(app, http=http, lifespan="off", server_header=False) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        yield reader, writer
        writer.close()


async def answer(reader: asyncio.StreamReader) -> str:
    """The status line and headers of one answer."""
    return (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().lower()


async def test_the_server_does_not_say_what_it_is_and_serves_one_request_after_another() -> None:
    async with connected() as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: api\r\n\r\n")
            head = await answer(reader)
            assert head.startswith("http/1.1 200")
            assert "server:" not in head
            await reader.readexactly(len(b'{"status":"ok"}'))


async def test_an_endless_head_is_cut() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nx-padding: " + b"x" * MAX_HEAD_BYTES)
        answered = asyncio.ensure_future(answer(reader))
        while not answered.done():
            writer.write(b"x")
            await asyncio.wait([answered], timeout=0.01)
        assert answered.result().startswith("http/1.1 431")


async def test_a_head_that_does_not_end_is_not_waited_for() -> None:
    for begun in (b"", b"GET /healthz HTTP/1.1\r\nhost:"):
        async with connected(http=Impatient) as (reader, writer):
            writer.write(begun)
            assert (await answer(reader)).startswith("http/1.1 408")


async def test_line_breaks_between_requests_do_not_keep_a_connection() -> None:
    async with connected(http=Impatient) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: api\r\n\r\n")
        await answer(reader)
        await asyncio.wait_for(reader.readexactly(len(b'{"status":"ok"}')), 10)
        writer.write(b"\r\n")
        assert (await answer(reader)).startswith("http/1.1 408")
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_body_that_drips_is_408() -> None:
    head = f"POST /v1/sessions/stop HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {user_token()}\r\n"
    async with connected(Edge(create_app(Settings()), body_s=0.2)) as (reader, writer):
        writer.write(f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{".encode())
        refused = await answer(reader)
        assert refused.startswith("http/1.1 408")
        assert b'"code": "request_timeout"' in await reader.readuntil(b"}")
