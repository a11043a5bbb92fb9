"""What a session costs by its Tariff, line by line (OCPI 2.2.1 §10.3, §11.3). Pure.

Exact decimals throughout; only ``Rating.rounded`` rounds, once, half up, to the minor unit of the currency (ADR 0006).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from charging.tariffs.amount import Amount, amount_of, bounded, sum_of
from charging.tariffs.cells import EXPIRES, RESERVATION, SESSION, Cell, Priced
from charging.tariffs.grid import Grid
from charging.tariffs.rules import DEFAULT_RULES, TariffRules
from charging.tariffs.steps import Tally, add_surplus
from charging.tariffs.tariff import Price, Tariff, Unpriceable
from charging.tariffs.usage import RESERVED, Stretch, Usage
from charging.tariffs.wording import reason

_ONE: Final = Decimal(1)
_LARGEST: Final = Decimal(10) ** 12  # what costs more is nonsense, and has more digits than are calculated with


@dataclass(frozen=True, slots=True)
class Line:
    """What one price component costs. Volumes in kWh, h or times; ``cost`` = ``billed_volume`` * ``price``.

    ``dimension`` is ENERGY, TIME, PARKING_TIME, RESERVATION_TIME or FLAT; ``element`` its place in the Tariff, from 1;
    ``why`` says in words when it holds and what ``step_size`` added; ``amount`` the cost without and with VAT.
    """

    dimension: str
    volume: Decimal
    billed_volume: Decimal
    price: Decimal
    vat: Decimal | None
    cost: Decimal
    amount: Amount
    tariff_id: str
    element: int
    reservation: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Rating:
    """The price of a session by ``tariff``, the one at its end.

    ``total`` is exact, ``limited_by`` the floor or ceiling that made it what it is.
    """

    tariff: Tariff
    lines: tuple[Line, ...]
    total: Amount
    limited_by: str | None

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return self.tariff.currency

    @property
    def bounds(self) -> tuple[Price, ...]:
        """Floor and ceiling, as far as there are any."""
        return tuple(price for price in (self.tariff.floor, self.tariff.ceiling) if price is not None)

    @property
    def rounded(self) -> Amount:
        """The total in the currency's minor unit."""
        return self.total.rounded(self.currency)

    def of(self, *dimensions: str, reservation: bool = False) -> Amount:
        """The exact cost of these dimensions, before floor and ceiling."""
        return sum_of(
            line.amount
            for line in self.lines
            if line.dimension in dimensions and (line.reservation is not None) == reservation
        )


def rate(
    usage: Usage,
    tariffs: Sequence[Tariff],
    zone: ZoneInfo,
    rules: TariffRules = DEFAULT_RULES,
    *,
    reservation_expired: bool = False,
) -> Rating:
    """The price of ``usage``. Of several ``tariffs`` each charging period names its own. Raises ``Unpriceable``."""
    run = _Run(usage, tariffs, zone, rules, reservation_expired)
    add_surplus(list(run.tallies.values()), rules)
    return run.rating()


def rate_running(
    usage: Usage, tariffs: Sequence[Tariff], zone: ZoneInfo, rules: TariffRules = DEFAULT_RULES
) -> tuple[Rating, Rating]:
    """The price of ``usage`` so far, and if it ended here. Raises ``Unpriceable``.

    So far without ``step_size``: nobody has to pay more than there was.
    """
    run = _Run(usage, tariffs, zone, rules, expired=False)
    so_far = run.rating()
    add_surplus(list(run.tallies.values()), rules)
    return so_far, run.rating()


