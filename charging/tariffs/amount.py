"""Amounts without and with VAT, and the floor and ceiling of a session (OCPI 2.2.1 §11.3.1; 2.3.0 taxes). Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from charging.money import round_money
from charging.tariffs.rules import TariffRules
from charging.tariffs.tariff import Component, Price, Tariff, Taxes

# Thirds of an hour leave dust far behind the decimal point, which must not decide the last rounding.
_DUST: Final = Decimal("1E-12")
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Amount:
    """Money, exact. None is unknown: no VAT was given, which is not 0 %. ``due`` holds all VAT that is known."""

    excl: Decimal | None
    incl: Decimal | None
    due: Decimal

    def rounded(self, currency: str) -> "Amount":
        """Each half up to the minor unit of ``currency``: the one rounding there is."""
        return Amount(
            None if self.excl is None else final(self.excl, currency),
            None if self.incl is None else final(self.incl, currency),
            final(self.due, currency),
        )


NOTHING: Final = Amount(_ZERO, _ZERO, _ZERO)


def final(amount: Decimal, currency: str) -> Decimal:
    """``amount`` half up to the minor unit of ``currency``."""
    return round_money(amount.quantize(_DUST), currency)


def amount_of(cost: Decimal, component: Component, taxes: Taxes, rules: TariffRules) -> Amount:
    """``cost`` by a component's price, without and with its VAT."""
    if not cost:
        return NOTHING
    if taxes is Taxes.NONE or (component.vat is None and rules.absent_vat == "none"):
        return Amount(cost, cost, cost)
    factor = None if component.vat is None else 1 + component.vat / 100
    if taxes is Taxes.INCLUDED:
        return Amount(cost / factor if factor else None, cost, cost)
    return Amount(cost, None, cost) if factor is None else Amount(cost, cost * factor, cost * factor)


def sum_of(amounts: Iterable[Amount]) -> Amount:
    """Their sum; unknown as soon as one is."""
    total = NOTHING
    for amount in amounts:
        total = Amount(_plus(total.excl, amount.excl), _plus(total.incl, amount.incl), total.due + amount.due)
    return total


def bounded(total: Amount, tariff: Tariff) -> tuple[Amount, str | None]:
    """``total`` within the Tariff's ``min_price`` and ``max_price``, and the name of the one that changed it.

    Without and with VAT each have their own bound. Where only the bound without VAT is given, VAT keeps its share.
    """
    limited_by = None
    for name, limit, choose in (("min_price", tariff.floor, _most), ("max_price", tariff.ceiling, _least)):
        if limit is not None and (changed := _within(total, limit, choose)) != total:
            total, limited_by = changed, name
    return total, limited_by


def _within(total: Amount, limit: Price, choose: Callable[[Decimal, Decimal], Decimal]) -> Amount:
    excl = total.excl if total.excl is None or limit.excl is None else choose(total.excl, limit.excl)
    if limit.incl is not None:
        incl = None if total.incl is None else choose(total.incl, limit.incl)
        return Amount(excl, incl, choose(total.due, limit.incl))
    if excl == total.excl or excl is None:
        return total
    share = excl / total.excl if total.excl else None
    if share is None:  # a floor under nothing: there is no VAT whose share could be kept
        return Amount(excl, None, excl)
    return Amount(excl, None if total.incl is None else total.incl * share, total.due * share)


def _plus(left: Decimal | None, right: Decimal | None) -> Decimal | None:
    return None if left is None or right is None else left + right


def _most(left: Decimal, right: Decimal) -> Decimal:
    return max(left, right)


def _least(left: Decimal, right: Decimal) -> Decimal:
    return min(left, right)
