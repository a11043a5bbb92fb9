"""Requests that wait until something has changed in the store: how often they look."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LOOKS_PER_S: Final = 500
"""How often all waiting requests of one user look, in one process: a few percent of a core."""


class Waits:
    """Waiting costs looks, and a user may have thousands of requests wait: they share ``LOOKS_PER_S``."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_of(self, user: str) -> Iterator[None]:
        """A request of ``user`` waits."""
        self._open[user] += 1
        try:
            yield
        finally:
            self._open[user] -= 1
            if not self._open[user]:
                del self._open[user]

    def pause_s(self, user: str, every_s: float) -> float:
        """Until such a request looks again: ``every_s``, and longer while many of the user's wait."""
        return max(every_s, self._open[user] / LOOKS_PER_S)

    async def pause(self, user: str, every_s: float, deadline: float) -> None:
        """Sleep until it looks again, or until ``deadline`` (by ``time.monotonic``)."""
        await asyncio.sleep(max(0.0, min(self.pause_s(user, every_s), deadline - time.monotonic())))
