"""What power will cost at each instant, by an OCPI Tariff. Pure.

Source: OCPI 2.2.1 §11.3 and §11.4.6. At each instant each dimension is priced by the first element whose restrictions
hold and that has it, by OCPI 2.1.1 by the first whose restrictions hold; one that no element prices is free. Calendar
restrictions hold in the Location's local time, ``min_duration`` and ``max_duration`` count from the start of the
session, lower bounds are inclusive, upper exclusive.
A component without ``vat`` adds none; nor does any where ``tax_included`` (2.3.0) is YES. Elements for reservations do
not apply. Not seen here, because they belong to the session as a whole: ``step_size``, ``min_price``, ``max_price``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from charging.planning.request import LONGEST
from charging.tariffs.calendar import Calendar, Restrictions, calendar_switches, read_calendar
from charging.tariffs.rules import DEFAULT_RULES, TariffRules

_MICROSECOND = timedelta(microseconds=1)
_MOST_BANDS = 500
_BEYOND_PLANNING = ("min_current", "max_current")


@dataclass(frozen=True)
class PricedBand:
    """While power is below ``below_kw`` and the session's energy so far below ``upto_kwh``, a kWh costs ``price``.

    None is no bound. ``time_price`` comes per hour, on top of the slot's: it is 0 unless the price of time depends on
    power or energy. Both incl. VAT.
    """

    below_kw: Decimal | None
    upto_kwh: Decimal | None
    price: Decimal
    time_price: Decimal = Decimal(0)


@dataclass(frozen=True)
class TariffSlot:
    """From ``start`` (inclusive) to ``end`` (exclusive), both UTC, prices are these; all incl. VAT.

    ``time_price`` per hour in which power flows, ``parking_price`` per hour in which none does. Of ``points``, the
    first that fits the power and the energy holds; the last one always fits.
    """

    start: datetime
    end: datetime
    time_price: Decimal
    parking_price: Decimal
    points: tuple[PricedBand, ...]


def tariff_slots(
    tariff: dict[str, Any],
    *,
    start: datetime,
    end: datetime,
    time_zone: str,
    kwh_so_far: Decimal = Decimal(0),
    started_at: datetime | None = None,
    rules: TariffRules = DEFAULT_RULES,
) -> tuple[TariffSlot, ...]:
    """The prices from ``start`` to ``end``: slots without gaps, of which no two neighbours cost the same.

    ``rules``: how its CPO reads OCPI. ``time_zone`` is the Location's; the session began at ``started_at`` (None: at
    ``start``) and has taken ``kwh_so_far`` by ``start``. Parking is priced at that energy. Raises ``ValueError`` where
    ``tariff`` or ``time_zone`` cannot be read, where a price depends on current (A), which a plan in kW cannot tell,
    and where the span is empty or longer than ``LONGEST``.
    """
    if not timedelta(0) < end - start <= LONGEST:
        raise ValueError(f"prices are told for more than nothing and at most {LONGEST.days} days")
    try:
        prices = _Prices(tariff, rules, _zone(time_zone), (started_at or start).astimezone(UTC), kwh_so_far)
        cuts = prices.cuts(start.astimezone(UTC), end.astimezone(UTC))
        return tuple(_joined(prices.slot(begin, finish) for begin, finish in pairwise(cuts)))
    except (ArithmeticError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(_what_is_wrong(error)) from error


def flat_price(tariff: dict[str, Any], *, at: datetime, time_zone: str, rules: TariffRules = DEFAULT_RULES) -> Decimal:
    """What a session that starts at ``at`` costs once (FLAT), incl. VAT. Raises like ``tariff_slots``."""
    try:
        prices = _Prices(tariff, rules, _zone(time_zone), at.astimezone(UTC), Decimal(0))
        return prices.price("FLAT", _Circumstances(at.astimezone(UTC), Decimal(0), Decimal(0)))
    except (ArithmeticError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(_what_is_wrong(error)) from error


def _what_is_wrong(error: Exception) -> str:
    return f"the tariff lacks {error}" if isinstance(error, KeyError) else "the tariff cannot be read"


class _Circumstances(NamedTuple):
    """What restrictions are held against."""

    at: datetime
    kw: Decimal
    kwh: Decimal


class _Element(NamedTuple):
    """One TariffElement: what it asks, and its prices incl. VAT by dimension."""

    restrictions: Restrictions
    calendar: Calendar
    prices: dict[str, Decimal]


class _Prices:
    """A tariff that has been read, for one session."""

    def __init__(
        self, tariff: dict[str, Any], rules: TariffRules, zone: ZoneInfo, started_at: datetime, kwh_so_far: Decimal
    ) -> None:
        self.rules = rules
        self.zone, self.started_at, self.kwh_so_far = zone, started_at, kwh_so_far
        self.elements = list(_elements(tariff))
        all_restrictions = [element.restrictions for element in self.elements]
        # Between two neighbouring bounds nothing changes: prices are asked for at the lower one.
        self.kw_bounds = [Decimal(0), *_bounds(all_restrictions, "power", above=Decimal(0))]
        self.kwh_bounds = [kwh_so_far, *_bounds(all_restrictions, "kwh", above=kwh_so_far)]
        if len(self.kw_bounds) * len(self.kwh_bounds) > _MOST_BANDS:
            raise ValueError("the tariff has too many steps of power and energy")

    def cuts(self, start: datetime, end: datetime) -> list[datetime]:
        """Start, end, and between them each instant at which a price could change."""
        all_restrictions = [element.restrictions for element in self.elements]
        durations = _bounds(all_restrictions, "duration", above=Decimal(0))
        switches = {self.started_at + timedelta(seconds=float(seconds)) for seconds in durations}
        calendars = [element.calendar for element in self.elements]
        switches |= calendar_switches(calendars, start=start, end=end, zone=self.zone)
        return sorted({start, end} | {at for at in switches if start < at < end})

    def slot(self, start: datetime, end: datetime) -> TariffSlot:
        """The prices of a span in which they do not change."""
        bands = list(self._bands(start))
        time_prices = {band.time_price for band in bands}
        common = time_prices.pop() if len(time_prices) == 1 else Decimal(0)
        parked = _Circumstances(start, Decimal(0), self.kwh_so_far)
        return TariffSlot(
            start=start,
            end=end,
            time_price=common,
            parking_price=self.price("PARKING_TIME", parked),
            points=tuple(
                replace(band, time_price=band.time_price - common) for band in _without_needless_bounds(bands)
            ),
        )

    def price(self, dimension: str, here: _Circumstances) -> Decimal:
        """The price incl. VAT of ``dimension``: of the first element that holds and has it, else 0."""
        for element in self.elements:
            if (dimension in element.prices or self.rules.whole_elements) and self._holds(element, here):
                return element.prices.get(dimension, Decimal(0))
        return Decimal(0)

    def _bands(self, at: datetime) -> Iterator[PricedBand]:
        """Every cell between the bounds of energy and power, by energy, then by power."""
        for kwh, upto_kwh in zip(self.kwh_bounds, [*self.kwh_bounds[1:], None], strict=True):
            for kw, below_kw in zip(self.kw_bounds, [*self.kw_bounds[1:], None], strict=True):
                here = _Circumstances(at, kw, kwh)
                yield PricedBand(below_kw, upto_kwh, self.price("ENERGY", here), self.price("TIME", here))

    def _holds(self, element: _Element, here: _Circumstances) -> bool:
        restrictions = element.restrictions
        elapsed = Decimal((here.at - self.started_at) // _MICROSECOND) / 1_000_000
        return (
            self.rules.in_calendar(element.calendar, here.at.astimezone(self.zone))
            and _between(restrictions, "kwh", here.kwh)
            and _between(restrictions, "duration", elapsed)
            and _between(restrictions, "power", here.kw)
        )


def _elements(tariff: dict[str, Any]) -> Iterator[_Element]:
    if not tariff["elements"]:
        raise ValueError("the tariff has no elements: its price is unknown, not nothing")
    taxed = tariff.get("tax_included") == "YES"
    for element in tariff["elements"]:
        restrictions = element.get("restrictions") or {}
        if restrictions.get("reservation"):
            continue
        if any(restrictions.get(name) is not None for name in _BEYOND_PLANNING):
            raise ValueError("the tariff's price depends on current (A), which a plan in kW cannot tell")
        prices: dict[str, Decimal] = {}
        for component in element["price_components"]:
            vat = Decimal(0) if taxed else _number(component.get("vat") or 0)
            prices.setdefault(component["type"], _number(component["price"]) * (1 + vat / 100))
        yield _Element(restrictions, read_calendar(restrictions), prices)


def _without_needless_bounds(bands: Sequence[PricedBand]) -> Iterator[PricedBand]:
    """The same prices in fewer bands: of neighbours in power, and of neighbours in energy, that cost the same."""
    rows = [_joined_in_power(row) for _, row in groupby(bands, key=lambda band: band.upto_kwh)]
    for _, same in groupby(rows, key=lambda row: [(band.below_kw, _prices(band)) for band in row]):
        *_, last = same
        yield from last


def _joined_in_power(row: Iterable[PricedBand]) -> list[PricedBand]:
    return [list(same)[-1] for _, same in groupby(row, key=_prices)]


def _prices(band: PricedBand) -> tuple[Decimal, Decimal]:
    return band.price, band.time_price


def _joined(slots: Iterable[TariffSlot]) -> Iterator[TariffSlot]:
    """The same prices in fewer slots: neighbours that cost the same become one."""
    for _, same in groupby(slots, key=_cost):
        first, *others = same
        yield replace(first, end=others[-1].end) if others else first


def _cost(slot: TariffSlot) -> tuple[Decimal, Decimal, tuple[PricedBand, ...]]:
    return slot.time_price, slot.parking_price, slot.points


def _bounds(all_restrictions: Sequence[Restrictions], name: str, *, above: Decimal) -> list[Decimal]:
    """The bounds of ``min_<name>`` and ``max_<name>`` beyond ``above``, in order."""
    keys = (f"min_{name}", f"max_{name}")
    bounds = {_number(r[key]) for r in all_restrictions for key in keys if r.get(key) is not None}
    return sorted(bound for bound in bounds if bound > above)


def _between(restrictions: Restrictions, name: str, value: Decimal) -> bool:
    low, high = restrictions.get(f"min_{name}"), restrictions.get(f"max_{name}")
    return (low is None or value >= _number(low)) and (high is None or value < _number(high))


def _number(value: Any) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError("the tariff holds a price or a bound that is no number")
    return number


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError("the time zone is none of the IANA database") from error
