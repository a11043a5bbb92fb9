"""When a published curve is looked for, and what is kept of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from charging.planning.publication import KEEP, ahead, is_due, merged
from charging.planning.request import PriceSlot

MORNING = datetime(2026, 3, 28, 8, tzinfo=UTC)
NOON = MORNING + timedelta(hours=4)
TONIGHT = datetime(2026, 3, 28, 23, tzinfo=UTC)
TOMORROW_NIGHT = TONIGHT + timedelta(days=1)


def slot(hour: int, price: str, hours: int = 1) -> PriceSlot:
    start = MORNING + timedelta(hours=hour)
    return PriceSlot(start=start, end=start + timedelta(hours=hours), price=Decimal(price))


@pytest.mark.parametrize(
    ("now", "minutes_ago", "failed", "horizon", "due"),
    [
        (MORNING, None, False, None, True),
        (MORNING, 10, False, TONIGHT, False),
        (MORNING, 60, False, TONIGHT, True),
        (MORNING, 10, True, TONIGHT, True),
        (NOON, 10, False, TONIGHT, True),
        (NOON, 3, False, TONIGHT, False),  # asked for just now
        (NOON, 10, False, None, True),
        (NOON, 10, False, TOMORROW_NIGHT, False),
        (NOON, 60, False, TOMORROW_NIGHT, True),
    ],
)
def test_hourly_and_every_ten_minutes_until_the_next_day_is_there(
    now: datetime, minutes_ago: int | None, failed: bool, horizon: datetime | None, due: bool
) -> None:
    checked_at = None if minutes_ago is None else now - timedelta(minutes=minutes_ago)
    assert is_due(now, checked_at=checked_at, failed=failed, horizon=horizon) is due


def test_news_replace_what_they_cover_and_leave_the_rest() -> None:
    known = [slot(0, "1"), slot(1, "2", hours=4), slot(5, "3")]
    news = [slot(2, "9"), slot(3, "8")]
    assert merged(known, news, MORNING) == (
        slot(0, "1"),
        slot(1, "2"),
        slot(2, "9"),
        slot(3, "8"),
        slot(4, "2"),
        slot(5, "3"),
    )
    assert merged(known, [], MORNING) == tuple(known)


def test_the_past_is_kept_for_eight_days_and_no_longer() -> None:
    known, news = [slot(0, "1"), slot(1, "2")], [slot(500, "9")]
    assert merged(known, news, MORNING + KEEP + timedelta(hours=1)) == (slot(1, "2"), slot(500, "9"))
    assert ahead(known, MORNING + timedelta(hours=1)) == (slot(1, "2"),)
