"""What must move, so that what is paid is what is owed."""

from decimal import Decimal

import pytest

from charging.payments.bill import Bill, BilledSession, judge
from charging.payments.receipt import PaymentStatus
from charging.payments.settlement import Payment, PaymentKind, PaymentState, moved, next_payments, payment_status
from tests.payments.factory import cdr, price, stored

CAPTURE, REFUND = PaymentKind.CAPTURE, PaymentKind.REFUND
ASKED, DONE, DECLINED = PaymentState.ASKED, PaymentState.DONE, PaymentState.DECLINED
SESSION = BilledSession("s1", "ada", "Virta", "FI-VRT-E12345", "EUR", Decimal("50.00"))


def owing(amount: str) -> Bill:
    return judge([stored(cdr(total_cost=price(amount), total_energy_cost=None))], SESSION)


def made(*movements: tuple[PaymentKind, int, PaymentState], bill: Bill | None = None) -> list[Payment]:
    digest = bill.digest if bill else "earlier"
    return [
        Payment(f"{kind}/s1/{digest}/{n}", kind, amount, state) for n, (kind, amount, state) in enumerate(movements)
    ]


@pytest.mark.parametrize(
    ("owed", "before", "expected"),
    [
        ("0.00", [], []),
        ("12.50", [], [(CAPTURE, 1250)]),
        ("12.505", [], [(CAPTURE, 1251)]),
        ("60.00", [], [(CAPTURE, 5000), (CAPTURE, 1000)]),
        ("60.00", [(CAPTURE, 5000, DONE), (CAPTURE, 1000, DECLINED)], [(CAPTURE, 1000)]),
        ("12.50", [(CAPTURE, 1250, DONE)], []),
        ("12.50", [(CAPTURE, 1250, ASKED)], []),
        ("12.50", [(CAPTURE, 800, ASKED)], []),
        ("12.50", [(CAPTURE, 1250, DECLINED)], [(CAPTURE, 1250)]),
        ("8.00", [(CAPTURE, 1250, DONE)], [(REFUND, 450)]),
        ("0.00", [(CAPTURE, 1250, DONE)], [(REFUND, 1250)]),
        ("0.00", [(CAPTURE, 1250, DECLINED)], []),
        ("8.00", [(CAPTURE, 1250, DONE), (REFUND, 1250, DONE)], [(CAPTURE, 800)]),
        ("55.00", [(CAPTURE, 1250, DONE)], [(CAPTURE, 3750), (CAPTURE, 500)]),
    ],
)
def test_what_moves_is_the_difference_between_owed_and_paid(
    owed: str, before: list[tuple[PaymentKind, int, PaymentState]], expected: list[tuple[PaymentKind, int]]
) -> None:
    new = next_payments(owing(owed), made(*before), SESSION)
    assert [(payment.kind, payment.amount_minor) for payment in new] == expected


def test_keys_follow_from_the_cdrs_and_are_never_used_twice() -> None:
    bill = owing("60.00")
    first = next_payments(bill, [], SESSION)
    assert first == next_payments(bill, [], SESSION)
    declined = [Payment(p.key, p.kind, p.amount_minor, DECLINED) for p in first]
    again = next_payments(bill, declined, SESSION)
    assert len({payment.key for payment in [*first, *again]}) == 4


@pytest.mark.parametrize(
    ("owed", "before", "status"),
    [
        ("0.00", [], PaymentStatus.NOT_REQUIRED),
        ("12.50", [], PaymentStatus.PENDING),
        ("12.50", [(CAPTURE, 1250, ASKED)], PaymentStatus.PENDING),
        ("12.50", [(CAPTURE, 1250, DONE)], PaymentStatus.PAID),
        ("12.50", [(CAPTURE, 1250, DECLINED)], PaymentStatus.FAILED),
        ("60.00", [(CAPTURE, 5000, DONE), (CAPTURE, 1000, DECLINED)], PaymentStatus.FAILED),
        ("12.50", [(CAPTURE, 1250, DECLINED), (CAPTURE, 1250, DONE)], PaymentStatus.PAID),
        ("8.00", [(CAPTURE, 1250, DONE), (REFUND, 450, DONE)], PaymentStatus.PAID),
        ("0.00", [(CAPTURE, 1250, DONE), (REFUND, 1250, DONE)], PaymentStatus.REFUNDED),
        ("0.00", [(CAPTURE, 1250, DECLINED)], PaymentStatus.NOT_REQUIRED),
    ],
)
def test_the_payment_status_says_where_the_money_stands(
    owed: str, before: list[tuple[PaymentKind, int, PaymentState]], status: PaymentStatus
) -> None:
    bill = owing(owed)
    assert payment_status(bill, made(*before, bill=bill)) is status


def test_a_decline_of_an_older_bill_is_not_a_decline_of_this_one() -> None:
    assert payment_status(owing("8.00"), made((CAPTURE, 1250, DECLINED))) is PaymentStatus.PENDING


def test_only_what_was_done_counts_as_paid() -> None:
    assert moved(made((CAPTURE, 1250, DONE), (CAPTURE, 99, DECLINED), (CAPTURE, 7, ASKED), (REFUND, 250, DONE))) == 1000
