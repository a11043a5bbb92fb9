"""What a CPO asks for, beside what its Tariff gives (OCPI 2.2.1 §10.3.1). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from charging.money import from_minor
from charging.tariffs.amount import Amount, final
from charging.tariffs.rating import Rating
from charging.tariffs.tariff import Price, read_price
from charging.tariffs.usage import UnreadableUsage

# The CDR's part -> the dimension that it is the cost of. Fees of a reservation belong to the reservation (§10.3.1).
PARTS: Final = MappingProxyType(
    {
        "total_fixed_cost": "FLAT",
        "total_energy_cost": "ENERGY",
        "total_time_cost": "TIME",
        "total_parking_cost": "PARKING_TIME",
        "total_reservation_cost": "RESERVATION_TIME",
    }
)

Code = Literal["currency", "energy", "part", "sum", "tariff", "time", "total", "unknown_price", "unreadable"]


class Difference(BaseModel):
    """One thing that does not agree, or could not be checked: a stable ``code``, and words for people."""

    model_config = ConfigDict(frozen=True)

    code: Code
    detail: str


class Tolerance(BaseModel):
    """Amounts agree within ``minor_units`` or within ``share``, whichever is more: OCPI has no rule for rounding."""

    model_config = ConfigDict(frozen=True)

    minor_units: int = 1
    share: Decimal = Decimal("0.005")

    def agree(self, left: Decimal, right: Decimal, currency: str) -> bool:
        """Whether two amounts are the same for all practical purposes."""
        return abs(left - right) <= max(from_minor(self.minor_units, currency), self.share * abs(right))


@dataclass(frozen=True, slots=True)
class Asked:
    """The money in a CDR or Session. A Credit CDR's total is negative; only its size is compared."""

    currency: str | None
    total: Price | None
    parts: dict[str, Price]


def read_asked(body: dict[str, Any]) -> Asked:
    """The money in a canonical (2.2.1) CDR or Session. Raises ``UnreadableUsage``."""
    try:
        total = read_price(body.get("total_cost"))
        parts = {name: price for name in PARTS if (price := read_price(body.get(name))) is not None}
        currency = body["currency"].upper() if body.get("currency") else None
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        raise UnreadableUsage("its costs cannot be read") from None
    return Asked(currency, total, parts)


def compare(asked: Asked, rating: Rating, tolerance: Tolerance, by: str = "the tariff") -> list[Difference]:
    """Where the CPO asks for something else than ``rating``, which is ``by`` some tariff."""
    if asked.currency and asked.currency != rating.currency:
        return [Difference(code="currency", detail=f"what is asked is in {asked.currency}, {by} in {rating.currency}")]
    found = (
        []
        if asked.total is None
        else list(_apart("total_cost", "total", asked.total, rating.total, rating, tolerance, by))
    )
    if rating.limited_by:  # how a floor or ceiling is spread over the parts is nobody's rule
        return found
    for name, price in asked.parts.items():
        found += _apart(name, "part", price, part_of(rating, name), rating, tolerance, by)
    return found


def comparable(asked: Asked, rating: Rating) -> bool:
    """Whether there is a total on both sides, without VAT or with it."""
    return asked.total is not None and any(
        None not in pair for pair in ((asked.total.excl, rating.total.excl), (asked.total.incl, rating.total.incl))
    )


def part_of(rating: Rating, name: str) -> Amount:
    """What ``rating`` has for one part of a CDR."""
    reserved = name == "total_reservation_cost"
    return rating.of(*(("FLAT", "RESERVATION_TIME") if reserved else (PARTS[name],)), reservation=reserved)


def sums_up(asked: Asked, tolerance: Tolerance, bounds: tuple[Price, ...] = ()) -> list[Difference]:
    """Whether the parts make up the total; one that equals a floor or ceiling is right whatever its parts say."""
    if asked.total is None or not asked.parts:
        return []
    found = []
    for name in ("excl", "incl"):
        total, parts = getattr(asked.total, name), [getattr(price, name) for price in asked.parts.values()]
        if total is None or None in parts:
            continue
        allowed = [sum(parts), *(bound for price in bounds if (bound := getattr(price, name)) is not None)]
        if not any(tolerance.agree(abs(total), abs(right), asked.currency or "") for right in allowed):
            words = [in_words(amount, asked.currency or "") for amount in (sum(parts), total)]
            detail = f"the parts add up to {words[0]} {name}. VAT, total_cost is {words[1]}"
            found.append(Difference(code="sum", detail=detail))
    return found


def _apart(
    name: str, code: Code, asked: Price, ours: Amount, rating: Rating, tolerance: Tolerance, by: str
) -> Iterator[Difference]:
    for vat, theirs, mine in (("excl", asked.excl, ours.excl), ("incl", asked.incl, ours.incl)):
        if theirs is None or mine is None or tolerance.agree(abs(theirs), mine, rating.currency):
            continue
        right, wrong = final(mine, rating.currency), in_words(theirs, rating.currency)
        yield Difference(code=code, detail=f"{name} {vat}. VAT is {wrong} {rating.currency}, by {by} it is {right}")


def in_words(amount: Decimal, currency: str) -> str:
    """``amount`` with the digits of its currency, and any further ones that it has."""
    rounded = final(amount, currency)
    return str(rounded if rounded == amount else amount)
