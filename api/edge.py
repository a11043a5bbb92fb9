"""What holds for every request and answer: headers that keep browsers and caches from harm, and patience with bodies.

Plain ASGI: a wrapper around responses would cost more than the read of a status.
"""

import asyncio
from typing import Final

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import ANSWER_HEADERS

_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})

# Nothing that we answer is a page that loads something, but for the documentation; a plan's picture has styles in it.
_POLICY: Final = b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
_DOCS_POLICY: Final = (
    b"default-src 'none'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; style-src https://cdn.jsdelivr.net "
    b"'unsafe-inline'; img-src data: https://fastapi.tiangolo.com; connect-src 'self'; frame-ancestors 'none'"
)
_ALWAYS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]


class Edge:
    """Around the whole application. ``body_s``: so soon the whole body of a request has to have come."""

    def __init__(self, app: ASGIApp, body_s: float = 30) -> None:
        self._app = app
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = _DOCS_POLICY if scope["path"] == "/docs" else _POLICY
        extra = scope[ANSWER_HEADERS] = [*_ALWAYS, (b"content-security-policy", policy)]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                headers.extend(extra)
                # Sessions and money are of this moment, and somebody's own.
                if all(name != b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
            await send(message)

        if scope["method"] not in _BODILESS:
            receive = _Patience(receive, self._body_s).receive
        await self._app(scope, receive, sending)


class _Patience:
    """Receives a body within ``body_s``; what comes after it is not hurried."""

    def __init__(self, receive: Receive, body_s: float) -> None:
        self._receive = receive
        self._deadline = asyncio.get_running_loop().time() + body_s
        self._is_whole = False

    async def receive(self) -> Message:
        """As ASGI has it. Raises ``HTTPException`` 408."""
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
        self._is_whole = not message.get("more_body", False)
        return message
