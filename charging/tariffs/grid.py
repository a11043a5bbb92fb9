"""Which price component holds when: the first element whose restrictions match (OCPI 2.2.1 §11.3.3, §11.4.6). Pure.

A session is cut by all bounds of all restrictions into cells, in each of which every price is constant; a cell is
worked out once. Lower bounds are inclusive, upper exclusive. Power and current are momentary, energy and duration
count from the start of the session, times and days are the Location's.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from charging.tariffs.calendar import Calendar, calendar_switches
from charging.tariffs.conditions import Span
from charging.tariffs.numbers import instant, microseconds
from charging.tariffs.rules import TariffRules
from charging.tariffs.steps import Tally
from charging.tariffs.tariff import Component, Element, Tariff, Unpriceable, UnreadableTariff
from charging.tariffs.usage import RESERVED, Stretch, Usage

RESERVATION: Final = "RESERVATION"
EXPIRES: Final = "RESERVATION_EXPIRES"
SESSION: Final = "SESSION"
_DAY: Final = timedelta(days=1)
_WHOLE: Final = Decimal(1)

Priced = tuple[Element, Component]


class Point(NamedTuple):
    """Where a session stands: ``at`` in µs since 1970, energy so far, and the stretch with its power and current."""

    at: int
    kwh: Decimal
    stretch: Stretch


class Grid:
    """One session by one Tariff. Raises ``Unpriceable`` where a restriction cannot be read, or not be decided."""

    def __init__(self, tariff: Tariff, usage: Usage, zone: ZoneInfo, rules: TariffRules) -> None:
        self.tariff, self.zone, self.rules = tariff, zone, rules
        self.session_start, self.reservation_start = usage.started, usage.stretches[0].start
        self._cells: dict[tuple[int, int, int, int], Cell] = {}
        self._timely: dict[tuple[int, str], list[Element]] = {}
        conditions = [element.conditions for element in tariff.elements]
        self.kwh_bounds = _bounds(each.kwh for each in conditions)
        self.kw_bounds = _bounds(each.power for each in conditions)
        self.ampere_bounds = _bounds(each.current for each in conditions)
        try:
            self.instants = self._instants(_bounds(each.duration for each in conditions), usage.stretches[-1].end)
        except (ArithmeticError, ValueError):
            raise UnreadableTariff("a restriction of the tariff cannot be read") from None

    def pieces(self, stretch: Stretch, kwh: Decimal) -> Iterable[tuple["Cell", Decimal]]:
        """``stretch``, which begins with ``kwh`` delivered, cut wherever a price could change: cells and shares."""
        # Strictly inside: a stretch that begins or ends at a bound is not cut there.
        first, last = bisect_right(self.instants, stretch.start), bisect_left(self.instants, stretch.end)
        energies = self._bounds_passed(kwh, kwh + stretch.kwh) if self.kwh_bounds else ()
        if not self.rules.cut_periods or (first >= last and not energies):
            return ((self._cell(stretch.start, kwh, stretch), _WHOLE),)
        return self._cut(stretch, kwh, self.instants[first:last], energies)

    def _bounds_passed(self, before: Decimal, after: Decimal) -> Sequence[Decimal]:
        low, high = (before, after) if before <= after else (after, before)
        return self.kwh_bounds[bisect_right(self.kwh_bounds, low) : bisect_left(self.kwh_bounds, high)]

    def _cut(
        self, stretch: Stretch, kwh: Decimal, instants: Sequence[int], energies: Sequence[Decimal]
    ) -> Iterator[tuple["Cell", Decimal]]:
        begin, length = stretch.start, stretch.end - stretch.start
        shares = {Decimal(0), Decimal(1)} | {Decimal(at - begin) / length for at in instants}
        shares |= {(bound - kwh) / stretch.kwh for bound in energies}
        for share, following in pairwise(sorted(shares)):
            middle = (share + following) / 2  # not the edge: there a division decides on which side it is
            yield self._cell(begin + int(length * middle), kwh + stretch.kwh * middle, stretch), following - share

    def _cell(self, at: int, kwh: Decimal, stretch: Stretch) -> "Cell":
        key = (
            bisect_right(self.instants, at),
            bisect_right(self.kwh_bounds, kwh),
            _place(self.kw_bounds, stretch.kw) if self.kw_bounds else 0,
            _place(self.ampere_bounds, stretch.amperes) if self.ampere_bounds else 0,
        )
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = Cell(self, Point(at, kwh, stretch))
        return found

    def first(self, dimension: str, point: Point, kind: str) -> Priced | None:
        """What prices ``dimension`` at ``point``, looked for in the order of the elements."""
        for element in self._timely_elements(point.at, kind):
            if not self.rules.whole_elements and dimension not in element.components:
                continue
            asked = element.conditions
            if (
                (asked.kwh is None or asked.kwh.holds(point.kwh))
                and (asked.power is None or asked.power.holds(_known(point.stretch.kw, "power")))
                and (asked.current is None or asked.current.holds(_known(point.stretch.amperes, "current")))
            ):
                component = element.components.get(dimension)
                return None if component is None else (element, component)
        return None

    def _timely_elements(self, at: int, kind: str) -> list[Element]:
        """The elements of a ``kind`` whose calendar and duration hold: the same ones between two instants."""
        key = (bisect_right(self.instants, at), kind)
        found = self._timely.get(key)
        if found is None:
            since = self.session_start if kind == SESSION else self.reservation_start
            seconds, local = Decimal(at - since) / 1_000_000, instant(at).astimezone(self.zone)
            found = self._timely[key] = [
                element
                for element in self.tariff.elements
                if (element.reservation or SESSION) == kind
                and (element.conditions.duration is None or element.conditions.duration.holds(seconds))
                and self._in_calendar(element.conditions.calendar, local)
            ]
        return found

    def _in_calendar(self, calendar: Calendar, local: datetime) -> bool:
        begin = calendar.start_time
        if begin is not None and begin == calendar.end_time and self.rules.equal_times == "never":
            return False
        if self.rules.night_belongs_to == "evening" and calendar.in_small_hours(local):
            return calendar.has_day(local - _DAY) and calendar.holds_but_for_days(local)
        return calendar.holds(local)

    def _instants(self, durations: list[Decimal], end: int) -> list[int]:
        """When calendar and duration switch, in µs since 1970."""
        starts = {self.session_start, self.reservation_start}
        found = {start + int(seconds * 1_000_000) for seconds in durations for start in starts}
        if timed := [calendar for e in self.tariff.elements if (calendar := e.conditions.calendar).restricts]:
            begin = instant(min(starts))
            switches = calendar_switches(timed, start=begin, end=instant(end), zone=self.zone)
            found |= {microseconds(at) for at in switches}
        return sorted(found)


class Cell:
    """A part of a session in which no price changes; ``inside`` is a point of it. Prices are worked out when asked.

    ``entered`` are the phases that a session had in it so far, ``tallies`` what its use is counted in, by dimension;
    None is free.
    """

    __slots__ = ("_grid", "entered", "inside", "tallies")

    def __init__(self, grid: Grid, inside: Point) -> None:
        self._grid, self.inside = grid, inside
        self.entered: set[str] = set()
        self.tallies: dict[str, Tally | None] = {}

    @property
    def tariff(self) -> Tariff:
        """The Tariff whose prices they are."""
        return self._grid.tariff

    def component(self, dimension: str, kind: str = SESSION) -> Priced | None:
        """What prices ``dimension``, None where it is free; ``kind`` tells the elements for reservations."""
        return self._grid.first(dimension, self.inside, kind)

    def time(self, phase: str, *, expired: bool) -> Priced | None:
        """What prices time of this kind; a reservation that expired by RESERVATION_EXPIRES, if that has a TIME."""
        if phase != RESERVED:
            return self.component(phase)
        kinds = (EXPIRES, RESERVATION) if expired else (RESERVATION,)
        return next((found for kind in kinds if (found := self.component("TIME", kind))), None)


def depends_on_calendar(tariff: Tariff) -> bool:
    """Whether the time zone of the Location matters."""
    return any(element.conditions.calendar.restricts for element in tariff.elements)


def _bounds(spans: Iterable[Span | None]) -> list[Decimal]:
    return sorted({bound for span in spans if span is not None for bound in span if bound is not None})


def _place(bounds: Sequence[Decimal], value: Decimal | None) -> int:
    return -1 if value is None else bisect_right(bounds, value)


def _known(value: Decimal | None, name: str) -> Decimal:
    if value is None:
        raise Unpriceable(f"the price depends on {name}, which is not known")
    return value
