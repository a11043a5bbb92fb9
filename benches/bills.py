"""CDRs of many charging periods, and tariffs to price them by: as most are, and as bad as they come."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

PERIODS = 1_000
ZONE = "Europe/Berlin"

Json = dict[str, Any]

_MINUTE_H = Decimal("0.0167")
_WEEKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
_NIGHT_OF_THE_CLOCK_CHANGE = datetime(2026, 10, 24, 16, 0, tzinfo=UTC)


def typical_tariff() -> Json:
    """By day and by night, on weekdays and not: energy, time and parking, in steps."""
    return _tariff(
        _element(_part("FLAT", "0.50")),
        _element(_part("ENERGY", "0.45", 100), start_time="07:00", end_time="21:00", day_of_week=_WEEKDAYS),
        _element(_part("ENERGY", "0.32", 100)),
        _element(_part("TIME", "1.20", 60), _part("PARKING_TIME", "3.00", 300), min_duration=3600),
    )


def bad_tariff() -> Json:
    """Thirty elements by power, energy, duration, day and hour, each of which is asked before the last one holds."""
    elements = [
        _element(
            _part("ENERGY", f"0.{20 + n}", 100),
            _part("TIME", f"1.{20 + n}", 60),
            min_power=Decimal(n) / 2,
            max_power=Decimal(n) / 2 + Decimal("0.25"),
            min_kwh=n,
            max_kwh=n + 7,
            max_duration=n * 1800 + 900,
            start_time=f"{n % 24:02}:30",
            end_time=f"{(n + 5) % 24:02}:15",
            day_of_week=_WEEKDAYS[n % 5 :],
        )
        for n in range(29)
    ]
    return _tariff(*elements, _element(_part("ENERGY", "0.60"), _part("TIME", "2"), _part("PARKING_TIME", "4", 300)))


def long_cdr(tariff: Json, periods: int = PERIODS) -> Json:
    """So many minutes, over the night in which the clock is turned back: charging at changing power, then parked."""
    parked = periods // 10
    bodies: list[Json] = []
    at = _NIGHT_OF_THE_CLOCK_CHANGE
    for n in range(periods):
        kwh = Decimal(100 + n * 37 % 83) / 1000
        charged = [_volume("ENERGY", kwh), _volume("TIME", _MINUTE_H), _volume("MAX_POWER", kwh * 60)]
        dimensions = charged if n < periods - parked else [_volume("PARKING_TIME", _MINUTE_H)]
        bodies.append({"start_date_time": _text(at), "dimensions": dimensions})
        at += timedelta(minutes=1)
    energy = sum((d["volume"] for body in bodies for d in body["dimensions"] if d["type"] == "ENERGY"), Decimal(0))
    return {
        "country_code": "FI",
        "party_id": "VRT",
        "id": "CDR-LONG",
        "start_date_time": _text(_NIGHT_OF_THE_CLOCK_CHANGE),
        "end_date_time": _text(at),
        "currency": "EUR",
        "charging_periods": bodies,
        "tariffs": [tariff],
        "total_cost": {"excl_vat": Decimal(100)},
        "total_energy": energy,
        "total_time": _MINUTE_H * periods,
        "last_updated": _text(at),
    }


def _tariff(*elements: Json) -> Json:
    return {"id": "T1", "currency": "EUR", "elements": list(elements), "last_updated": "2026-01-01T00:00:00Z"}


def _element(*parts: Json, **restrictions: Any) -> Json:
    return {"price_components": list(parts), **({"restrictions": restrictions} if restrictions else {})}


def _part(kind: str, price: str, step: int = 1) -> Json:
    return {"type": kind, "price": Decimal(price), "vat": Decimal(19), "step_size": step}


def _volume(kind: str, volume: Decimal) -> Json:
    return {"type": kind, "volume": volume}


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
