"""When a tariff's restrictions hold: dates, week days and times of day, in the Location's local time. Pure.

Source: OCPI 2.2.1 §11.4.6 (TariffRestrictions). Instants are compared in UTC, so the hour that happens twice in
autumn holds twice and the one that is left out in spring never holds.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Restrictions = dict[str, Any]

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_TIMES = ("start_time", "end_time")


def in_calendar(restrictions: Restrictions, local: datetime) -> bool:
    """Dates (start inclusive, end exclusive), week days and times of day, all at the same ``local`` instant."""
    day = local.date().isoformat()
    days = restrictions.get("day_of_week")
    return (
        (not restrictions.get("start_date") or day >= restrictions["start_date"])
        and (not restrictions.get("end_date") or day < restrictions["end_date"])
        and (not days or local.strftime("%A").upper() in days)
        and _in_hours(restrictions, local.time())
    )


def calendar_switches(
    all_restrictions: Iterable[Restrictions], *, start: datetime, end: datetime, zone: ZoneInfo
) -> set[datetime]:
    """Every instant (UTC) between ``start`` and ``end`` at which one of the restrictions could begin or cease to hold.

    These are the local midnights, the times of day that are named, and the changes of the clock.
    """
    clocks = {time()} | {_clock(r[key]) for r in all_restrictions for key in _TIMES if r.get(key)}
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    found = set(_clock_changes(start, end, zone))
    while day <= last:
        found |= {instant for clock in clocks for instant in _instants(day, clock, zone)}
        day += _DAY
    return {instant for instant in found if start < instant < end}


def _in_hours(restrictions: Restrictions, clock: time) -> bool:
    """Start inclusive, end exclusive; an end before the start wraps, an end at 00:00 is the end of the day."""
    begin = _clock(restrictions.get("start_time") or "00:00")
    end = _clock(restrictions.get("end_time") or "00:00")
    if end == time() or begin == end:
        return clock >= begin or begin == end
    return begin <= clock < end if begin < end else clock >= begin or clock < end


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


def _clock(text: str) -> time:
    return time() if text == "24:00" else time.fromisoformat(text.zfill(5))  # "9:00", as some write it
