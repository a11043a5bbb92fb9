"""The steps of a settlement in the store: each safe to repeat, whatever dies between them."""

import uuid
from decimal import Decimal
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.payments import PaymentActivities
from charging.payments.answers import Settlement
from charging.payments.port import PaymentOutcome, PaymentsUnavailable
from charging.payments.receipt import PaymentStatus
from charging.payments.wallet import Wallet
from charging.store.engine import Database
from charging.store.tables import receipts
from tests.payments.factory import (
    Raw,
    add_cdr,
    add_session,
    balances,
    cdr,
    cdr_states,
    count,
    credit,
    event_types,
    payment_rows,
    payment_status_of,
    price,
    receipt_of,
)


@pytest.fixture
def wallet(database: Database) -> Wallet:
    return Wallet(database, Decimal("100.00"))


@pytest.fixture
def activities(database: Database, wallet: Wallet) -> PaymentActivities:
    return PaymentActivities(wallet, database)


async def settle(activities: PaymentActivities, session_id: str) -> Settlement:
    """What the workflow does, without the workflow."""
    settlement = await activities.assess(session_id)
    if settlement.to_pay:
        await activities.pay(session_id)
        settlement = await activities.conclude(session_id)
    return settlement


def big(cdr_id: str, total: str) -> dict[str, Any]:
    return cdr(cdr_id, total_cost=price(total), total_energy_cost=None)


async def test_hold_capture_receipt_and_the_rest_comes_back(database: Database, activities: PaymentActivities) -> None:
    session_id = await add_session(database)
    answer = await activities.hold(session_id)
    assert (answer.held, answer.detail) == (True, "50.00 EUR held")
    await add_cdr(database, session_id, cdr())
    settlement = await settle(activities, session_id)
    assert (settlement.payment_status, settlement.owed, settlement.paid) == (
        PaymentStatus.PAID,
        Decimal("12.50"),
        Decimal("12.50"),
    )
    books = await balances(database)
    assert (books["user/ada/available"], books[f"session/{session_id}/held"]) == (Decimal("87.50"), 0)
    receipt = await receipt_of(database, session_id)
    assert receipt is not None
    assert (str(receipt.energy_kwh), str(receipt.cost), receipt.version) == ("31.2500", "12.50", 1)
    assert await payment_status_of(database, session_id) == "paid"
    assert await cdr_states(database, session_id) == {"CDR-1": "settled"}
    assert await event_types(database, session_id) == ["payment_paid"]


async def test_a_declined_hold_says_so(database: Database, activities: PaymentActivities) -> None:
    session_id = await add_session(database, hold="100.01")
    answer = await activities.hold(session_id)
    assert (answer.held, answer.detail) == (False, "a hold of 100.01 EUR was declined")


async def test_a_hold_of_nothing_asks_nobody(database: Database, activities: PaymentActivities) -> None:
    session_id = await add_session(database, hold="0")
    assert (await activities.hold(session_id)).held
    assert await balances(database) == {}


async def test_every_step_twice_is_every_step_once(database: Database, activities: PaymentActivities) -> None:
    session_id = await add_session(database)
    await add_cdr(database, session_id, cdr())
    for step in (activities.hold, activities.assess, activities.pay, activities.conclude, activities.release):
        await step(session_id)
        await step(session_id)
    assert await payment_rows(database, session_id) == [("capture", 1250, "done")]
    assert (await balances(database))["user/ada/available"] == Decimal("87.50")
    assert await event_types(database, session_id) == ["payment_paid"]
    assert await count(database, receipts, receipts.c.session_id == session_id) == 1


