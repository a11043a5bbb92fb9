"""``Market``: whoever publishes prices, under the test's control, over real HTTP on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from charging.ocpi import wire
from tests.serving import serve


class Market:
    """Serves ``body`` at ``url``; its ETag is ``etag``, if any. ``asked``: the headers of each request."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.media_type = "application/json"
        self.etag: str | None = '"first"'
        self.body = b""
        self.asked: list[dict[str, str]] = []
        self.publish(*[0.10] * 24)

    def publish(self, *prices: float, start: datetime | None = None) -> None:
        """These prices, hour by hour from the beginning of this hour on."""
        self.body = wire.dumps(hours(*prices, start=start))

    async def answer(self, request: Request) -> Response:
        self.asked.append(dict(request.headers))
        headers = {"ETag": self.etag} if self.etag else {}
        if self.etag and request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        if self.status in (301, 302, 307):
            headers["Location"] = f"{self.url}?again"
        return Response(self.body, self.status, headers, self.media_type)


def hours(*prices: float, start: datetime | None = None, currency: str = "EUR") -> dict[str, Any]:
    """A curve, hour by hour from ``start`` (default: the beginning of this hour) on."""
    begin = start or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    steps = [begin + timedelta(hours=n) for n in range(len(prices) + 1)]
    points = [{"start": a, "end": b, "price": p} for a, b, p in zip(steps, steps[1:], prices, strict=False)]
    return {"currency": currency, "points": points}


@asynccontextmanager
async def market() -> AsyncIterator[Market]:
    """A market that is open."""
    found = Market()
    async with serve(Starlette(routes=[Route("/prices", found.answer)])) as url:
        found.url = f"{url}/prices"
        yield found
