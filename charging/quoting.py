"""``Quoter``: prices a planned charge by the curve of prices for its Location, else by its connector's tariff."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from charging.money import round_money
from charging.ocpi.evse_id import EvseConnector
from charging.ocpi.wire import parse_datetime
from charging.planning.request import PriceSlot
from charging.store.curves import CurveStore, StoredCurve
from charging.store.evse_match import EvseMatch
from charging.tariffs.estimate import tariff_currency
from charging.tariffs.quote import Charge, planned_charge, quoted

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class PricedLine:
    """One price of a quote: volumes in kWh, h or times; ``cost`` as its price is, ``vat`` in %, None is not told."""

    dimension: str
    volume: Decimal
    billed_volume: Decimal
    price: Decimal
    vat: Decimal | None
    cost: Decimal
    why: str


@dataclass(frozen=True)
class PricedCharge:
    """A planned charge and its price in ``currency``; ``unknown`` says why there is none.

    ``source``: `tariff`, or the name of a curve. ``valid_until``: the end of the tariff, or of the curve.
    """

    charge: Charge
    is_known: bool
    excl_vat: Decimal | None
    incl_vat: Decimal | None
    currency: str | None
    lines: tuple[PricedLine, ...]
    assumptions: tuple[str, ...]
    unknown: str | None
    source: str | None
    tariff_id: str | None
    valid_until: datetime | None


class Quoter:
    """Raises ``StoreUnavailable``."""

    def __init__(self, curves: CurveStore) -> None:
        self._curves = curves

    async def quote(
        self,
        match: EvseMatch,
        connector: EvseConnector,
        *,
        kwh: Decimal,
        max_kw: Decimal | None,
        start: datetime,
        duration: timedelta | None,
    ) -> PricedCharge:
        """The price of ``kwh`` at ``connector`` from ``start`` on, plugged in for ``duration`` (None: until all is in).

        Power is the connector's, ``max_kw`` at most.
        """
        full = connector.max_power_w / 1000
        kw = (full if max_kw is None else min(full, max_kw)) * match.connection.power_factor
        charge = planned_charge(kwh, kw, start, duration)
        curve = (await self._curves.closest(match.connection.id, match.location_id)).get("price")
        if curve is not None and _covers(curve.slots, charge):
            return _by_curve(curve, charge)
        return _by_tariff(match, connector, charge)


def _by_tariff(match: EvseMatch, connector: EvseConnector, charge: Charge) -> PricedCharge:
    tariff = match.tariff_of(connector, charge.start)
    quote = quoted(tariff, match.time_zone, match.connection.tariff_rules, charge)
    ends = (tariff or {}).get("end_date_time")
    rating = quote.rating
    total = rating.rounded if rating else None
    lines = (
        PricedLine(line.dimension, line.volume, line.billed_volume, line.price, line.vat, line.cost, line.why)
        for line in (rating.lines if rating else ())
    )
    return PricedCharge(
        charge=charge,
        is_known=rating is not None,
        excl_vat=total.excl if total else None,
        incl_vat=total.incl if total else None,
        currency=tariff_currency(tariff),
        lines=tuple(lines),
        assumptions=(*_course(charge), *quote.assumptions),
        unknown=quote.unknown,
        source="tariff" if tariff else None,
        tariff_id=str(tariff["id"]) if tariff else None,
        valid_until=parse_datetime(ends) if ends else None,
    )


def _by_curve(curve: StoredCurve, charge: Charge) -> PricedCharge:
    lines = tuple(_line(slot, charge) for slot in curve.slots if _overlap(slot, charge) > timedelta(0))
    total = sum((line.cost for line in lines), Decimal(0))
    words = f"By the price curve {curve.name}, incl. VAT; time and parking cost nothing by it."
    return PricedCharge(
        charge=charge,
        is_known=True,
        excl_vat=None,
        incl_vat=round_money(total, curve.currency or "EUR"),
        currency=curve.currency,
        lines=lines,
        assumptions=(*_course(charge), words),
        unknown=None,
        source=curve.name,
        tariff_id=None,
        valid_until=curve.slots[-1].end,
    )


def _line(slot: PriceSlot, charge: Charge) -> PricedLine:
    share = Decimal(_overlap(slot, charge) // _MICROSECOND) / ((charge.charged - charge.start) // _MICROSECOND)
    kwh = charge.kwh * share
    why = f"from {_clock(max(slot.start, charge.start))} to {_clock(min(slot.end, charge.charged))}"
    return PricedLine("ENERGY", kwh, kwh, slot.price, None, kwh * slot.price, why)


def _covers(slots: tuple[PriceSlot, ...], charge: Charge) -> bool:
    """Whether the curve knows all prices from the start until all is in."""
    has_gaps = any(slot.end != following.start for slot, following in pairwise(slots))
    return not has_gaps and slots[0].start <= charge.start and charge.charged <= slots[-1].end


def _overlap(slot: PriceSlot, charge: Charge) -> timedelta:
    return min(slot.end, charge.charged) - max(slot.start, charge.start)


def _course(charge: Charge) -> list[str]:
    """What is taken to happen, in words."""
    power, kwh = f"{float(charge.kw):g} kW", f"{float(charge.kwh):g} kWh"
    words = [f"Charges {kwh} evenly at {power} from {_clock(charge.start)} to {_clock(charge.charged)}."]
    if charge.is_parked:
        words.append(f"Stays plugged in without charging until {_clock(charge.end)}.")
    return words


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
