"""What a TariffElement asks before it prices anything (OCPI 2.2.1 §11.4.6), read once. Pure."""

from decimal import Decimal
from typing import NamedTuple

from charging.tariffs.calendar import Calendar, Restrictions, read_calendar
from charging.tariffs.numbers import number


class Span(NamedTuple):
    """At least ``low``, and less than ``high``; None is no bound."""

    low: Decimal | None
    high: Decimal | None

    def holds(self, value: Decimal) -> bool:
        """Whether ``value`` lies in it."""
        return (self.low is None or value >= self.low) and (self.high is None or value < self.high)


class Conditions(NamedTuple):
    """All of these must hold; None asks nothing. ``duration`` in s, ``kwh`` since the start, ``power`` kW, A."""

    calendar: Calendar
    duration: Span | None
    kwh: Span | None
    power: Span | None
    current: Span | None


def read_conditions(restrictions: Restrictions) -> Conditions:
    """The conditions in a TariffRestrictions. Raises ``ValueError`` and its like where something in it is not OCPI."""
    spans = (_span(restrictions, name) for name in ("duration", "kwh", "power", "current"))
    return Conditions(read_calendar(restrictions), *spans)


def _span(restrictions: Restrictions, name: str) -> Span | None:
    low, high = (
        None if restrictions.get(key) is None else number(restrictions[key]) for key in (f"min_{name}", f"max_{name}")
    )
    return None if low is None and high is None else Span(low, high)
