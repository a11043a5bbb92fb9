"""Middleware for a CPO whose module URLs end with a slash, and are nothing without it (quirk Q36)."""

import re
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from charging.sandbox.quirks import Quirk

_MODULE: Final = re.compile(r"/ocpi/cpo/[^/]+/[^/]+(/?)")


class NeedSlashes:
    """Lets calls of a module's own URL pass only with a slash at the end, where the quirk says so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        match = _MODULE.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is None or Quirk.TRAILING_SLASH not in scope["app"].state.cpo.quirks:
            await self._app(scope, receive, send)
        elif match[1]:
            await self._app({**scope, "path": scope["path"].removesuffix("/")}, receive, send)
        else:
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
