"""``PaymentsPort``: what the engine needs of whoever keeps the user's money.

Every call carries a key; the same key again answers the first outcome and moves nothing. Adapters raise
``PaymentsUnavailable`` when the outcome is unknown; the caller repeats with the same key. ``PaymentsRefused``: the
partner will not have the call as it is, so people must look; repeating it meanwhile does no harm.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from charging.errors import ChargingError


class PaymentsUnavailable(ChargingError):
    """No answer, or none that can be read: repeat with the same key."""


class PaymentsUndecided(PaymentsUnavailable):
    """The partner has the movement, and will decide: look again soon."""


class PaymentsRefused(ChargingError):
    """Nothing was moved: the partner does not take the call (our API key, the currency, a key used otherwise)."""


class PaymentOutcome(StrEnum):
    """What became of a hold, capture, release or refund."""

    DONE = "done"
    DECLINED = "declined"


class PaymentsPort(Protocol):
    """Hold, capture, release, refund. ``amount`` is exact, in ``currency``, not negative."""

    async def hold(self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str) -> PaymentOutcome:
        """Set ``amount`` aside for the session. DECLINED: the user cannot pay it."""
        ...

    async def capture(
        self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str
    ) -> PaymentOutcome:
        """Take ``amount``: from the session's hold as far as it reaches, the rest from the user directly."""
        ...

    async def release(self, *, key: str, session_id: str, user_id: str, currency: str) -> PaymentOutcome:
        """Give back what is left of the session's hold."""
        ...

    async def refund(
        self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str
    ) -> PaymentOutcome:
        """Give ``amount`` back to the user."""
        ...


@dataclass(frozen=True)
class Funds:
    """What one session amounts to at the payment side, in the session's currency. None of it is negative."""

    held: Decimal
    captured: Decimal
    refunded: Decimal


class PaymentsBooks(Protocol):
    """The look-up of a payment side that keeps books of its own, for the reconciliation. It moves nothing.

    ``name`` is for people. ``keeps_holds``: whether a session may have money there before anything was captured.
    """

    name: str
    keeps_holds: bool

    async def funds(self, *, session_id: str, currency: str) -> Funds:
        """All of one session; zeros where there is nothing. Raises ``PaymentsUnavailable``, ``PaymentsRefused``."""
        ...
