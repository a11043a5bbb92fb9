"""When a delivery that failed is tried again, as the Standard Webhooks specification suggests. Pure."""

from datetime import datetime, timedelta
from typing import Final

# After the first attempt, the second … The last one was the last.
DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)


def next_attempt(attempts: int, now: datetime, asked_s: float | None = None) -> datetime | None:
    """After so many attempts; None: it is given up. ``asked_s``: the receiver's Retry-After, honoured up to a day."""
    if attempts > len(DELAYS):
        return None
    asked = timedelta(seconds=min(max(asked_s or 0, 0), DELAYS[-1].total_seconds()))
    return now + max(DELAYS[attempts - 1], asked)