class Forgetful:
    """A wallet whose answers get lost on the way, ``lost`` times: the money has moved, and nobody knows."""

    def __init__(self, wallet: Wallet, lost: int) -> None:
        self._wallet, self._lost = wallet, lost

    async def hold(self, **call: Any) -> PaymentOutcome:
        return await self._wallet.hold(**call)

    async def capture(self, **call: Any) -> PaymentOutcome:
        outcome = await self._wallet.capture(**call)
        if self._lost:
            self._lost -= 1
            raise PaymentsUnavailable("timeout")
        return outcome

    async def release(self, **call: Any) -> PaymentOutcome:
        return await self._wallet.release(**call)

    async def refund(self, **call: Any) -> PaymentOutcome:
        return await self._wallet.refund(**call)


async def test_a_capture_of_unknown_outcome_is_asked_again_with_the_same_key(
    database: Database, wallet: Wallet
) -> None:
    activities = PaymentActivities(Forgetful(wallet, lost=2), database)
    session_id = await add_session(database)
    await add_cdr(database, session_id, cdr())
    await activities.assess(session_id)
    for _ in range(2):
        with pytest.raises(PaymentsUnavailable):
            await activities.pay(session_id)
    receipt = await receipt_of(database, session_id)
    assert receipt is not None
    assert receipt.payment_status is PaymentStatus.PENDING
    assert (await settle(activities, session_id)).payment_status is PaymentStatus.PAID
    assert (await balances(database))["user/ada/available"] == Decimal("87.50")


