"""Amounts of money in the three versions: a number, excl. and incl. VAT, before taxes and taxes. Pure.

Inside it is the Price of 2.2.1 (§16.5). ``incl_vat`` absent is unknown, which is not 0 %.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.shape import changed, number, renamed, with_numbers, without

CDR_PRICES: Final = (
    "total_cost",
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
)


def with_prices(body: Body, fields: Iterable[str], convert: Callable[[Any], Any]) -> Body:
    """``body`` with each of its prices converted."""
    for field in fields:
        body = changed(body, field, convert)
    return body


def price_of_any(value: Any) -> Any:
    """A Price from a bare number, which is excl. VAT, as 2.1.1 has it; numbers that came as text are numbers."""
    if isinstance(value, dict):
        return with_numbers(value, "excl_vat", "incl_vat")
    amount = number(value)
    return value if amount is None else {"excl_vat": amount}


def excl_vat(value: Any) -> Any:
    """The number that 2.1.1 has for a Price."""
    return value.get("excl_vat") if isinstance(value, dict) else value


def price_from_taxes(value: Any) -> Any:
    """A Price from that of 2.3.0; its ``taxes`` stay beside. No taxes given: the amount incl. VAT is unknown."""
    if not isinstance(value, dict) or "before_taxes" not in value:
        return price_of_any(value)
    price = with_numbers(renamed(value, {"before_taxes": "excl_vat"}), "excl_vat")
    before, taxes = number(price.get("excl_vat")), _taxes(value.get("taxes"))
    return price if before is None or taxes is None else {"incl_vat": before + taxes, **price}


def price_with_taxes(value: Any) -> Any:
    """The Price of 2.3.0: the taxes that stand beside, if they make up the difference, else all of it as VAT."""
    if not isinstance(value, dict) or "excl_vat" not in value:
        return value
    before, after = number(value.get("excl_vat")), number(value.get("incl_vat"))
    price = renamed(without(value, "incl_vat"), {"excl_vat": "before_taxes"})
    if before is None or after is None:
        return without(price, "taxes")
    if _taxes(value.get("taxes")) == after - before:
        return price
    return {**price, "taxes": [{"name": "VAT", "amount": after - before}]}


def _taxes(taxes: Any) -> Decimal | None:
    """Their sum; None where there are none, or one that cannot be read."""
    if not isinstance(taxes, list) or not taxes:
        return None
    amounts = [number(tax.get("amount")) if isinstance(tax, dict) else None for tax in taxes]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


_LIMIT: Final = {"before_taxes": "excl_vat", "after_taxes": "incl_vat"}
_LIMIT_BACK: Final = {new: old for old, new in _LIMIT.items()}


def price_from_limit(value: Any) -> Any:
    """A Price from the PriceLimit of 2.3.0 (floor and ceiling of a Tariff)."""
    return price_of_any(renamed(value, _LIMIT) if isinstance(value, dict) else value)


def limit_of_price(value: Any) -> Any:
    """The PriceLimit of 2.3.0."""
    return renamed(value, _LIMIT_BACK) if isinstance(value, dict) else value
