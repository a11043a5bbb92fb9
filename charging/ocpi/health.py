"""How each peer is doing, and what is done about it: a breaker and a share of the calls for every connection.

One peer that hangs uses up its own share and no more, then its breaker opens: the others do not feel it. What a
process has learnt is written down for others to see (``charging.store.peer_health``); each acts on its own.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from charging.errors import PeerError, PeerNotReached, PeerRefused, StoreUnavailable
from charging.ocpi.breaker import Breaker
from charging.store.connections import Connection
from charging.store.peer_health import HealthRecord, Process

logger = logging.getLogger(__name__)

CALLS_AT_ONCE: Final = 32  # to one peer; those that come on top wait a moment, then are not made
STOPS_AT_ONCE: Final = 16  # beside them: STOP_SESSION does not queue behind anything else
_WAIT_S: Final = 1.0
_TELL_EVERY: Final = timedelta(minutes=1)  # that all is still well
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class CallMetrics:
    """Calls to peers by connection and outcome, for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter("charging_cpo_calls", "Calls to CPOs.", ("connection", "outcome"), registry=self.registry)
        self.seconds = Histogram(
            "charging_cpo_seconds",
            "Seconds until a CPO's answer.",
            ("connection",),
            registry=self.registry,
            buckets=_BUCKETS,
        )


@dataclass(frozen=True)
class Call:
    """A call that is over: answered, refused, unknown, not_reached or cancelled; and the line's breaker after it."""

    connection: Connection
    url: str
    outcome: str
    seconds: float
    breaker: Breaker


class Line:
    """The line to one peer, as this process knows it."""

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.last_error: str | None = None
        self.last_ok_at: datetime | None = None
        self.told_at: datetime | None = None  # when this was last written down
        self.calls = asyncio.Semaphore(CALLS_AT_ONCE)
        self.stops = asyncio.Semaphore(STOPS_AT_ONCE)

    def is_untold(self, now: datetime) -> bool:
        """Whether it was not written down for long."""
        return self.told_at is None or now - self.told_at > _TELL_EVERY

    @asynccontextmanager
    async def call(self, *, is_stop: bool = False) -> AsyncIterator[None]:
        """Around one call. Raises ``PeerNotReached`` where it must not be made now; a stop is always tried."""
        slots = self.stops if is_stop else self.calls
        await self._take(slots)
        try:
            is_probe = self._admit(is_stop)
            async with self._watched(is_probe):
                yield
        finally:
            slots.release()

    async def _take(self, slots: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(_WAIT_S):
                await slots.acquire()
        except TimeoutError as error:
            raise PeerNotReached("too many calls to this CPO are under way") from error

    def _admit(self, is_stop: bool) -> bool:
        admitted = self.breaker.admits(datetime.now(UTC))
        if not admitted and not is_stop:
            raise PeerNotReached(f"the CPO is left alone for a while: {self.last_error}")
        before = self.breaker
        self.breaker = before.began() if admitted else before
        return self.breaker is not before

    @asynccontextmanager
    async def _watched(self, is_probe: bool) -> AsyncIterator[None]:
        try:
            yield
        except PeerError as error:
            self._heard(error, is_probe)
            raise
        except BaseException:
            self.breaker = self.breaker.given_up() if is_probe else self.breaker
            raise
        else:
            self._went_well()

    def _went_well(self) -> None:
        self.breaker, self.last_ok_at = self.breaker.succeeded(), datetime.now(UTC)

    def _heard(self, error: PeerError, is_probe: bool) -> None:
        now = datetime.now(UTC)
        if error.retry_after_s is not None:
            self.breaker = self.breaker.told_to_wait(now, timedelta(seconds=error.retry_after_s))
        elif isinstance(error, PeerRefused):
            self._went_well()
            return
        else:
            self.breaker = self.breaker.failed(now, is_probe=is_probe, jitter=random.random())  # noqa: S311 - so that many do not come back as one
        self.last_error = str(error)[:500]


Tell = Callable[[HealthRecord], Awaitable[None]]


async def _tell_nobody(record: HealthRecord) -> None:
    """For a client on its own."""


class PeerHealth:
    """The lines of one process, measured and written down. ``aclose()`` when the process ends."""

    def __init__(self, tell: Tell = _tell_nobody, process: Process = "api") -> None:
        self.metrics = CallMetrics()
        self.on_call: Callable[[Call], None] = lambda _: None
        self._put = tell
        self._process = process
        self._lines: dict[str, Line] = {}
        self._news: set[str] = set()  # connections whose line has changed since it was written down
        self._writer: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def call(self, connection: Connection, url: str, *, is_stop: bool = False) -> AsyncIterator[None]:
        """Around one call to ``url`` of a peer: see ``Line.call``."""
        line = self._lines.setdefault(connection.id, Line())
        before, began, outcome = (line.breaker, line.last_error), time.perf_counter(), "cancelled"
        try:
            async with line.call(is_stop=is_stop):
                yield
            outcome = "answered"
        except PeerError as error:
            outcome = _outcome(error)
            raise
        finally:
            seconds = time.perf_counter() - began
            self.metrics.calls.labels(connection.name, outcome).inc()
            self.metrics.seconds.labels(connection.name).observe(seconds)
            self.on_call(Call(connection, url, outcome, seconds, line.breaker))
            if (line.breaker, line.last_error) != before or line.is_untold(datetime.now(UTC)):
                self._tell(connection.id)

    def forget(self, connection_id: str) -> None:
        """A new handshake went well: what was known of this peer is old."""
        if self._lines.pop(connection_id, None) is not None:
            self._lines[connection_id] = Line()
            self._tell(connection_id)

    def _tell(self, connection_id: str) -> None:
        # In the background: no command waits for it, and of many changes the last one is written.
        self._news.add(connection_id)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._news:
                connection_id = self._news.pop()
                line = self._lines[connection_id]
                line.told_at = datetime.now(UTC)
                await self._put(_record(connection_id, self._process, line))
        except StoreUnavailable:
            logger.warning("the health of CPOs could not be written down")
        finally:
            self._writer = None

    async def aclose(self) -> None:
        """Write down what is left."""
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)


def _outcome(error: PeerError) -> str:
    if isinstance(error, PeerRefused):
        return "refused"
    return "not_reached" if isinstance(error, PeerNotReached) else "unknown"


def _record(connection_id: str, process: Process, line: Line) -> HealthRecord:
    breaker = line.breaker
    return HealthRecord(
        connection_id=connection_id,
        process=process,
        state=breaker.state.value,
        failures=breaker.failures,
        opened_at=breaker.opened_at,
        retry_at=breaker.retry_at,
        last_error=line.last_error,
        last_ok_at=line.last_ok_at,
    )
