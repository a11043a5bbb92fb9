"""Tariffs and CDRs as OCPI 2.2.1 writes them, short to say."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from charging.tariffs.rating import Rating, rate, rate_running
from charging.tariffs.rules import DEFAULT_RULES, TariffRules
from charging.tariffs.tariff import read_tariff
from charging.tariffs.usage import read_usage

Json = dict[str, Any]
BERLIN = "Europe/Berlin"
MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=ZoneInfo(BERLIN))


def component(kind: str, price: str | float, vat: str | float | None = None, step: int = 1) -> Json:
    found: Json = {"type": kind, "price": Decimal(str(price)), "step_size": step}
    return found if vat is None else {**found, "vat": Decimal(str(vat))}


def element(*components: Json, **restrictions: Any) -> Json:
    return {"price_components": list(components), **({"restrictions": restrictions} if restrictions else {})}


def tariff(*elements: Json, **fields: Any) -> Json:
    known = {"id": "T1", "currency": "EUR", "last_updated": "2026-01-01T00:00:00Z"}
    return {"country_code": "DE", "party_id": "ALL", **known, "elements": list(elements), **fields}


def price(excl: str | float, incl: str | float | None = None) -> Json:
    found = {"excl_vat": Decimal(str(excl))}
    return found if incl is None else {**found, "incl_vat": Decimal(str(incl))}


def period(minutes: float, kwh: str | float = 0, kind: str = "TIME", **levels: Any) -> tuple[float, Json]:
    """A charging period: its length in minutes, and its dimensions. ``levels`` are further ones, by name."""
    volumes = {"ENERGY": Decimal(str(kwh)), kind: _hours(minutes), **levels}
    return minutes, {"dimensions": [{"type": name, "volume": volume} for name, volume in volumes.items() if volume]}


def parked(minutes: float) -> tuple[float, Json]:
    return period(minutes, kind="PARKING_TIME")


def reserved(minutes: float) -> tuple[float, Json]:
    return period(minutes, kind="RESERVATION_TIME")


def cdr(*periods: tuple[float, Json], start: datetime = MONDAY, **fields: Any) -> Json:
    """A CDR of charging periods, one after the other."""
    at, bodies = start.astimezone(UTC), []
    for minutes, body in periods:
        bodies.append({"start_date_time": _text(at), **body})
        at += timedelta(minutes=minutes)
    volumes = [(d["type"], d["volume"]) for body in bodies for d in body["dimensions"]]
    return {
        "country_code": "DE",
        "party_id": "ALL",
        "id": "C1",
        "start_date_time": _text(start),
        "end_date_time": _text(at),
        "currency": "EUR",
        "charging_periods": bodies,
        "total_energy": sum((v for kind, v in volumes if kind == "ENERGY"), Decimal(0)),
        "total_time": sum((v for kind, v in volumes if kind.endswith("TIME")), Decimal(0)),
        "last_updated": _text(at),
        **fields,
    }


def rated(
    usage: Json,
    *tariffs: Json,
    zone: str = BERLIN,
    rules: TariffRules = DEFAULT_RULES,
    expired: bool = False,
    ended: bool = True,
) -> Rating:
    read: Sequence[Any] = [read_tariff(each) for each in tariffs]
    if not ended:
        return rate_running(read_usage(usage), read, ZoneInfo(zone), rules)[0]
    return rate(read_usage(usage), read, ZoneInfo(zone), rules, reservation_expired=expired)


def excl(*periods: tuple[float, Json], by: Json, **options: Any) -> str:
    """The exact cost without VAT as text, without trailing zeros."""
    start = options.pop("start", MONDAY)
    total = rated(cdr(*periods, start=start), by, **options).total.excl
    assert total is not None
    return f"{total.quantize(Decimal('1E-8')).normalize():f}"


def local(text: str, zone: str = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def _hours(minutes: float) -> Decimal:
    return (Decimal(str(minutes)) / 60).quantize(Decimal("1E-16"))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
