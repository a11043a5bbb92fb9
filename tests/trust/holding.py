"""The API whose answers to CPOs never leave: ``uvicorn tests.trust.holding:create_app --factory``.

Whoever kills it then kills an API that has done all its work on a push, and has answered nobody.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app as real_app

FROM_CPOS = "/ocpi/emsp/"


class Holding:
    """``app`` as it is, but for its answers to what CPOs send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_held = str(scope.get("path", "")).startswith(FROM_CPOS)
        await self._app(scope, receive, _never if is_held else send)


async def _never(_: Message) -> None:
    await asyncio.Event().wait()


def create_app() -> Holding:
    """The API by this process's settings."""
    return Holding(real_app())