async def test_a_cdr_that_arrives_between_the_steps_is_not_lost_and_not_charged_twice(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await add_session(database)
    await add_cdr(database, session_id, cdr())
    await activities.assess(session_id)
    await add_cdr(database, session_id, credit())
    await activities.pay(session_id)
    assert (await activities.conclude(session_id)).more
    settlement = await settle(activities, session_id)
    assert (settlement.payment_status, settlement.paid) == (PaymentStatus.REFUNDED, 0)
    assert await cdr_states(database, session_id) == {"CDR-1": "settled", "CDR-1-C": "settled"}


async def test_credit_and_correction_make_receipt_version_two(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await add_session(database)
    await add_cdr(database, session_id, cdr())
    await settle(activities, session_id)
    await add_cdr(database, session_id, credit())
    await add_cdr(database, session_id, big("CDR-2", "8.00"))
    settlement = await settle(activities, session_id)
    assert (settlement.payment_status, settlement.version, settlement.paid) == (PaymentStatus.PAID, 2, 8)
    assert await payment_rows(database, session_id) == [("capture", 1250, "done"), ("refund", 450, "done")]


async def test_refund_first_when_the_correction_is_late(database: Database, activities: PaymentActivities) -> None:
    session_id = await add_session(database)
    steps = [(cdr(), "paid"), (credit(), "refunded"), (big("CDR-2", "8.00"), "paid")]
    for version, (body, status) in enumerate(steps, start=1):
        await add_cdr(database, session_id, body)
        settlement = await settle(activities, session_id)
        assert (settlement.payment_status, settlement.version) == (status, version)
    assert (await balances(database))["user/ada/available"] == 92
    assert await event_types(database, session_id) == ["payment_paid", "payment_refunded", "payment_paid"]


async def test_a_credit_before_its_original_waits_and_then_both_cancel(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await add_session(database)
    await add_cdr(database, session_id, credit())
    settlement = await settle(activities, session_id)
    assert settlement.payment_status is None
    assert settlement.waiting == ["CDR-1-C: waits for the CDR that it credits"]
    assert await receipt_of(database, session_id) is None
    await add_cdr(database, session_id, cdr())
    assert (await settle(activities, session_id)).payment_status is PaymentStatus.NOT_REQUIRED
    assert await payment_rows(database, session_id) == []


async def test_a_second_cdr_waits_in_quarantine_until_the_first_is_credited(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await add_session(database)
    await add_cdr(database, session_id, cdr())
    await settle(activities, session_id)
    await add_cdr(database, session_id, big("CDR-2", "8.00"))
    settlement = await settle(activities, session_id)
    assert settlement.quarantined == ["CDR-2: a second CDR while the first is not credited"]
    assert (settlement.paid, settlement.version) == (Decimal("12.50"), 1)
    assert await cdr_states(database, session_id) == {"CDR-1": "settled", "CDR-2": "quarantined"}
    await add_cdr(database, session_id, credit())
    assert (await settle(activities, session_id)).paid == 8
    assert set((await cdr_states(database, session_id)).values()) == {"settled"}


async def test_quarantine_charges_nothing_keeps_the_hold_and_tells_people_once(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await add_session(database)
    await activities.hold(session_id)
    await add_cdr(database, session_id, cdr(currency="SEK"))
    for _ in range(2):
        settlement = await settle(activities, session_id)
        assert (settlement.payment_status, settlement.to_pay, settlement.more) == (None, False, False)
    assert (await balances(database))[f"session/{session_id}/held"] == 50
    assert await event_types(database, session_id) == ["cdr_quarantined"]
    # The session's workflow gives up at its CDR deadline.
    await activities.release(session_id)
    assert (await balances(database))["user/ada/available"] == 100


async def test_a_zero_cdr_takes_no_payment_and_frees_the_hold(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await add_session(database)
    await activities.hold(session_id)
    await add_cdr(database, session_id, cdr(total_cost=price("0", "0"), total_energy_cost=None, total_energy=Raw("0")))
    settlement = await settle(activities, session_id)
    assert (settlement.payment_status, await payment_rows(database, session_id)) == ("not_required", [])
    assert (await balances(database))["user/ada/available"] == 100
    assert await cdr_states(database, session_id) == {"CDR-1": "settled"}


async def test_what_is_beyond_the_hold_is_captured_by_itself_and_its_decline_keeps_the_receipt(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await add_session(database, hold="90.00")
    await activities.hold(session_id)
    await add_cdr(database, session_id, big("CDR-1", "120.00"))
    settlement = await settle(activities, session_id)
    assert (settlement.payment_status, settlement.paid) == (PaymentStatus.FAILED, 90)
    assert await payment_rows(database, session_id) == [("capture", 9000, "done"), ("capture", 3000, "declined")]
    receipt = await receipt_of(database, session_id)
    assert receipt is not None
    assert (receipt.payment_status, receipt.cost) == (PaymentStatus.FAILED, 120)
    assert (await balances(database))[f"session/{session_id}/held"] == 0


async def test_settling_again_asks_a_declined_payment_again(database: Database, wallet: Wallet) -> None:
    poor = PaymentActivities(Wallet(database, Decimal("10.00")), database)
    session_id, other = await add_session(database), await add_session(database)
    await add_cdr(database, other, big("CDR-O", "9.00"))
    await settle(poor, other)
    await add_cdr(database, session_id, big("CDR-1", "5.00"))
    assert (await settle(poor, session_id)).payment_status is PaymentStatus.FAILED
    await add_cdr(database, other, credit("CDR-O", total_cost=price("-9.00"), total_energy_cost=None))
    await settle(poor, other)  # the user has money again
    settlement = await settle(poor, session_id)
    assert (settlement.payment_status, settlement.version) == (PaymentStatus.PAID, 1)
    assert await event_types(database, session_id) == ["payment_failed", "payment_paid"]


async def test_a_late_cdr_pays_without_a_hold(database: Database, activities: PaymentActivities) -> None:
    session_id = await add_session(database)
    await activities.hold(session_id)
    await activities.release(session_id)
    await add_cdr(database, session_id, cdr())
    assert (await settle(activities, session_id)).payment_status is PaymentStatus.PAID
    assert (await balances(database))["user/ada/available"] == Decimal("87.50")


async def test_a_session_that_does_not_exist_is_not_asked_again(activities: PaymentActivities) -> None:
    for step in (activities.hold, activities.release, activities.assess, activities.pay, activities.conclude):
        with pytest.raises(ApplicationError) as refused:
            await step(str(uuid.uuid4()))
        assert refused.value.non_retryable
