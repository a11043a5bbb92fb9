"""Time cut into slots in which prices do not change: what curves, tiers and tariffs all become. Pure.

Inside the planner time is whole microseconds from ``now`` on, power whole tenths of a watt (the resolution of an OCPI
limit), and energy their product, so that adding up is exact.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from charging.planning.forecast import extend
from charging.planning.request import PlanRequest, PriceSlot, PriceTier
from charging.planning.tariff_prices import PricedBand, flat_price, tariff_slots

MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
HOUR = 3600 * SECOND
KW = 10_000
KWH = KW * HOUR


class Band(NamedTuple):
    """While power is below ``below`` and the energy so far below ``upto``, a kWh costs ``price``, an hour
    ``time_price``. None is no bound."""

    price: Decimal
    time_price: Decimal
    below: int | None = None
    upto: int | None = None


class Slot(NamedTuple):
    """From ``begin`` to ``end`` the first of ``bands`` that fits holds; an hour without power costs ``idle_price``."""

    begin: int
    end: int
    bands: tuple[Band, ...]
    idle_price: Decimal


class Prices(NamedTuple):
    """Slots without a gap from now to the departure; none where no price is known. From ``provisional_from`` on (if
    not None) some are forecast. ``flat`` is due once per session."""

    slots: tuple[Slot, ...]
    provisional_from: datetime | None = None
    flat: Decimal = Decimal(0)


def prices_of(request: PlanRequest) -> Prices:
    """What charging costs at each instant until the departure. Raises ``ValueError`` where prices overlap, or are
    given in more than one way."""
    if sum(source is not None for source in (request.prices, request.tariff, request.price_tiers)) > 1:
        raise ValueError("give one of prices, tariff and price_tiers")
    if request.tariff is not None:
        return _of_tariff(request, request.tariff, request.time_zone or "UTC")
    if request.price_tiers:
        return Prices(_of_tiers(request, request.price_tiers))
    if request.prices:
        return _of_curve(request, request.prices, request.time_price_per_hour, request.idle_price_per_hour)
    return Prices(())


def carbon_of(request: PlanRequest) -> Prices:
    """Grams of CO2 in the place of money, by the request's carbon curve."""
    return _of_curve(request, request.carbon or (), Decimal(0), Decimal(0))


def micros(span: timedelta) -> int:
    """``span`` in whole microseconds."""
    return span // MICROSECOND


def _of_curve(request: PlanRequest, curve: Sequence[PriceSlot], time_price: Decimal, idle_price: Decimal) -> Prices:
    now, until = request.now, request.departure_time
    ordered = sorted(curve, key=attrgetter("start"))
    if not ordered:
        return Prices(())
    has_gap = ordered[0].start > now or ordered[-1].end < until
    for before, after in pairwise(ordered):
        if before.end != after.start:
            if before.end > after.start:
                raise ValueError("price slots overlap")
            has_gap = True
    provisional_from = None
    if has_gap:
        known, provisional_from = extend(ordered, until=until, now=now)
        ordered = list(known)
    slots: list[Slot] = []
    begin, last = 0, micros(until - now)
    for priced in ordered:
        end = (priced.end - now) // MICROSECOND
        if end > begin:
            slots.append(Slot(begin, min(end, last), (Band(priced.price, time_price),), idle_price))
            if end >= last:
                break
            begin = end
    return Prices(_merged(slots), provisional_from)


def _of_tiers(request: PlanRequest, tiers: Sequence[PriceTier]) -> tuple[Slot, ...]:
    ordered = sorted(tiers, key=lambda tier: (tier.below_kw is None, tier.below_kw or 0))
    bands = tuple(Band(tier.price, request.time_price_per_hour, _below(tier.below_kw)) for tier in ordered)
    return (Slot(0, micros(request.departure_time - request.now), bands, request.idle_price_per_hour),)


def _of_tariff(request: PlanRequest, tariff: dict[str, Any], zone: str) -> Prices:
    slots = []
    for slot in tariff_slots(
        tariff,
        start=request.now,
        end=request.departure_time,
        time_zone=zone,
        kwh_so_far=request.kwh_so_far,
        started_at=request.started_at,
        rules=request.tariff_rules,
    ):
        time_price = slot.time_price + request.time_price_per_hour
        bands = tuple(_band(point, time_price, request.kwh_so_far) for point in slot.points)
        idle_price = (slot.parking_price if request.pauses_are_parking else 0) + request.idle_price_per_hour
        slots.append(Slot(micros(slot.start - request.now), micros(slot.end - request.now), bands, idle_price))
    began = request.started_at or request.now
    return Prices(_merged(slots), flat=flat_price(tariff, at=began, time_zone=zone, rules=request.tariff_rules))


def _band(point: PricedBand, time_price: Decimal, kwh_so_far: Decimal) -> Band:
    upto = None if point.upto_kwh is None else int((point.upto_kwh - kwh_so_far) * KWH)
    return Band(point.price, time_price + point.time_price, _below(point.below_kw), upto)


def _below(kw: Decimal | None) -> int | None:
    return None if kw is None else int((kw * KW).to_integral_value(ROUND_CEILING))


def _merged(slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Neighbours of the same prices as one."""
    merged: list[Slot] = []
    for slot in slots:
        if merged and merged[-1].bands == slot.bands and merged[-1].idle_price == slot.idle_price:
            slot = Slot(merged.pop().begin, *slot[1:])
        merged.append(slot)
    return tuple(merged)
