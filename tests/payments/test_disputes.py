"""What a person decides about a CDR, and what becomes of the money; and the proof that it is right."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from activities.payments import PaymentActivities
from charging.payments.bill import Dispute
from charging.payments.finding import Finding
from charging.payments.receipt import PaymentStatus
from charging.payments.wallet import Wallet
from charging.store.disputes import CannotAccept, DisputedCdr, DisputeStore
from charging.store.engine import Database
from charging.store.reconciliation import reconcile
from charging.store.tables import cdrs, inbox, ledger, receipts, sessions
from tests.payments.factory import (
    NOW,
    add_cdr,
    add_session,
    balances,
    cdr,
    cdr_states,
    change_cdr,
    credit,
    event_types,
    payment_status_of,
    price,
    receipt_of,
    tariff,
)
from tests.payments.test_payment_activities import settle

DEAR = cdr(total_cost=price("20.00", "25.00"), total_energy_cost=price("20.00", "25.00"))
SLIGHTLY_DEAR = cdr(total_cost=price("10.30", "12.88"), total_energy_cost=price("10.30", "12.88"))


@pytest.fixture
def activities(database: Database) -> PaymentActivities:
    return PaymentActivities(Wallet(database, Decimal("100.00")), database)


async def start(database: Database, activities: PaymentActivities, hold: str = "50.00") -> str:
    """A session with its hold, whose tariff makes 12.50 of ``cdr()``'s energy."""
    session_id = await add_session(database, hold=hold)
    await activities.hold(session_id)
    async with database.write() as store:
        energy = {"type": "ENERGY", "price": 0.32, "vat": 25}
        snapshot = {**tariff("0.32"), "elements": [{"price_components": [energy]}]}
        await store.execute(update(sessions).where(sessions.c.id == session_id).values(tariff=snapshot))
    return session_id


async def billed(database: Database, activities: PaymentActivities, *bodies: dict[str, Any]) -> str:
    session_id = await start(database, activities)
    for body in bodies:
        await add_cdr(database, session_id, body)
        await settle(activities, session_id)
    return session_id


async def only_dispute(database: Database) -> DisputedCdr:
    (dispute,) = await DisputeStore(database).newest(Dispute.OPEN, 10)
    return dispute


async def decide(database: Database, activities: PaymentActivities, decision: Dispute) -> DisputedCdr:
    dispute = await only_dispute(database)
    decided = await DisputeStore(database).decide(dispute.id, decision, NOW)
    if dispute.session_id:
        await settle(activities, dispute.session_id)
    return decided


async def wrong(database: Database) -> list[Finding]:
    """What ``charging reconcile`` would say in an hour, when nothing is under way any more."""
    return [each async for each in reconcile(database, datetime.now(UTC) + timedelta(hours=1))]


async def end(database: Database, session_id: str, status: str = "completed") -> None:
    async with database.write() as store:
        await store.execute(update(sessions).where(sessions.c.id == session_id).values(status=status))


