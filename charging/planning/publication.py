"""A curve of prices, or of CO2, that somebody publishes: when to look for more of it, and what is kept of it. Pure.

Day-ahead prices appear once a day around noon, a little earlier or later, for the whole of the next day.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from charging.planning.request import PriceSlot

CurveKind = Literal["price", "carbon"]

KEEP: Final = timedelta(days=8)  # a week back, for a forecast of the same weekday
EVERY: Final = timedelta(hours=1)
LOOK: Final = timedelta(minutes=10)
AWAITED_FROM: Final = time(11)  # UTC
_EARLY: Final = timedelta(minutes=1)  # looks are splayed: two may be closer than they should


class CurveRefresh(BaseModel):
    """The curve to be fetched. ``asked``: by a person, so that it is fetched whether its turn has come or not."""

    model_config = ConfigDict(frozen=True)

    name: str
    asked: bool = False


class CurveNews(BaseModel):
    """What became of a refresh. ``changed``: the points are others. ``error``: why there are no new ones."""

    model_config = ConfigDict(frozen=True)

    changed: bool = False
    error: str | None = None


def is_due(now: datetime, *, checked_at: datetime | None, failed: bool, horizon: datetime | None) -> bool:
    """Whether to fetch now: every hour; every look after a failure, and from 11:00 UTC until the next day is there.

    ``horizon``: the end of the last slot that is known. Zones differ, so half of the next UTC day will do.
    """
    if checked_at is None or failed or now - checked_at >= EVERY - _EARLY:
        return True
    tomorrow = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(12), UTC)
    is_awaited = now.astimezone(UTC).time() >= AWAITED_FROM and (horizon is None or horizon < tomorrow)
    return is_awaited and now - checked_at >= LOOK - _EARLY


def merged(known: Sequence[PriceSlot], news: Sequence[PriceSlot], now: datetime) -> tuple[PriceSlot, ...]:
    """``news`` over ``known``: what lies before and after ``news`` stays, and for ``KEEP`` what is past."""
    if not news:
        return tuple(known)
    begin, end = news[0].start, news[-1].end
    before = [_cut(slot, end=min(slot.end, begin)) for slot in known if slot.start < begin and slot.end > now - KEEP]
    after = [_cut(slot, start=max(slot.start, end)) for slot in known if slot.end > end]
    return (*before, *news, *after)


def ahead(slots: Sequence[PriceSlot], now: datetime) -> tuple[PriceSlot, ...]:
    """The slots that are not over: what a plan can rest on."""
    return tuple(slot for slot in slots if slot.end > now)


def _cut(slot: PriceSlot, **edges: datetime) -> PriceSlot:
    return slot.model_copy(update=edges)
