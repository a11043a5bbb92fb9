"""When a tariff's restrictions hold: dates, week days and times of day, in the Location's local time. Pure.

Source: OCPI 2.2.1 §11.4.6 (TariffRestrictions). Instants are compared in UTC, so the hour that happens twice in
autumn holds twice and the one that is left out in spring never holds.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

Restrictions = dict[str, Any]

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_MIDNIGHT: Final = time()
_WEEK: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


class Calendar(NamedTuple):
    """What restrictions ask of an instant, read once. None is no restriction; dates are in ISO 8601."""

    start_date: str | None
    end_date: str | None
    days: frozenset[str] | None
    start_time: time | None
    end_time: time | None

    @property
    def restricts(self) -> bool:
        """Whether there is any instant at which it does not hold."""
        return any(each is not None for each in self)

    def holds(self, local: datetime) -> bool:
        """Dates (start inclusive, end exclusive), week days and times of day, all at the same ``local`` instant."""
        return self.holds_but_for_days(local) and self.has_day(local)

    def holds_but_for_days(self, local: datetime) -> bool:
        """The same, on any day of the week."""
        return (
            (self.start_date is None or local.date().isoformat() >= self.start_date)
            and (self.end_date is None or local.date().isoformat() < self.end_date)
            and ((self.start_time is None and self.end_time is None) or self._in_hours(local.time()))
        )

    def has_day(self, local: datetime) -> bool:
        """Whether the day of the week is one of its own."""
        return self.days is None or _WEEK[local.weekday()] in self.days

    def in_small_hours(self, local: datetime) -> bool:
        """Whether its night began on the day before."""
        begin, end = self.start_time, self.end_time
        return begin is not None and end is not None and local.time() < end < begin

    def _in_hours(self, clock: time) -> bool:
        """Start inclusive, end exclusive; an end before the start wraps, an end at 00:00 is the end of the day."""
        begin, end = self.start_time or _MIDNIGHT, self.end_time or _MIDNIGHT
        if end == _MIDNIGHT or begin == end:
            return clock >= begin or begin == end
        return begin <= clock < end if begin < end else clock >= begin or clock < end


def read_calendar(restrictions: Restrictions) -> Calendar:
    """The calendar in a TariffRestrictions. Raises ``ValueError`` and its like where something in it is not OCPI."""
    days = restrictions.get("day_of_week")
    return Calendar(
        _date(restrictions.get("start_date")),
        _date(restrictions.get("end_date")),
        frozenset([days] if isinstance(days, str) else days) if days else None,
        _clock(restrictions.get("start_time")),
        _clock(restrictions.get("end_time")),
    )


def calendar_switches(
    calendars: Iterable[Calendar], *, start: datetime, end: datetime, zone: ZoneInfo
) -> set[datetime]:
    """Every instant (UTC) between ``start`` and ``end`` at which one of them could begin or cease to hold.

    These are the local midnights, the times of day that are named, and the changes of the clock.
    """
    clocks = {_MIDNIGHT} | {clock for each in calendars for clock in (each.start_time, each.end_time) if clock}
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    found = set(_clock_changes(start, end, zone))
    while day <= last:
        found |= {instant for clock in clocks for instant in _instants(day, clock, zone)}
        day += _DAY
    return {instant for instant in found if start < instant < end}


def _instants(day: date, clock: time, zone: ZoneInfo) -> Iterator[datetime]:
    """The UTC instants of a local time on ``day``: two when the clock is turned back that night."""
    for fold in (0, 1):
        yield datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC)


def _clock_changes(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The instants between ``start`` and ``end`` at which the zone's offset changes; at most one a day is found."""
    before = start.astimezone(UTC)
    while before < end:
        after = before + _DAY
        if _offset(before, zone) != _offset(after, zone):
            yield _clock_change(before, after, zone)
        before = after


def _clock_change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant in the day from ``before`` to ``after`` at which the offset changes, by bisection."""
    before = before.replace(microsecond=0)
    after = after.replace(microsecond=0)
    old = _offset(before, zone)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    return after


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


def _date(value: Any) -> str | None:
    if value and not isinstance(value, str):
        raise ValueError("not a date")
    return value or None


def _clock(text: Any) -> time | None:
    """A time of day; the end of the day is no restriction."""
    if not text or text == "24:00":
        return None
    return time.fromisoformat(text.zfill(5))  # "9:00", as some write it
