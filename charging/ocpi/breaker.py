"""A circuit breaker: a peer that fails again and again is left alone for a while, then tried once. Pure.

Closed, until ``FAILURES`` calls in a row have failed; then open until ``retry_at``, when one call is let through. What
that probe brings closes it, or opens it for twice as long. A refusal is an answer, not a failure.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

FAILURES: Final = 5
PAUSE: Final = timedelta(seconds=5)  # of the first opening; each one that follows is twice as long
LONGEST_PAUSE: Final = timedelta(minutes=1)
LONGEST_RETRY_AFTER: Final = timedelta(minutes=5)  # a peer may ask for more; a car waits


class BreakerState(StrEnum):
    """Whether calls go out."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"  # one call is under way, and decides


@dataclass(frozen=True)
class Breaker:
    """``failures``: in a row. ``openings``: since the last success. ``retry_at``: when a probe may go out."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    openings: int = 0
    opened_at: datetime | None = None
    retry_at: datetime | None = None

    def admits(self, now: datetime) -> bool:
        """Whether a call may go out at ``now``."""
        if self.state is BreakerState.OPEN:
            return self.retry_at is None or now >= self.retry_at
        return self.state is BreakerState.CLOSED

    def began(self) -> "Breaker":
        """A call that was admitted goes out: of an open breaker it is the probe."""
        return replace(self, state=BreakerState.PROBING) if self.state is BreakerState.OPEN else self

    def given_up(self) -> "Breaker":
        """The probe was cancelled and has told nothing: the next call is the probe."""
        return replace(self, state=BreakerState.OPEN) if self.state is BreakerState.PROBING else self

    def succeeded(self) -> "Breaker":
        """The peer answered."""
        return Breaker()

    def failed(self, now: datetime, *, is_probe: bool, jitter: float) -> "Breaker":
        """The peer was not reached, or nobody knows what became of the call.

        ``jitter`` (0 to 1) stretches the pause by up to a half, so that many processes do not come back as one.
        """
        counted = replace(self, failures=self.failures + 1)
        probe_failed = is_probe and self.state is BreakerState.PROBING
        opens = probe_failed or (self.state is BreakerState.CLOSED and counted.failures >= FAILURES)
        return counted._opened(now, _pause(self.openings, jitter)) if opens else counted

    def told_to_wait(self, now: datetime, retry_after: timedelta) -> "Breaker":
        """The peer answered 429 or 503 with ``Retry-After``: no call before that is over."""
        wait = min(max(retry_after, timedelta()), LONGEST_RETRY_AFTER)
        return replace(self, failures=self.failures + 1)._opened(now, wait)

    def _opened(self, now: datetime, pause: timedelta) -> "Breaker":
        return replace(self, state=BreakerState.OPEN, openings=self.openings + 1, opened_at=now, retry_at=now + pause)


def _pause(openings: int, jitter: float) -> timedelta:
    return min(PAUSE * int(2 ** min(openings, 10)), LONGEST_PAUSE) * (1 + jitter / 2)
