"""What prices hold between two instants, by energy, power and current (OCPI 2.2.1 §11.3.3, §11.4.6). Pure.

Between two instants the same elements hold by calendar and duration; their other bounds cut that time into cells, in
each of which every price is constant. A cell is worked out once, and only where the session comes.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from charging.tariffs.conditions import Span
from charging.tariffs.rules import TariffRules
from charging.tariffs.steps import Tally
from charging.tariffs.tariff import Component, Element, Tariff, Unpriceable
from charging.tariffs.usage import RESERVED, Stretch

# The kinds of elements: for sessions, for reservations, and for those that expire.
SESSION: Final = "SESSION"
RESERVATION: Final = "RESERVATION"
EXPIRES: Final = "RESERVATION_EXPIRES"
KINDS: Final = (SESSION, RESERVATION, EXPIRES)

Priced = tuple[Element, Component]


class Interval:
    """A time in which the same ``elements``, by kind, hold by calendar and duration."""

    def __init__(self, tariff: Tariff, elements: Mapping[str, Sequence[Element]], rules: TariffRules) -> None:
        self.tariff, self.elements, self.whole_elements = tariff, elements, rules.whole_elements
        conditions = [element.conditions for kind in KINDS for element in elements[kind]]
        self._kwh_bounds = bounds_of(each.kwh for each in conditions)
        self._kw_bounds = bounds_of(each.power for each in conditions)
        self._ampere_bounds = bounds_of(each.current for each in conditions)
        self._cells: dict[tuple[int, int, int], Cell] = {}

    def cell(self, kwh: Decimal, stretch: Stretch) -> "Cell":
        """The cell of ``stretch`` when ``kwh`` are delivered."""
        key = (
            bisect_right(self._kwh_bounds, kwh),
            _place(self._kw_bounds, stretch.kw) if self._kw_bounds else 0,
            _place(self._ampere_bounds, stretch.amperes) if self._ampere_bounds else 0,
        )
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = Cell(self, kwh, stretch)
        return found


class Cell:
    """A part of a session in which no price changes. Prices are worked out when asked.

    ``entered`` are the phases that a session had in it so far, ``tallies`` what its use is counted in, by dimension;
    None is free.
    """

    __slots__ = ("_inside", "_interval", "entered", "tallies")

    def __init__(self, interval: Interval, kwh: Decimal, stretch: Stretch) -> None:
        self._interval, self._inside = interval, (kwh, stretch)
        self.entered: set[str] = set()
        self.tallies: dict[str, Tally | None] = {}

    @property
    def tariff(self) -> Tariff:
        """The Tariff whose prices they are."""
        return self._interval.tariff

    def component(self, dimension: str, kind: str = SESSION) -> Priced | None:
        """What prices ``dimension``, by the first element of a ``kind`` that holds; None where it is free.

        Raises ``Unpriceable`` where that depends on what is not known.
        """
        for element in self._interval.elements[kind]:
            component = element.components.get(dimension)
            if (component is not None or self._interval.whole_elements) and self._holds(element):
                return None if component is None else (element, component)
        return None

    def time(self, phase: str, *, expired: bool) -> Priced | None:
        """What prices time of this kind; a reservation that expired by RESERVATION_EXPIRES, if that has a TIME."""
        if phase != RESERVED:
            return self.component(phase)
        kinds = (EXPIRES, RESERVATION) if expired else (RESERVATION,)
        return next((found for kind in kinds if (found := self.component("TIME", kind))), None)

    def _holds(self, element: Element) -> bool:
        asked, (kwh, stretch) = element.conditions, self._inside
        return (
            (asked.kwh is None or asked.kwh.holds(kwh))
            and (asked.power is None or asked.power.holds(_known(stretch.kw, "power")))
            and (asked.current is None or asked.current.holds(_known(stretch.amperes, "current")))
        )


def bounds_of(spans: Iterable[Span | None]) -> list[Decimal]:
    """Every bound once, in order."""
    return sorted({bound for span in spans if span is not None for bound in span if bound is not None})


def _place(bounds: Sequence[Decimal], value: Decimal | None) -> int:
    return -1 if value is None else bisect_right(bounds, value)


def _known(value: Decimal | None, name: str) -> Decimal:
    if value is None:
        raise Unpriceable(f"the price depends on {name}, which is not known")
    return value
