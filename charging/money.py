"""Money: exact decimals with a currency, rounded once, at the end, to the currency's minor unit (ISO 4217)."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

# ISO 4217 minor units that are not two digits.
_EXPONENTS: Final = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(),
        0,
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
}


def exponent(currency: str) -> int:
    """Digits after the decimal point of ``currency`` (ISO 4217), 2 where nothing else is known."""
    return _EXPONENTS.get(currency.upper(), 2)


def round_money(amount: Decimal, currency: str) -> Decimal:
    """``amount`` rounded half up to the minor unit of ``currency``. OCPI gives no rule; ADR 0006 records ours."""
    return amount.quantize(Decimal(1).scaleb(-exponent(currency)), rounding=ROUND_HALF_UP)


def to_minor(amount: Decimal, currency: str) -> int:
    """``amount`` in minor units (cents for EUR), rounded half up."""
    return int(round_money(amount, currency).scaleb(exponent(currency)))


def from_minor(minor: int, currency: str) -> Decimal:
    """The amount that ``minor`` units of ``currency`` are."""
    return Decimal(minor).scaleb(-exponent(currency))
