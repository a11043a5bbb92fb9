"""What must move, so that what a session has paid is what it owes; and the word for where that stands.

Pure. ``charging.payments.bill`` says what is owed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from charging.money import to_minor
from charging.payments.bill import Bill, BilledSession
from charging.payments.receipt import PaymentStatus


class PaymentKind(StrEnum):
    """The two directions in which a settlement moves money."""

    CAPTURE = "capture"
    REFUND = "refund"


class PaymentState(StrEnum):
    """``asked`` is written before the partner is called, so that a crash repeats the same key."""

    ASKED = "asked"
    DONE = "done"
    DECLINED = "declined"


@dataclass(frozen=True)
class Payment:
    """One movement of money that a settlement asked for. ``amount_minor`` is positive, in minor units."""

    key: str
    kind: PaymentKind
    amount_minor: int
    state: PaymentState = PaymentState.ASKED


def moved(payments: Iterable[Payment]) -> int:
    """What the user has paid so far for a session, in minor units."""
    sign = {PaymentKind.CAPTURE: 1, PaymentKind.REFUND: -1}
    return sum(sign[p.kind] * p.amount_minor for p in payments if p.state is PaymentState.DONE)


def next_payments(bill: Bill, payments: Sequence[Payment], session: BilledSession) -> list[Payment]:
    """What must be asked for now: nothing while something is still open, else the way from moved to owed.

    Beyond the hold the rest is captured by itself, so that a decline of the rest does not lose the hold. Keys
    come from the CDRs and a count; a payment is stored before it is asked for, so its key never changes.
    """
    if any(p.state is PaymentState.ASKED for p in payments):
        return []
    difference = to_minor(bill.cost, bill.currency) - moved(payments)
    kind = PaymentKind.CAPTURE if difference > 0 else PaymentKind.REFUND
    amounts = [-difference]
    if kind is PaymentKind.CAPTURE:
        from_hold = min(difference, max(0, to_minor(session.hold, bill.currency) - moved(payments)))
        amounts = [from_hold, difference - from_hold]
    return [
        Payment(f"{kind}/{session.session_id}/{bill.digest}/{len(payments) + n}", kind, amount)
        for n, amount in enumerate(amount for amount in amounts if amount)
    ]


def payment_status(bill: Bill, payments: Sequence[Payment]) -> PaymentStatus:
    """The one word for it. A refund to zero is ``refunded``; a smaller bill that is paid stays ``paid``."""
    owed = to_minor(bill.cost, bill.currency)
    if any(p.state is PaymentState.ASKED for p in payments):
        return PaymentStatus.PENDING
    if moved(payments) == owed:
        if owed:
            return PaymentStatus.PAID
        paid_once = any(p.state is PaymentState.DONE for p in payments)
        return PaymentStatus.REFUNDED if paid_once else PaymentStatus.NOT_REQUIRED
    declined = any(p.state is PaymentState.DECLINED and f"/{bill.digest}/" in p.key for p in payments)
    return PaymentStatus.FAILED if declined else PaymentStatus.PENDING
