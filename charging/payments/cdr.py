"""What money needs of a CPO's CDR (OCPI 2.2.1 §10.3.1), read leniently and exactly.

Pure. A CDR is the CPO's bill and is never changed here: it is read, or it is ``Unreadable`` and a person looks.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

# Receipt dimension -> the CDR's field with its cost, in the order of a receipt's lines.
PARTS: Final = MappingProxyType(
    {
        "FLAT": "total_fixed_cost",
        "ENERGY": "total_energy_cost",
        "TIME": "total_time_cost",
        "PARKING_TIME": "total_parking_cost",
        "RESERVATION": "total_reservation_cost",
    }
)
_LARGEST: Final = Decimal(10) ** 9  # a session that costs or delivers more is a defect, not a bill
_FINEST: Final = -12  # digits after the decimal point
_EPOCH_YEAR: Final = 1970  # "1970-01-01T00:00:00Z" stands for an unknown time by bilateral agreement


class Unreadable(ValueError):
    """A CDR without something that money needs, or with something that no one can read. Its text says what."""


@dataclass(frozen=True)
class Price:
    """OCPI Price (§16.5): ``incl`` is None where the CPO gave no VAT, which is not the same as 0 %."""

    excl: Decimal
    incl: Decimal | None = None

    @property
    def due(self) -> Decimal:
        """What is to be paid: incl. VAT where the CPO says so, else the only amount there is."""
        return self.excl if self.incl is None else self.incl

    def __neg__(self) -> "Price":
        return Price(-self.excl, None if self.incl is None else -self.incl)


@dataclass(frozen=True)
class Cdr:
    """The CDR's money and the facts a receipt repeats. Energy kWh, times h, both exactly as received.

    ``credits`` is the id of the CDR that a Credit CDR takes back.
    """

    id: str
    currency: str
    total: Price
    energy_kwh: Decimal
    credit: bool = False
    credits: str | None = None
    parts: dict[str, Price] = field(default_factory=dict)
    time_h: Decimal | None = None
    parking_h: Decimal | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    remark: str = ""

    @property
    def duration_minutes(self) -> int:
        """Whole minutes, floor, of ``total_time``, else from start to end."""
        if self.time_h is not None:
            return int(self.time_h * 60)
        if self.started_at is None or self.ended_at is None:
            return 0
        return max(0, int((self.ended_at - self.started_at).total_seconds() // 60))


def parse_cdr(raw: str) -> Cdr:
    """The CDR in a JSON text, decimals exact. Raises ``Unreadable``."""
    try:
        body = json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Unreadable("not JSON") from None
    if not isinstance(body, dict):
        raise Unreadable("not a JSON object")
    return read_cdr(body)


def read_cdr(body: dict[str, Any]) -> Cdr:
    """The CDR in a decoded body. Raises ``Unreadable``."""
    total = _price(body, "total_cost")
    if total is None:
        raise Unreadable("total_cost is missing")
    energy = _number(body, "total_energy")
    if energy is None:
        raise Unreadable("total_energy is missing")
    return Cdr(
        id=_text(body, "id"),
        currency=_text(body, "currency").upper(),
        total=total,
        energy_kwh=energy,
        credit=body.get("credit") is True,
        credits=_text(body, "credit_reference_id") if body.get("credit_reference_id") else None,
        parts={kind: price for kind, name in PARTS.items() if (price := _price(body, name)) is not None},
        time_h=_number(body, "total_time"),
        parking_h=_number(body, "total_parking_time"),
        started_at=_time(body, "start_date_time"),
        ended_at=_time(body, "end_date_time"),
        remark=str(body.get("remark") or ""),
    )


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # some CPOs number what they send
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is missing")
    return value


def _number(body: dict[str, Any], name: str) -> Decimal | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise Unreadable(f"{name} is not a number")
    try:
        number = Decimal(str(value))  # of a text, too: some CPOs quote their numbers
    except ArithmeticError:
        raise Unreadable(f"{name} is not a number") from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _FINEST or abs(number) > _LARGEST:
        raise Unreadable(f"{name} is out of range")
    return number


def _price(body: dict[str, Any], name: str) -> Price | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is not a Price")
    excl, incl = _number(value, "excl_vat"), _number(value, "incl_vat")
    if excl is None:
        raise Unreadable(f"{name} has no excl_vat")
    return Price(excl, incl)


def _time(body: dict[str, Any], name: str) -> datetime | None:
    """A time that cannot be read is an unknown one: it costs nothing."""
    try:
        moment = datetime.fromisoformat(body[name])
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    return None if moment.year <= _EPOCH_YEAR else moment
