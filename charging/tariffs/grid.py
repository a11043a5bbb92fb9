"""Which price component holds when: the first element whose restrictions match (OCPI 2.2.1 §11.3.3, §11.4.6). Pure.

A session is cut by all bounds of all restrictions into cells, in each of which every price is constant; a cell is
worked out once. Lower bounds are inclusive, upper exclusive. Power and current are momentary, energy and duration
count from the start of the session, times and days are the Location's.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from charging.tariffs.calendar import Restrictions, calendar_switches, in_calendar
from charging.tariffs.numbers import instant, microseconds, number
from charging.tariffs.rules import TariffRules
from charging.tariffs.tariff import Component, Element, Tariff, Unpriceable, UnreadableTariff
from charging.tariffs.usage import RESERVED, Stretch, Usage

RESERVATION: Final = "RESERVATION"
EXPIRES: Final = "RESERVATION_EXPIRES"
_CALENDAR: Final = ("start_time", "end_time", "start_date", "end_date", "day_of_week")
SESSION: Final = "SESSION"
_DAY: Final = timedelta(days=1)
_WHOLE: Final = Decimal(1)
_BROKEN = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)

Priced = tuple[Element, Component]


class Point(NamedTuple):
    """Where a session stands: ``at`` in µs since 1970, energy so far, momentary power and current."""

    at: int
    kwh: Decimal
    kw: Decimal | None
    amperes: Decimal | None


class Grid:
    """One session by one Tariff. Raises ``Unpriceable`` where a restriction cannot be read, or not be decided."""

    def __init__(self, tariff: Tariff, usage: Usage, zone: ZoneInfo, rules: TariffRules) -> None:
        self.tariff, self.zone, self.rules = tariff, zone, rules
        self.session_start, self.reservation_start = usage.started, usage.stretches[0].start
        self._cells: dict[tuple[int, int, int, int], Cell] = {}
        try:
            bounds = {name: self._bounds(name) for name in ("kwh", "power", "current", "duration")}
            self.instants = self._instants(bounds["duration"], usage.stretches[-1].end)
        except _BROKEN:
            raise UnreadableTariff("a restriction of the tariff cannot be read") from None
        self.kwh_bounds, self.kw_bounds, self.ampere_bounds = bounds["kwh"], bounds["power"], bounds["current"]

    def pieces(self, stretch: Stretch, kwh: Decimal) -> Iterable[tuple["Cell", Decimal]]:
        """``stretch``, which begins with ``kwh`` delivered, cut wherever a price could change: cells and shares."""
        begin, end = stretch.start, stretch.end
        after = kwh + stretch.kwh
        # Strictly inside: a stretch that begins or ends at a bound is not cut there.
        first, last = bisect_right(self.instants, begin), bisect_left(self.instants, end)
        low, high = (kwh, after) if stretch.kwh >= 0 else (after, kwh)
        energies = self.kwh_bounds[bisect_right(self.kwh_bounds, low) : bisect_left(self.kwh_bounds, high)]
        if not self.rules.cut_periods or (first >= last and not energies):
            return ((self.cell(Point(begin, kwh, stretch.kw, stretch.amperes)), _WHOLE),)
        return self._cut(stretch, kwh, self.instants[first:last], energies)

    def _cut(
        self, stretch: Stretch, kwh: Decimal, instants: Sequence[int], energies: Sequence[Decimal]
    ) -> Iterator[tuple["Cell", Decimal]]:
        begin, length = stretch.start, stretch.end - stretch.start
        shares = {Decimal(0), Decimal(1)} | {Decimal(at - begin) / length for at in instants}
        shares |= {(bound - kwh) / stretch.kwh for bound in energies}
        for share, following in pairwise(sorted(shares)):
            middle = (share + following) / 2  # not the edge: there a division decides on which side it is
            inside = Point(begin + int(length * middle), kwh + stretch.kwh * middle, stretch.kw, stretch.amperes)
            yield self.cell(inside), following - share

    def cell(self, point: Point) -> "Cell":
        """The cell that ``point`` lies in."""
        key = (
            bisect_right(self.instants, point.at),
            bisect_right(self.kwh_bounds, point.kwh),
            -1 if point.kw is None else bisect_right(self.kw_bounds, point.kw),
            -1 if point.amperes is None else bisect_right(self.ampere_bounds, point.amperes),
        )
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = Cell(self, point)
        return found

    def first(self, dimension: str, point: Point, kind: str) -> Priced | None:
        """What prices ``dimension`` at ``point``, looked for in the order of the elements."""
        try:
            return self._first(dimension, point, kind)
        except Unpriceable:
            raise
        except _BROKEN:
            raise UnreadableTariff("a restriction of the tariff cannot be read") from None

    def _first(self, dimension: str, point: Point, kind: str) -> Priced | None:
        for element in self.tariff.elements:
            if (element.reservation or SESSION) != kind:
                continue
            if not self.rules.whole_elements and dimension not in element.components:
                continue
            if self._holds(element.restrictions, point, kind):
                component = element.components.get(dimension)
                return None if component is None else (element, component)
        return None

    def _holds(self, restrictions: Restrictions, point: Point, kind: str) -> bool:
        since = self.session_start if kind == SESSION else self.reservation_start
        return (
            self._in_calendar(restrictions, point.at)
            and _between(restrictions, "kwh", point.kwh)
            and _between(restrictions, "duration", Decimal(point.at - since) / 1_000_000)
            and _between(restrictions, "power", point.kw)
            and _between(restrictions, "current", point.amperes)
        )

    def _in_calendar(self, restrictions: Restrictions, at: int) -> bool:
        begin, end = restrictions.get("start_time"), restrictions.get("end_time")
        if begin and begin == end and self.rules.equal_times == "never":
            return False
        local = instant(at).astimezone(self.zone)
        if (
            self.rules.night_belongs_to == "evening"
            and begin
            and end
            and f"{local:%H:%M}" < end.zfill(5) < begin.zfill(5)
        ):
            days = restrictions.get("day_of_week")
            evening = (local - _DAY).strftime("%A").upper()
            return (not days or evening in days) and in_calendar({**restrictions, "day_of_week": None}, local)
        return in_calendar(restrictions, local)

    def _bounds(self, name: str) -> list[Decimal]:
        keys = (f"min_{name}", f"max_{name}")
        all_restrictions = [element.restrictions for element in self.tariff.elements]
        return sorted({number(r[key]) for r in all_restrictions for key in keys if r.get(key) is not None})

    def _instants(self, durations: list[Decimal], end: int) -> list[int]:
        """When calendar and duration switch, in µs since 1970."""
        starts = {self.session_start, self.reservation_start}
        found = {start + int(seconds * 1_000_000) for seconds in durations for start in starts}
        if timed := [e.restrictions for e in self.tariff.elements if _is_timed(e)]:
            begin = instant(min(starts))
            switches = calendar_switches(timed, start=begin, end=instant(end), zone=self.zone)
            found |= {microseconds(at) for at in switches}
        return sorted(found)


class Cell:
    """A part of a session in which no price changes; ``inside`` is a point of it. Prices are worked out when asked."""

    __slots__ = ("_found", "_grid", "inside")

    def __init__(self, grid: Grid, inside: Point) -> None:
        self._grid, self.inside = grid, inside
        self._found: dict[tuple[str, str], Priced | None] = {}

    def component(self, dimension: str, kind: str = SESSION) -> Priced | None:
        """What prices ``dimension``, None where it is free; ``kind`` tells the elements for reservations."""
        key = (dimension, kind)
        if key not in self._found:
            self._found[key] = self._grid.first(dimension, self.inside, kind)
        return self._found[key]

    def time(self, phase: str, *, expired: bool) -> Priced | None:
        """What prices time of this kind; a reservation that expired by RESERVATION_EXPIRES, if that has a TIME."""
        if phase != RESERVED:
            return self.component(phase)
        kinds = (EXPIRES, RESERVATION) if expired else (RESERVATION,)
        return next((found for kind in kinds if (found := self.component("TIME", kind))), None)


def depends_on_calendar(tariff: Tariff) -> bool:
    """Whether the time zone of the Location matters."""
    return any(_is_timed(element) for element in tariff.elements)


def _is_timed(element: Element) -> bool:
    return any(element.restrictions.get(name) for name in _CALENDAR)


def _between(restrictions: Restrictions, name: str, value: Decimal | None) -> bool:
    low, high = restrictions.get(f"min_{name}"), restrictions.get(f"max_{name}")
    if low is None and high is None:
        return True
    if value is None:
        raise Unpriceable(f"the price depends on {name}, which is not known")
    return (low is None or value >= number(low)) and (high is None or value < number(high))
