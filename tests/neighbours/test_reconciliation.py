"""``charging reconcile`` against the books of the neighbour that keeps the money, on real HTTP."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from activities.payments import PaymentActivities
from charging.neighbours.purse import payments_books
from charging.neighbours.reconciliation import ENOUGH_SILENCE, reconcile_with
from charging.payments.finding import UNCHECKED, Finding
from charging.payments.wallet import Wallet
from charging.store.tables import payments, sessions
from tests.neighbours.conftest import Town
from tests.payments.factory import add_cdr, add_session, cdr, credit

CHOICES = ("evpass", "payments")


@pytest.fixture(params=CHOICES)
async def chosen(town: Town, request: pytest.FixtureRequest) -> Town:
    """The town with each neighbour that keeps money."""
    await choose(town, request.param)
    return town


async def choose(town: Town, who: str) -> None:
    town.settings.payments = who  # type: ignore[assignment] # one of those
    town.settings.evpass_url = town.settings.payments_url


async def paid(town: Town, cdr_id: str = "CDR-1", *, activities: PaymentActivities | None = None) -> str:
    """A session that held 50, paid 12.50 and is over."""
    activities = activities or PaymentActivities(town.port, town.database)
    session_id = await add_session(town.database)
    await activities.hold(session_id)
    await add_cdr(town.database, session_id, cdr(cdr_id))
    await settle(activities, session_id)
    await end(town, session_id)
    return session_id


async def settle(activities: PaymentActivities, session_id: str) -> None:
    await activities.assess(session_id)
    await activities.pay(session_id)
    await activities.conclude(session_id)


async def end(town: Town, session_id: str) -> None:
    async with town.database.write() as store:
        await store.execute(update(sessions).where(sessions.c.id == session_id).values(status="completed"))


async def found(town: Town, *, later: timedelta = timedelta(hours=1)) -> list[Finding]:
    """What it would find in an hour, when nothing is under way any more."""
    books = payments_books(town.settings, town.database)
    return [each async for each in reconcile_with(town.database, books, datetime.now(UTC) + later)]


async def ask(town: Town, path: str, key: str, **body: Any) -> None:
    """What nobody of us has asked for, done with our own key all the same."""
    headers = {"X-API-Key": town.settings.payments_key.get_secret_value(), "Idempotency-Key": key}
    answer = await town.neighbours.post(path, json={"currency": "EUR", **body}, headers=headers)
    assert answer.is_success, answer.text


async def test_books_that_agree_are_clean_after_payment_and_credit(chosen: Town) -> None:
    session_id = await paid(chosen)
    assert await found(chosen) == []
    activities = PaymentActivities(chosen.port, chosen.database)
    await add_cdr(chosen.database, session_id, credit())
    await settle(activities, session_id)
    assert await found(chosen) == []


async def test_money_that_moved_twice_there_is_named_with_what_each_side_says(chosen: Town) -> None:
    session_id = await paid(chosen)
    if chosen.settings.payments == "evpass":
        body = {"user_id": "ada", "session_id": session_id, "amount": 12.5}
        await ask(chosen, "/v1/wallet/captures", "again", **body)
        await ask(chosen, "/v1/wallet/holds", "once more", **body)
    else:
        await ask(chosen, "/v1/payment-intents", "again", booking_id=session_id, amount=12.5)
    moved, *held = await found(chosen)
    assert (moved.invariant, moved.about, moved.ours, moved.theirs) == ("I4", session_id, "12.50 EUR", "25.00 EUR")
    wanted = [("I10", session_id, "12.50 EUR")] if chosen.settings.payments == "evpass" else []
    assert [(each.invariant, each.about, each.theirs) for each in held] == wanted


async def test_what_we_have_in_our_books_and_they_have_not_is_named(chosen: Town) -> None:
    session_id = await paid(chosen)
    async with chosen.database.write() as store:
        await store.execute(update(payments).values(amount_minor=1300))
    (paid_more, moved) = await found(chosen)
    assert (paid_more.invariant, paid_more.about) == ("I4", session_id)
    assert (moved.about, moved.ours, moved.theirs) == (session_id, "13.00 EUR", "12.50 EUR")


async def test_a_payment_without_an_outcome_is_under_way_at_first_and_compared_later(chosen: Town) -> None:
    session_id = await paid(chosen)
    async with chosen.database.write() as store:
        await store.execute(update(payments).values(state="asked"))
        await store.execute(update(sessions).values(payment_status="pending", updated_at=datetime.now(UTC)))
    assert await found(chosen, later=timedelta(0)) == []
    assert {each.about for each in await found(chosen) if each.theirs} == {session_id}


async def test_who_does_not_answer_is_named_as_not_checked_and_not_asked_for_ever(chosen: Town) -> None:
    ids = {await paid(chosen, f"CDR-{n}") for n in range(ENOUGH_SILENCE + 10)}
    path = "/v1/wallet/sessions" if chosen.settings.payments == "evpass" else "/v1/payment-intents"
    silence = [{"on": path, "method": "GET", "kind": "error_before", "times": 10_000}]
    await chosen.tell("mishaps", silence)
    *singly, rest = await found(chosen)
    assert {each.invariant for each in [*singly, rest]} == {UNCHECKED}
    assert {each.about for each in singly} < ids
    assert ENOUGH_SILENCE <= len(singly) < len(ids)
    assert rest.detail.startswith(f"{len(ids) - len(singly)} more sessions were not asked about")


async def test_sessions_whose_money_is_in_our_own_ledger_are_proved_there(chosen: Town) -> None:
    wallet = PaymentActivities(Wallet(chosen.database, Decimal(100)), chosen.database)
    await paid(chosen, activities=wallet)
    assert await found(chosen) == []
    async with chosen.database.write() as store:
        await store.execute(update(payments).values(state="declined"))
    assert {each.invariant for each in await found(chosen)} == {"I4"}