async def test_a_bill_beyond_policy_waits_for_a_person_and_is_paid_when_accepted(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await billed(database, activities, DEAR)
    dispute = await only_dispute(database)
    assert dispute.audit is not None
    assert (dispute.state, dispute.audit.verdict, await receipt_of(database, session_id)) == (
        "quarantined",
        "mismatch",
        None,
    )
    assert (await balances(database))[f"session/{session_id}/held"] == 50
    decided = await decide(database, activities, Dispute.ACCEPTED)
    assert (decided.dispute, await payment_status_of(database, session_id)) == (Dispute.ACCEPTED, "paid")
    assert (await balances(database))["user/ada/available"] == 75
    assert await event_types(database, session_id) == ["cdr_quarantined", "dispute_accepted", "payment_paid"]
    again = await DisputeStore(database).decide(dispute.id, Dispute.ACCEPTED, NOW)
    assert again.decided_at == NOW
    async with database.read() as store:
        assert len((await store.execute(select(inbox).where(inbox.c.session_id == session_id))).all()) == 1
    await end(database, session_id)
    assert await wrong(database) == []


async def test_a_bill_that_is_rejected_charges_nothing_and_is_kept(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await billed(database, activities, DEAR)
    await decide(database, activities, Dispute.REJECTED)
    assert await cdr_states(database, session_id) == {"CDR-1": "rejected"}
    receipt = await receipt_of(database, session_id)
    assert receipt is not None
    assert (receipt.cost, receipt.payment_status) == (0, PaymentStatus.NOT_REQUIRED)
    assert (await balances(database))["user/ada/available"] == 100
    await end(database, session_id)
    assert await wrong(database) == []


async def test_a_bill_within_policy_is_paid_and_flagged_and_refunded_when_rejected(
    database: Database, activities: PaymentActivities
) -> None:
    session_id = await billed(database, activities, SLIGHTLY_DEAR)
    assert (await only_dispute(database)).state == "settled"
    assert (await balances(database))["user/ada/available"] == Decimal("87.12")
    first = await receipt_of(database, session_id)
    assert first is not None
    assert (first.audit.verdict, first.items[0].billed_volume) == ("mismatch", Decimal("31.25"))
    await decide(database, activities, Dispute.REJECTED)
    receipt = await receipt_of(database, session_id)
    assert receipt is not None
    assert (receipt.version, receipt.cost, receipt.payment_status) == (2, 0, PaymentStatus.REFUNDED)
    assert await event_types(database, session_id) == [
        "cdr_flagged",
        "payment_paid",
        "dispute_rejected",
        "payment_refunded",
    ]
    await end(database, session_id)
    assert await wrong(database) == []


async def test_what_cannot_be_paid_is_not_accepted(database: Database, activities: PaymentActivities) -> None:
    await billed(database, activities, cdr(currency="SEK"))
    dispute = await only_dispute(database)
    with pytest.raises(CannotAccept, match="SEK"):
        await DisputeStore(database).decide(dispute.id, Dispute.ACCEPTED, NOW)
    assert await only_dispute(database) == dispute
    with pytest.raises(LookupError):
        await DisputeStore(database).decide("nonsense", Dispute.REJECTED, NOW)


async def test_credit_correction_and_decline_leave_the_books_right(
    database: Database, activities: PaymentActivities
) -> None:
    correction = cdr("CDR-2", "8.00", total_cost=price("6.40", "8.00"), total_energy_cost=None)
    session_id = await billed(database, activities, cdr(), credit(), correction)
    poor = PaymentActivities(Wallet(database, Decimal("1.00")), database)
    other = await add_session(database, user_id="bob")
    await add_cdr(database, other, cdr("CDR-9"))
    assert (await settle(poor, other)).payment_status is PaymentStatus.FAILED
    for each in (session_id, other):
        await end(database, each)
    assert await wrong(database) == []


async def test_each_exception_is_named(database: Database, activities: PaymentActivities) -> None:
    """Each of these breaks another thing that is true of a session that was settled."""
    names = ("due", "receipt", "energy", "ledger", "held", "late")
    spoiled = {name: await start(database, activities, hold="10.00") for name in names}
    for number, (name, session_id) in enumerate(spoiled.items()):
        await add_cdr(database, session_id, cdr(f"C{number}"))
        if name not in ("held", "late"):
            await settle(activities, session_id)
        await end(database, session_id)
    await change_cdr(database, "C0", due_minor=1)
    receipt = await receipt_of(database, spoiled["energy"])
    assert receipt is not None
    async with database.write() as store:
        await store.execute(receipts.delete().where(receipts.c.session_id == spoiled["receipt"]))
        body = receipt.model_copy(update={"energy_kwh": Decimal("31.25")}).model_dump(mode="json")
        await store.execute(update(receipts).where(receipts.c.session_id == receipt.session_id).values(body=body))
        captured = ledger.c.transfer_key.like(f"capture/{spoiled['ledger']}/%")
        await store.execute(ledger.delete().where(captured, ledger.c.account.like("%/paid")))
        await store.execute(update(cdrs).where(cdrs.c.id == "C4").values(state="quarantined", problem="?"))
    about = [(each.invariant, each.about.split("/")) for each in await wrong(database)]
    found = {(invariant, parts[1] if len(parts) > 1 else parts[0]) for invariant, parts in about}
    assert found == {
        ("I4", spoiled["due"]),
        ("I5", spoiled["receipt"]),
        ("I6", spoiled["energy"]),
        ("I4", spoiled["ledger"]),
        ("I10", spoiled["held"]),
        ("I10", spoiled["late"]),
        ("I5", "C5"),
    }
