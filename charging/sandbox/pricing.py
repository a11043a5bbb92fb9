"""What charging costs at this CPO: its own arithmetic, which knows nothing of how the engine prices.

Pure. Prices are euros without VAT, per kWh and per hour parked. Energy has a day and a night price by local time;
a session is cut into periods wherever the price changes or the car stops asking for power (OCPI 2.2.1 §10.4.6).
Everything is computed from the volumes as they are published (Wh, ten-thousandths of an hour), so that whoever
multiplies the CDR's numbers gets the CDR's cost. Rounded once, at the end: the total, half up, to cents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

CURRENCY: Final = "EUR"
ZONE: Final = ZoneInfo("Europe/Helsinki")
DAY_BEGINS: Final = time(7)
NIGHT_BEGINS: Final = time(22)
VAT: Final = Decimal("25.5")
_CENT: Final = Decimal("0.01")
_FINE: Final = Decimal("0.0001")
_HOUR: Final = Decimal(3600)


@dataclass(frozen=True)
class DayNightTariff:
    """Energy by day and by night; ``parking`` is billed per started minute while the car asks for no power."""

    id: str
    day: Decimal
    night: Decimal
    parking: Decimal | None = None
    parking_step_s: int = 60

    def energy_price(self, at: datetime) -> Decimal:
        """Euros per kWh at ``at``, without VAT."""
        return self.day if DAY_BEGINS <= at.astimezone(ZONE).time() < NIGHT_BEGINS else self.night


class Mark(BaseModel):
    """From ``at`` on another price holds, or the car no longer asks for power. The meter showed ``wh`` then."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    wh: int
    parking: bool = False


@dataclass(frozen=True)
class Period:
    """A stretch of a session at one price."""

    start: datetime
    energy_kwh: Decimal
    hours: Decimal
    parking: bool
    price: Decimal


@dataclass(frozen=True)
class Amount:
    """Money in euros."""

    excl_vat: Decimal
    incl_vat: Decimal

    def wire(self) -> dict[str, Decimal]:
        """An OCPI Price."""
        return {"excl_vat": self.excl_vat, "incl_vat": self.incl_vat}


@dataclass(frozen=True)
class Bill:
    """What a session costs. Everything in cents, and the parts add up to the total."""

    periods: tuple[Period, ...]
    energy_kwh: Decimal
    hours: Decimal
    parking_hours: Decimal
    energy_cost: Amount
    parking_cost: Amount | None
    total: Amount


def next_price_change(after: datetime) -> datetime:
    """The first moment later than ``after`` at which day or night begins in Helsinki, UTC."""
    today = after.astimezone(ZONE).date()
    moments = (
        datetime.combine(today + timedelta(days=days), begins, ZONE).astimezone(UTC)
        for days in (0, 1)
        for begins in (DAY_BEGINS, NIGHT_BEGINS)
    )
    return min(moment for moment in moments if moment > after)


def bill(tariff: DayNightTariff, marks: Sequence[Mark], end: datetime, wh: int) -> Bill:
    """The bill of a session that ended (or stands) at ``end`` with the meter at ``wh``."""
    cut = periods(tariff, marks, end, wh)
    parking_hours = sum((p.hours for p in cut if p.parking), Decimal(0))
    energy = sum((p.energy_kwh * p.price for p in cut), Decimal(0))
    parking = _billed_hours(parking_hours, tariff.parking_step_s) * tariff.parking if tariff.parking else Decimal(0)
    total, parking_cost = _amount(energy + parking, _CENT), _amount(parking, _CENT)
    return Bill(
        periods=cut,
        energy_kwh=sum((p.energy_kwh for p in cut), Decimal(0)),
        hours=sum((p.hours for p in cut), Decimal(0)),
        parking_hours=parking_hours,
        # The rest, not a sum rounded by itself: a bill whose parts miss its total by a cent is an annoyance.
        energy_cost=Amount(total.excl_vat - parking_cost.excl_vat, total.incl_vat - parking_cost.incl_vat),
        parking_cost=parking_cost if tariff.parking else None,
        total=total,
    )


def periods(tariff: DayNightTariff, marks: Sequence[Mark], end: datetime, wh: int) -> tuple[Period, ...]:
    """The session cut at its marks. The volumes add up to the session's own: floors of sums, not sums of floors."""
    begin = marks[0].at
    ends = [*((mark.at, mark.wh) for mark in marks[1:]), (end, wh)]
    return tuple(
        Period(
            start=mark.at,
            energy_kwh=Decimal(until_wh - mark.wh) / 1000,
            hours=_hours(until - begin) - _hours(mark.at - begin),
            parking=mark.parking,
            price=tariff.energy_price(mark.at),
        )
        for mark, (until, until_wh) in zip(marks, ends, strict=True)
    )


def _hours(duration: timedelta) -> Decimal:
    seconds = Decimal(duration // timedelta(milliseconds=1)) / 1000
    return max(Decimal(0), (seconds / _HOUR).quantize(_FINE, ROUND_FLOOR))


def _billed_hours(hours: Decimal, step_s: int) -> Decimal:
    steps = (hours * _HOUR / step_s).to_integral_value(ROUND_CEILING)
    return steps * step_s / _HOUR


def _amount(excl: Decimal, unit: Decimal) -> Amount:
    incl = excl * (100 + VAT) / 100
    return Amount(excl.quantize(unit, ROUND_HALF_UP), incl.quantize(unit, ROUND_HALF_UP))


# ---- As OCPI writes it --------------------------------------------------------------------------------------------


def tariff_object(tariff: DayNightTariff, country_code: str, party_id: str, last_updated: datetime) -> dict[str, Any]:
    """``tariff`` as an OCPI 2.2.1 Tariff (§11.3.1): the first element that fits supplies each dimension."""
    night = {"start_time": f"{NIGHT_BEGINS:%H:%M}", "end_time": f"{DAY_BEGINS:%H:%M}"}
    elements: list[dict[str, Any]] = [
        {"price_components": [_component("ENERGY", tariff.night, 1)], "restrictions": night},
        {"price_components": [_component("ENERGY", tariff.day, 1)]},
    ]
    if tariff.parking:
        elements.append({"price_components": [_component("PARKING_TIME", tariff.parking, tariff.parking_step_s)]})
    return {
        "country_code": country_code,
        "party_id": party_id,
        "id": tariff.id,
        "currency": CURRENCY,
        "type": "REGULAR",
        "tariff_alt_text": [{"language": "en", "text": _in_words(tariff)}],
        "elements": elements,
        "last_updated": last_updated,
    }


def _component(kind: str, price: Decimal, step: int) -> dict[str, Any]:
    return {"type": kind, "price": price, "vat": VAT, "step_size": step}


def _in_words(tariff: DayNightTariff) -> str:
    day, night = (_amount(price, _FINE).incl_vat for price in (tariff.day, tariff.night))
    words = f"{day} EUR/kWh from 07:00 to 22:00, {night} EUR/kWh at night"
    return words + (f", {tariff.parking} EUR/h (without VAT) once the car is full" if tariff.parking else "")


def period_object(period: Period, tariff_id: str) -> dict[str, Any]:
    """``period`` as an OCPI ChargingPeriod (§10.4.6)."""
    kind = "PARKING_TIME" if period.parking else "TIME"
    dimensions = [{"type": "ENERGY", "volume": period.energy_kwh}, {"type": kind, "volume": period.hours}]
    return {"start_date_time": period.start, "dimensions": dimensions, "tariff_id": tariff_id}
