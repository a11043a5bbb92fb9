"""Which price component holds when: the first element whose restrictions match (OCPI 2.2.1 §11.3.3, §11.4.6). Pure.

A session is cut by all bounds of all restrictions. Lower bounds are inclusive, upper exclusive. Power and current are
momentary, energy and duration count from the start of the session, times and days are the Location's.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from charging.tariffs.calendar import calendar_switches
from charging.tariffs.cells import KINDS, SESSION, Cell, Interval, bounds_of
from charging.tariffs.numbers import instant, microseconds
from charging.tariffs.rules import TariffRules
from charging.tariffs.tariff import Element, Tariff, UnreadableTariff
from charging.tariffs.usage import Stretch, Usage

_DAY: Final = timedelta(days=1)
_WHOLE: Final = Decimal(1)


class Grid:
    """One session by one Tariff. Raises ``Unpriceable`` where a restriction is nonsense."""

    def __init__(self, tariff: Tariff, usage: Usage, zone: ZoneInfo, rules: TariffRules) -> None:
        self.tariff, self.zone, self.rules = tariff, zone, rules
        self.session_start, self.reservation_start = usage.started, usage.stretches[0].start
        self._elements = {kind: [e for e in tariff.elements if (e.reservation or SESSION) == kind] for kind in KINDS}
        self._intervals: dict[int, Interval] = {}
        self._kwh_bounds = bounds_of(element.conditions.kwh for element in tariff.elements)
        try:
            self._instants = self._switches(usage.stretches[-1].end)
        except (ArithmeticError, ValueError):
            raise UnreadableTariff("a restriction of the tariff cannot be read") from None

    def pieces(self, stretch: Stretch, kwh: Decimal) -> Iterable[tuple[Cell, Decimal]]:
        """``stretch``, which begins with ``kwh`` delivered, cut wherever a price could change: cells and shares."""
        # Strictly inside: a stretch that begins or ends at a bound is not cut there.
        first, last = bisect_right(self._instants, stretch.start), bisect_left(self._instants, stretch.end)
        energies = self._passed(kwh, kwh + stretch.kwh) if self._kwh_bounds else ()
        if not self.rules.cut_periods or (first >= last and not energies):
            return ((self._interval(stretch.start).cell(kwh, stretch), _WHOLE),)
        return self._cut(stretch, kwh, self._instants[first:last], energies)

    def _passed(self, before: Decimal, after: Decimal) -> Sequence[Decimal]:
        low, high = (before, after) if before <= after else (after, before)
        return self._kwh_bounds[bisect_right(self._kwh_bounds, low) : bisect_left(self._kwh_bounds, high)]

    def _cut(
        self, stretch: Stretch, kwh: Decimal, instants: Sequence[int], energies: Sequence[Decimal]
    ) -> Iterator[tuple[Cell, Decimal]]:
        begin, length = stretch.start, stretch.end - stretch.start
        shares = {Decimal(0), Decimal(1)} | {Decimal(at - begin) / length for at in instants}
        shares |= {(bound - kwh) / stretch.kwh for bound in energies}
        for share, following in pairwise(sorted(shares)):
            middle = (share + following) / 2  # not the edge: there a division decides on which side it is
            interval = self._interval(begin + int(length * middle))
            yield interval.cell(kwh + stretch.kwh * middle, stretch), following - share

    def _interval(self, at: int) -> Interval:
        """The time between two switches that ``at`` (µs since 1970) lies in."""
        place = bisect_right(self._instants, at)
        found = self._intervals.get(place)
        if found is None:
            local = instant(at).astimezone(self.zone)
            elements = {kind: list(self._timely(kind, at, local)) for kind in KINDS}
            found = self._intervals[place] = Interval(self.tariff, elements, self.rules)
        return found

    def _timely(self, kind: str, at: int, local: datetime) -> Iterator[Element]:
        """The elements of a ``kind`` whose duration and calendar hold."""
        since = self.session_start if kind == SESSION else self.reservation_start
        seconds = Decimal(at - since) / 1_000_000
        for element in self._elements[kind]:
            duration, calendar = element.conditions.duration, element.conditions.calendar
            if (duration is None or duration.holds(seconds)) and self.rules.in_calendar(calendar, local):
                yield element

    def _switches(self, end: int) -> list[int]:
        """When calendar and duration switch, in µs since 1970."""
        starts = {self.session_start, self.reservation_start}
        durations = bounds_of(element.conditions.duration for element in self.tariff.elements)
        found = {start + int(seconds * 1_000_000) for seconds in durations for start in starts}
        if timed := [calendar for e in self.tariff.elements if (calendar := e.conditions.calendar).restricts]:
            begin = instant(min(starts))
            switches = calendar_switches(timed, start=begin, end=instant(end), zone=self.zone)
            found |= {microseconds(at) for at in switches}
        return sorted(found)


def depends_on_calendar(tariff: Tariff) -> bool:
    """Whether the time zone of the Location matters."""
    return any(element.conditions.calendar.restricts for element in tariff.elements)
