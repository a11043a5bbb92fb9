"""What goes wrong between two services: each mishap is for one path and happens so many times.

``error_before`` and ``error_after`` answer 503 without having done anything, and having done it; ``hang_before`` and
``hang_after`` do the same with no answer within ``HANG_S``; ``refused`` is 422, and ``declined_after`` 402 of what goes
on all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict

HANG_S: Final = 2.0  # longer than a test's patience


class Mishap(BaseModel):
    """``on``: the beginning of the path, ``method`` its verb."""

    model_config = ConfigDict(extra="forbid")

    on: str
    method: str = "POST"
    kind: Literal["error_before", "error_after", "hang_before", "hang_after", "refused", "declined_after"]
    times: int = 1


class Mishaps:
    """Those that will still happen, oldest first."""

    def __init__(self) -> None:
        self._coming: list[Mishap] = []

    def add(self, *mishaps: Mishap) -> None:
        """Let these happen, too."""
        self._coming += mishaps

    async def around(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Middleware: do what is asked, or what a mishap makes of it."""
        mishap = self._next(request)
        if mishap is None:
            return await call_next(request)
        if mishap.kind.endswith("after"):
            await call_next(request)
        if mishap.kind.startswith("hang"):
            await asyncio.sleep(HANG_S)
        return Response(status_code={"refused": 422, "declined_after": 402}.get(mishap.kind, 503))

    def _next(self, request: Request) -> Mishap | None:
        for mishap in self._coming:
            if request.method == mishap.method and request.url.path.startswith(mishap.on):
                mishap.times -= 1
                self._coming = [each for each in self._coming if each.times > 0]
                return mishap
        return None
