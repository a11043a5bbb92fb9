"""What a planned charge will cost by an OCPI Tariff (2.2.1 §11), before it starts. Pure.

The car is taken to charge evenly at full power from the start on, and to stay plugged in, parked, for the rest of the
time. ``step_size``, ``min_price`` and ``max_price`` are applied as to a bill. Reservations are not among it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from charging.tariffs.estimate import even_usage
from charging.tariffs.grid import depends_on_calendar
from charging.tariffs.rating import Rating, rate
from charging.tariffs.rules import TariffRules
from charging.tariffs.tariff import Tariff, Unpriceable, read_tariff

_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR_US: Final = 3_600_000_000
_WH: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Charge:
    """``kwh`` from ``start`` on at ``kw``, plugged in until ``end``; ``missing_kwh`` do not fit in that time."""

    start: datetime
    charged: datetime
    end: datetime
    kw: Decimal
    kwh: Decimal
    missing_kwh: Decimal

    @property
    def is_parked(self) -> bool:
        """Whether it stays plugged in when all is in."""
        return self.end > self.charged


@dataclass(frozen=True, slots=True)
class Quote:
    """A price before the start; ``assumptions`` in words. ``rating`` None: unknown, and ``unknown`` says why."""

    rating: Rating | None
    assumptions: tuple[str, ...]
    unknown: str | None = None


def planned_charge(kwh: Decimal, kw: Decimal, start: datetime, duration: timedelta | None) -> Charge:
    """The charge of ``kwh`` at ``kw`` within ``duration``; None: it leaves when all is in, or at once at 0 kW."""
    if kw <= 0:  # some CPOs say nothing of power but 0
        end = start + (duration or timedelta(0))
        return Charge(start, end, end, kw, Decimal(0), kwh)
    needed = _MICROSECOND * int(kwh / kw * _HOUR_US)
    if duration is None or needed <= duration:
        return Charge(start, start + needed, start + (needed if duration is None else duration), kw, kwh, Decimal(0))
    fits = (kw * Decimal(duration // _MICROSECOND) / _HOUR_US).quantize(_WH)
    end = start + duration
    return Charge(start, end, end, kw, fits, kwh - fits)


def quoted(tariff: Mapping[str, Any] | None, time_zone: str | None, rules: TariffRules, charge: Charge) -> Quote:
    """``charge`` by a canonical (2.2.1) Tariff body in the local time of ``time_zone``. Never fails."""
    if tariff is None:
        return Quote(None, (), "No tariff of this connector is known.")
    try:
        readable, zone = read_tariff(tariff), ZoneInfo(time_zone or "UTC")
        usage = even_usage(charge.kwh, charge.start, charge.charged, charge.end, is_parked=charge.is_parked)
        rating = rate(usage, [readable], zone, rules)
    except Unpriceable as error:
        return Quote(None, (), f"{str(error)[:1].upper()}{str(error)[1:]}.")
    except (LookupError, OSError, ValueError):
        return Quote(None, (), "The time zone of the location cannot be read.")
    return Quote(rating, tuple(_assumptions(readable, rating, time_zone)))


def _assumptions(tariff: Tariff, rating: Rating, time_zone: str | None) -> list[str]:
    found = ["By the tariff in force at the start, step sizes included."]
    if depends_on_calendar(tariff):
        zone = time_zone or "UTC, for the location names no time zone"
        found.append(f"Times of day are local: {zone}.")
    if rating.total.incl is None:
        found.append("The tariff names no VAT for some prices: whether VAT comes on top is not known.")
    if rating.limited_by:
        what = "least" if rating.limited_by == "min_price" else "most"
        found.append(f"The tariff's {what} that a session costs decides the total ({rating.limited_by}).")
    return found
