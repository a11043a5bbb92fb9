"""What a kWh costs from moment to moment, for people to look at. Pure.

A plan is made from more than this line (power tiers, time and parking, what depends on energy): it shows the price of
energy at the beginning of a session at one power.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from charging.planning.departure import Prices
from charging.planning.request import PriceSlot
from charging.planning.tariff_prices import TariffSlot, tariff_slots


def price_line(prices: Prices, start: datetime, end: datetime, power_kw: Decimal) -> tuple[PriceSlot, ...]:
    """The prices that are known from ``start`` to ``end``; empty where none is, or where a tariff cannot be read."""
    if end <= start:
        return ()
    if prices.curve is not None:
        return tuple(_cut(slot, start, end) for slot in prices.curve if slot.start < end and slot.end > start)
    if prices.tariff is None:
        return ()
    zone = prices.time_zone or "UTC"
    try:
        slots = tariff_slots(dict(prices.tariff), start=start, end=end, time_zone=zone, rules=prices.rules)
    except ValueError:
        return ()
    return tuple(_priced(slots, power_kw))


def _cut(slot: PriceSlot, start: datetime, end: datetime) -> PriceSlot:
    return PriceSlot(start=max(slot.start, start), end=min(slot.end, end), price=slot.price)


def _priced(slots: tuple[TariffSlot, ...], power_kw: Decimal) -> Iterator[PriceSlot]:
    for slot in slots:
        fitting = (band for band in slot.points if band.below_kw is None or power_kw < band.below_kw)
        yield PriceSlot(start=slot.start, end=slot.end, price=next(fitting, slot.points[-1]).price)
