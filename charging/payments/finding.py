"""What the reconciliation finds wrong, and the comparison of our books with those of the payment side. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from charging.money import from_minor, round_money
from charging.payments.port import Funds

UNCHECKED: Final = "unchecked"
"""In the place of an invariant: whether it holds could not be found out."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be: the invariant that it breaks, whose it is, and what is wrong.

    ``ours`` and ``theirs``: what we and the payment side say, where the two differ.
    """

    invariant: str
    about: str
    detail: str
    ours: str | None = None
    theirs: str | None = None


@dataclass(frozen=True)
class SessionBooks:
    """What we say of one session, in minor units of ``currency``.

    ``is_settling``: a payment of ours has no outcome yet, and is so young that it is under way. ``is_over``: it has
    ended so long ago that no hold can stand.
    """

    session_id: str
    currency: str
    captured_minor: int
    refunded_minor: int
    is_settling: bool
    is_over: bool


def compared(books: SessionBooks, funds: Funds, partner: str) -> Iterator[Finding]:
    """Where the payment side says something else: I4 for what was moved, I10 for what is still held."""
    pairs = {
        "captured": (from_minor(books.captured_minor, books.currency), funds.captured),
        "refunded": (from_minor(books.refunded_minor, books.currency), funds.refunded),
    }
    for what, amounts in pairs.items():
        if not books.is_settling and amounts[0] != amounts[1]:
            we, they = (_shown(amount, books.currency) for amount in amounts)
            yield Finding("I4", books.session_id, f"{what}: we say {we}, {partner} says {they}", we, they)
    if books.is_over and funds.held != 0:
        we, they = _shown(Decimal(0), books.currency), _shown(funds.held, books.currency)
        yield Finding("I10", books.session_id, f"held: the session is over, {partner} still holds {they}", we, they)


def _shown(amount: Decimal, currency: str) -> str:
    """In full cents where it is that, else exactly."""
    rounded = round_money(amount, currency)
    return f"{rounded if rounded == amount else amount} {currency}"
