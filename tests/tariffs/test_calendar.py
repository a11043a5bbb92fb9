"""When restrictions hold: local time, week days, dates, and the nights on which the clock is changed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from charging.tariffs.calendar import Restrictions, calendar_switches, read_calendar

HELSINKI = ZoneInfo("Europe/Helsinki")


def hours_that_hold(restrictions: Restrictions, start: datetime, end: datetime) -> float:
    """How long ``restrictions`` hold between two instants, in hours, cut at the switches alone."""
    calendar = read_calendar(restrictions)
    cuts = sorted({start, end} | calendar_switches([calendar], start=start, end=end, zone=HELSINKI))
    held = [b - a for a, b in pairwise(cuts) if calendar.holds(a.astimezone(HELSINKI))]
    return sum(held, timedelta()) / timedelta(hours=1)


def test_the_hour_that_is_repeated_in_autumn_holds_twice() -> None:
    # In Helsinki the clock goes from 04:00 back to 03:00 on 2026-10-25, at 01:00 UTC.
    start, end = datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 10, 25, 20, tzinfo=UTC)
    assert hours_that_hold({"start_time": "03:00", "end_time": "04:00"}, start, end) == 2
    assert hours_that_hold({"start_time": "02:00", "end_time": "05:00"}, start, end) == 4
    assert hours_that_hold({"start_time": "03:30", "end_time": "05:00"}, start, end) == 2
    assert hours_that_hold({"start_time": "22:00", "end_time": "03:30"}, start, end) == 5


def test_the_hour_that_is_left_out_in_spring_never_holds() -> None:
    # In Helsinki the clock goes from 03:00 to 04:00 on 2026-03-29, at 01:00 UTC.
    start, end = datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 3, 29, 20, tzinfo=UTC)
    assert hours_that_hold({"start_time": "03:00", "end_time": "04:00"}, start, end) == 0
    assert hours_that_hold({"start_time": "03:30", "end_time": "05:00"}, start, end) == 1
    assert hours_that_hold({"start_time": "02:00", "end_time": "03:30"}, start, end) == 1


def test_a_week_day_is_the_local_day_of_the_instant() -> None:
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)
    assert hours_that_hold({"day_of_week": ["TUESDAY"]}, start, end) == 24
    night = {"day_of_week": ["MONDAY"], "start_time": "22:00", "end_time": "06:00"}
    assert hours_that_hold(night, start, end) == 4 + 2 + 2  # Monday 02:00-06:00, 22:00-24:00; next 00:00-02:00


def test_dates_begin_with_their_first_day_and_end_before_their_last() -> None:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)
    assert hours_that_hold({"start_date": "2026-03-02", "end_date": "2026-03-04"}, start, end) == 48
    assert hours_that_hold({"start_date": "2026-03-08"}, start, end) == 26


def test_an_end_at_midnight_is_the_end_of_the_day_and_no_times_are_the_whole_day() -> None:
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
    assert hours_that_hold({"start_time": "18:00", "end_time": "00:00"}, start, end) == 6
    assert hours_that_hold({"start_time": "18:00", "end_time": "24:00"}, start, end) == 6
    assert hours_that_hold({"end_time": "6:00"}, start, end) == 6
    assert hours_that_hold({}, start, end) == 24
