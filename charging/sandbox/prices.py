"""The power market next door: prices of today and, from 12:00 UTC on, of tomorrow, hour by hour of Helsinki. Pure.

Euros per kWh including VAT. Every day is alike, unless somebody sets other prices: cheap at night and at noon, dear in
the morning and in the evening. A day of the clock change has 23 or 25 hours.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from charging.sandbox.pricing import CURRENCY, ZONE

PUBLISHED_FROM: Final = time(12)  # UTC
_USUAL: Final = tuple(
    Decimal(cents) / 100
    for cents in (9, 8, 7, 7, 8, 11, 17, 24, 27, 23, 18, 14, 12, 11, 13, 17, 22, 29, 33, 30, 24, 18, 13, 10)
)


class DayPrices(BaseModel):
    """A price for each hour of the local day, from midnight on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prices: Annotated[tuple[Decimal, ...], Field(min_length=24, max_length=24)] = _USUAL


def published(day: DayPrices, now: datetime) -> list[dict[str, Any]]:
    """The hours of today, and of tomorrow if they are known by ``now``."""
    today = now.astimezone(ZONE).date()
    days = [today, today + timedelta(days=1)] if now.astimezone(UTC).time() >= PUBLISHED_FROM else [today]
    return [hour for each in days for hour in _hours(day, each)]


def _hours(day: DayPrices, date: date) -> list[dict[str, Any]]:
    begin, end = (datetime.combine(date + timedelta(days=n), time(), ZONE).astimezone(UTC) for n in (0, 1))
    count = int((end - begin) / timedelta(hours=1))
    return [_hour(day, begin + timedelta(hours=n)) for n in range(count)]


def _hour(day: DayPrices, start: datetime) -> dict[str, Any]:
    price = day.prices[start.astimezone(ZONE).hour]
    return {"start": start, "end": start + timedelta(hours=1), "price": price}


def price_list(day: DayPrices, now: datetime) -> dict[str, Any]:
    """What is served: a curve as the engine reads it."""
    return {"currency": CURRENCY, "points": published(day, now)}
