"""The doctor: looks at a sample of what peers send and answer, and counts what it violates.

A message is looked at after it was answered, never before, and of each module at most ``PER_SECOND`` a second: a flood
of pushes costs what a trickle does. Counts wait in memory for a few seconds; a process that is killed loses those.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from charging.errors import StoreUnavailable
from charging.ocpi.findings import Answered, Finding, Pushed, of_answer, of_push
from charging.store.findings import EXAMINED, Counted, FindingStore

logger = logging.getLogger(__name__)

PER_SECOND: Final = 5
EVERY_S: Final = 3.0
CLOSE_S: Final = 3.0
MAX_BYTES: Final = 1024 * 1024  # larger bodies are counted by nobody: reading one again would hold up others
MOST_WAITING: Final = 200

_Key = tuple[str, str, str]  # connection_id, rule, module


class Doctor:
    """One per process. ``aclose()`` keeps what was counted."""

    def __init__(self, store: FindingStore) -> None:
        self._store = store
        self._taken: dict[tuple[str, str], tuple[int, int]] = {}  # the second, and how many were taken in it
        self._waiting: list[tuple[str, Callable[[], list[Finding]], str]] = []
        self._counts: Counter[_Key] = Counter()
        self._examples: dict[_Key, str] = {}
        self._since = datetime.now(UTC)
        self._writer: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def wants(self, connection_id: str, module: str, size: int) -> bool:
        """Whether the doctor looks at one more message of this kind now. Cheap: every push asks."""
        second, key = int(time.monotonic()), (connection_id, module)
        at, count = self._taken.get(key, (second, 0))
        count = count if at == second else 0
        if count >= PER_SECOND or size > MAX_BYTES or len(self._waiting) >= MOST_WAITING:
            return False
        self._taken[key] = (second, count + 1)
        return True

    def pushed(self, connection_id: str, push: Pushed) -> None:
        """Look at a request of a peer, later."""
        self._look(connection_id, lambda: of_push(push), push.module)

    def answered(self, connection_id: str, answer: Answered) -> None:
        """Look at an answer of a peer, later."""
        self._look(connection_id, lambda: of_answer(answer), answer.module)

    def _look(self, connection_id: str, find: Callable[[], list[Finding]], module: str) -> None:
        self._waiting.append((connection_id, find, module))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_soon())

    async def _write_soon(self) -> None:
        try:
            while self._waiting or self._counts:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), EVERY_S)
                await self.flush()
                if self._closing.is_set():
                    return
        finally:
            self._writer = None

    async def flush(self) -> None:
        """Look at what waits and add the counts to the store. Where that is away, they are kept for the next time."""
        waiting, self._waiting = self._waiting, []
        for connection_id, find, module in waiting:
            self._count(connection_id, find, module)
            await asyncio.sleep(0)  # whoever waits for an answer goes first
        counts, examples = self._counts, self._examples
        self._counts, self._examples = Counter(), {}
        try:
            await self._store.add(self._counted(counts, examples))
        except StoreUnavailable:
            self._counts, self._examples = counts + self._counts, examples | self._examples
        except Exception:
            logger.exception("what the doctor counted cannot be stored")
        else:
            self._since = datetime.now(UTC)

    def _count(self, connection_id: str, find: Callable[[], list[Finding]], module: str) -> None:
        try:
            found = find()
        except Exception:
            logger.exception("the doctor stumbled over a message; it goes on")
            return
        self._counts[connection_id, EXAMINED, module] += 1
        for rule in {finding.rule for finding in found}:
            self._counts[connection_id, rule, module] += 1
        self._examples |= {(connection_id, finding.rule, module): finding.example for finding in found}

    def _counted(self, counts: Counter[_Key], examples: dict[_Key, str]) -> Sequence[Counted]:
        now = datetime.now(UTC)
        return [Counted(*key, count, self._since, now, examples.get(key, "")[:255]) for key, count in counts.items()]

    async def aclose(self) -> None:
        """End, keeping what was counted; where the store is away, not for long."""
        self._closing.set()
        if self._writer is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._writer, CLOSE_S)