class _Run:
    """One pass over the stretches of a session. ``in_force`` is the Tariff at its end."""

    def __init__(
        self, usage: Usage, tariffs: Sequence[Tariff], zone: ZoneInfo, rules: TariffRules, expired: bool
    ) -> None:
        if not tariffs or len({tariff.currency for tariff in tariffs}) > 1:
            raise Unpriceable("no tariff, or tariffs in several currencies")
        self.usage, self.rules, self.expired = usage, rules, expired
        self.grids = {tariff.id.upper(): Grid(tariff, usage, zone, rules) for tariff in tariffs}
        self.first = next(iter(self.grids.values()))
        self.names_tariffs = any(stretch.tariff_id for stretch in usage.stretches)
        self.tallies: dict[tuple[str, int, str], Tally] = {}
        self.flats: dict[str, dict[tuple[str, int], Tally]] = {}
        self.in_force = tariffs[0]
        self.turn = 0
        kwh = Decimal(0)
        for stretch in usage.stretches:
            if (grid := self._grid(stretch)) is not None:
                self.in_force = grid.tariff
                for cell, share in grid.pieces(stretch, kwh):
                    self.turn += 1
                    self._count(stretch, cell, share)
            kwh += stretch.kwh

    def rating(self) -> Rating:
        """What it costs, with the surplus that the tallies have by now."""
        lines = tuple(_line(tally, self.rules) for tally in (*self._fees(), *self.tallies.values()))
        if any(max(abs(line.cost), abs(line.amount.due)) > _LARGEST for line in lines):
            raise Unpriceable("the price is absurd")
        total = sum_of(line.amount for line in lines)
        had_session = any(stretch.phase != RESERVED for stretch in self.usage.stretches)
        total, limited_by = bounded(total, self.in_force) if had_session else (total, None)
        return Rating(self.in_force, lines, total, limited_by)

    def _fees(self) -> Iterator[Tally]:
        """The FLAT components to charge: of each kind the first one that costs something, or all of them."""
        if self.rules.expiry_fee == "instead" and EXPIRES in self.flats:
            self.flats.pop(RESERVATION, None)
        for active in self.flats.values():
            paid = [fee for fee in active.values() if fee.component.price]
            yield from (paid if self.rules.flat == "each" else paid[:1]) or [next(iter(active.values()))]

    def _grid(self, stretch: Stretch) -> Grid | None:
        """The Tariff of a stretch: the only one, else the one it names; none where only others name one (§10.4.6)."""
        if len(self.grids) == 1 or not self.names_tariffs:
            return self.first
        if stretch.tariff_id is None:
            return None
        if (found := self.grids.get(str(stretch.tariff_id).upper())) is None:
            raise Unpriceable("a charging period names a tariff that is not there")
        return found

    def _count(self, stretch: Stretch, cell: Cell, share: Decimal) -> None:
        phase = stretch.phase
        if phase not in cell.entered:
            cell.entered.add(phase)
            self._enter(cell, phase)
        if stretch.kwh and (tally := self._tally(cell, "ENERGY")):
            tally.volume += stretch.kwh * share
            tally.last = self.turn
        if stretch.hours and (tally := self._tally(cell, phase)):
            tally.volume += stretch.hours * share
            tally.seconds += stretch.seconds * share
            tally.last = self.turn

    def _tally(self, cell: Cell, dimension: str) -> Tally | None:
        """What use of this kind is counted in, None where it is free."""
        try:
            return cell.tallies[dimension]
        except KeyError:
            is_energy = dimension == "ENERGY"
            priced = cell.component(dimension) if is_energy else cell.time(dimension, expired=self.expired)
            tally = cell.tallies[dimension] = None if priced is None else self._tally_of(cell.tariff, priced, dimension)
            return tally

    def _tally_of(self, tariff: Tariff, priced: Priced, dimension: str) -> Tally:
        element, component = priced
        key = (tariff.id, element.number, dimension)
        if key not in self.tallies:
            self.tallies[key] = Tally(tariff, element, component, dimension)
        return self.tallies[key]

    def _enter(self, cell: Cell, phase: str) -> None:
        """The fees that become active in a cell."""
        kinds = (SESSION,) if phase != RESERVED else (RESERVATION, EXPIRES) if self.expired else (RESERVATION,)
        for kind in kinds:
            if priced := cell.component("FLAT", kind):
                active, key = self.flats.setdefault(kind, {}), (cell.tariff.id, priced[0].number)
                if key not in active:
                    active[key] = Tally(cell.tariff, *priced, "FLAT", volume=_ONE)


def _line(tally: Tally, rules: TariffRules) -> Line:
    component = tally.component
    billed = tally.volume + tally.surplus
    cost = billed * component.price
    return Line(
        dimension=tally.dimension,
        volume=tally.volume,
        billed_volume=billed,
        price=component.price,
        vat=component.vat,
        cost=cost,
        amount=amount_of(cost, component, tally.tariff.taxes, rules),
        tariff_id=tally.tariff.id,
        element=tally.element.number,
        reservation=tally.element.reservation,
        why=reason(tally),
    )
