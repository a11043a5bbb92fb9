"""Prices that are not published yet: what is taken for them, and from when on."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from charging.planning.forecast import extend
from charging.planning.request import PriceSlot

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def slot(start: datetime, price: float, lasts: timedelta = HOUR) -> PriceSlot:
    return PriceSlot(start=start, end=start + lasts, price=Decimal(str(round(price, 2))))


def days(*means: float) -> list[PriceSlot]:
    """Days that each cost their mean and a hundredth per hour of the day, up to today's midnight."""
    first = MIDNIGHT - len(means) * DAY
    return [slot(first + i * DAY + h * HOUR, mean + h / 100) for i, mean in enumerate(means) for h in range(24)]


def test_what_is_published_is_taken_as_it_is() -> None:
    known = days(0.2)
    now = MIDNIGHT - 90 * timedelta(minutes=1)
    got, provisional_from = extend(known, until=MIDNIGHT - 15 * timedelta(minutes=1), now=now)
    assert provisional_from is None
    assert [(s.start, s.end, s.price) for s in got] == [
        (now, MIDNIGHT - HOUR, known[22].price),
        (MIDNIGHT - HOUR, MIDNIGHT - 15 * timedelta(minutes=1), known[23].price),
    ]


def test_beyond_the_end_an_hour_costs_the_mean_of_that_hour_in_the_last_seven_days() -> None:
    got, provisional_from = extend(days(9, 9, 1, 2, 3, 4, 5, 6, 7), until=MIDNIGHT + 2.5 * HOUR, now=MIDNIGHT - HOUR)
    assert provisional_from == MIDNIGHT
    assert [str(s.price) for s in got] == ["7.23", "4.000000", "4.010000", "4.020000"]
    assert got[-1].end == MIDNIGHT + 2.5 * HOUR


def test_one_known_day_repeats_itself() -> None:
    known = days(0.2)
    got, _ = extend(known, until=MIDNIGHT + 2 * DAY, now=MIDNIGHT)
    assert [s.price for s in got] == [s.price for s in known] * 2


def test_a_gap_is_filled_and_known_prices_go_on_behind_it() -> None:
    known = days(1, 1)
    hole = [s for s in known if s.start != MIDNIGHT - 5 * HOUR]
    got, provisional_from = extend(hole, until=MIDNIGHT, now=MIDNIGHT - 8 * HOUR)
    assert provisional_from == MIDNIGHT - 5 * HOUR
    assert [s.price for s in got] == [s.price for s in known[-8:]]


def test_quarters_of_an_hour_are_averaged_by_how_long_they_hold() -> None:
    known = [slot(MIDNIGHT - DAY, 1, HOUR / 4), slot(MIDNIGHT - DAY + HOUR / 4, 2, HOUR * 3 / 4)]
    (got,), _ = extend(known, until=MIDNIGHT + HOUR, now=MIDNIGHT)
    assert got.price == Decimal("1.75")


def test_an_hour_that_is_known_on_no_day_costs_the_mean_of_what_is_known() -> None:
    got, provisional_from = extend(
        [slot(MIDNIGHT, 1), slot(MIDNIGHT + HOUR, 3)], until=MIDNIGHT + 4 * HOUR, now=MIDNIGHT
    )
    assert provisional_from == MIDNIGHT + 2 * HOUR
    assert [s.price for s in got] == [1, 3, 2, 2]


def test_a_curve_that_ended_long_ago_still_gives_a_forecast() -> None:
    got, provisional_from = extend(days(1), until=MIDNIGHT + 31 * DAY, now=MIDNIGHT + 30 * DAY)
    assert provisional_from == MIDNIGHT + 30 * DAY
    assert [s.price for s in got] == [s.price for s in days(1)]


def test_nothing_known_is_no_forecast() -> None:
    with pytest.raises(ValueError, match="no price is known"):
        extend([], until=MIDNIGHT + HOUR, now=MIDNIGHT)
    with pytest.raises(ValueError, match="after now"):
        extend(days(1), until=MIDNIGHT, now=MIDNIGHT)
    with pytest.raises(ValueError, match="at most 400 days"):
        extend(days(1), until=datetime(9999, 12, 31, tzinfo=UTC), now=MIDNIGHT)
