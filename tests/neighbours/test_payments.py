"""Payments on the other end of real HTTP: money moves exactly once, whatever is lost, repeated or late."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.payments import PaymentActivities
from charging.payments.port import PaymentOutcome, PaymentsRefused, PaymentsUnavailable
from charging.settings import DEVELOPMENT_SECRET, Settings
from charging.store.tables import inbox
from tests.neighbours.conftest import Town
from tests.neighbours.webhook import WEBHOOK, event, send
from tests.payments.factory import add_cdr, add_session, cdr, credit, payment_rows, receipt_of
from tests.waiting import eventually

INTENTS = "/v1/payment-intents"


async def capture(town: Town, *, key: str = "capture/1", amount: str = "12.50") -> PaymentOutcome:
    return await town.port.capture(key=key, session_id="S1", user_id="ada", amount=Decimal(amount), currency="EUR")


async def captured(town: Town, **order: str) -> PaymentOutcome:
    """As Temporal does it: again and again with the same key."""
    outcomes: list[PaymentOutcome] = []

    async def done() -> bool:
        try:
            outcomes.append(await capture(town, **order))
        except PaymentsUnavailable:
            return False
        return True

    await eventually(done)
    return outcomes[0]


async def test_a_capture_is_one_intent_with_amount_currency_and_booking(town: Town) -> None:
    assert await town.port.hold(key="hold/1", session_id="S1", user_id="ada", amount=Decimal(50), currency="EUR")
    assert await captured(town) is PaymentOutcome.DONE
    assert await capture(town) is PaymentOutcome.DONE
    (intent,) = await town.movements()
    assert (intent["object"], intent["amount"], intent["currency"]) == ("payment_intent", 12.5, "EUR")
    assert (intent["booking_id"], intent["idempotency_key"]) == ("S1", "capture/1")


@pytest.mark.parametrize("mishap", ["error_before", "error_after"])
async def test_a_lost_answer_is_looked_up_and_never_paid_twice(town: Town, mishap: str) -> None:
    await town.tell("payments", {"webhook": "never"})
    await town.mishaps(mishap, on=INTENTS)
    await town.mishaps("error_before", on=INTENTS, method="GET")
    for _ in range(2):  # the capture, and the first look-up
        with pytest.raises(PaymentsUnavailable):
            await capture(town)
    assert await capture(town) is PaymentOutcome.DONE
    assert [intent["amount"] for intent in await town.movements()] == [12.5]


async def test_a_webhook_before_the_answer_decides_and_the_lost_answer_is_not_missed(town: Town) -> None:
    await town.tell("payments", {"webhook": "before"})
    await town.mishaps("error_after", on=INTENTS)
    with pytest.raises(PaymentsUnavailable):
        await capture(town)
    await town.mishaps("error_before", "error_before", on=INTENTS)  # nobody is asked any more
    assert await capture(town) is PaymentOutcome.DONE


async def test_an_undecided_intent_is_waited_for(town: Town) -> None:
    await town.tell("payments", {"decide": None})
    for _ in range(2):
        with pytest.raises(PaymentsUnavailable):
            await capture(town)
    (intent,) = await town.movements()
    await town.tell(f"payments/{intent['id']}", {"status": "failed"})
    assert await capture(town) is PaymentOutcome.DECLINED
    assert len(await town.movements()) == 1


@pytest.mark.parametrize(("waited_s", "pause_s"), [(0, 1), (100, 5), (86400, 30)])
async def test_a_payment_that_is_not_decided_is_looked_up_again_soon(town: Town, waited_s: int, pause_s: int) -> None:
    """Its look-up, not its webhook, ends a session's waiting: soon at first, and never more seldom than this."""
    await town.tell("payments", {"decide": None, "webhook": "never"})
    session_id = await add_session(town.database)
    await add_cdr(town.database, session_id, cdr())
    activities, temporal = PaymentActivities(town.port, town.database), ActivityEnvironment()
    temporal.info = replace(temporal.info, scheduled_time=datetime.now(UTC) - timedelta(seconds=waited_s))
    await activities.assess(session_id)
    with pytest.raises(ApplicationError) as undecided:
        await temporal.run(activities.pay, session_id)
    assert undecided.value.next_retry_delay is not None
    assert round(undecided.value.next_retry_delay.total_seconds()) == pause_s
    (intent,) = await town.movements()
    await town.tell(f"payments/{intent['id']}", {"status": "succeeded", "webhook": False})
    await temporal.run(activities.pay, session_id)
    assert await payment_rows(town.database, session_id) == [("capture", 1250, "done")]


async def test_a_bill_beyond_the_hold_is_two_intents_so_that_what_was_agreed_is_paid_in_any_case(town: Town) -> None:
    session_id = await add_session(town.database, hold="10.00")
    await add_cdr(town.database, session_id, cdr())
    activities = PaymentActivities(town.port, town.database)
    await activities.assess(session_id)
    await activities.pay(session_id)
    assert (await activities.conclude(session_id)).payment_status == "paid"
    assert [intent["amount"] for intent in await town.movements()] == [10, 2.5]


async def test_what_was_called_declined_and_is_paid_after_all_is_settled_as_paid(town: Town) -> None:
    await town.tell("payments", {"decide": "failed"})
    session_id = await add_session(town.database)
    await add_cdr(town.database, session_id, cdr())
    activities = PaymentActivities(town.port, town.database)
    await activities.assess(session_id)
    await activities.pay(session_id)
    assert (await activities.conclude(session_id)).payment_status == "failed"
    (intent,) = await town.movements()
    assert (await send(town.ours, event(intent, "succeeded"))).status_code == 200
    assert await payment_rows(town.database, session_id) == [("capture", 1250, "done")]
    async with town.database.read() as store:
        woken = (await store.scalars(select(inbox.c.session_id))).all()
    assert woken == [session_id]
    assert (await activities.assess(session_id)).payment_status == "paid"


async def test_an_answer_of_402_is_not_the_last_word_where_the_intent_succeeds_after_all(town: Town) -> None:
    await town.mishaps("declined_after", on="/v1/payment-intents")
    session_id = await add_session(town.database)
    await add_cdr(town.database, session_id, cdr())
    activities = PaymentActivities(town.port, town.database)
    await activities.assess(session_id)
    await activities.pay(session_id)
    assert await payment_rows(town.database, session_id) == [("capture", 1250, "declined")]
    (intent,) = await town.movements()
    assert (await send(town.ours, event(intent, "succeeded"))).status_code == 200
    assert await payment_rows(town.database, session_id) == [("capture", 1250, "done")]
    assert (await activities.assess(session_id)).payment_status == "paid"


async def test_where_payments_is_not_our_neighbour_there_is_no_webhook(town: Town) -> None:
    town.settings.payments = "wallet"
    assert (await town.ours.post(WEBHOOK, json={})).status_code == 404


async def test_a_call_that_payments_will_not_have_is_shown_to_people(town: Town) -> None:
    town.settings.payments_key = SecretStr("wrong")
    with pytest.raises(PaymentsRefused, match="401"):
        await capture(town)
    town.settings.payments_key = SecretStr(DEVELOPMENT_SECRET)
    assert await captured(town) is PaymentOutcome.DONE


async def test_a_session_is_paid_and_a_credit_comes_back(town: Town) -> None:
    session_id = await add_session(town.database)
    activities = PaymentActivities(town.port, town.database)
    for body, outcome in ((cdr(), "paid"), (credit(), "refunded"), (cdr("CDR-2"), "paid")):
        await add_cdr(town.database, session_id, body)
        await activities.assess(session_id)
        await activities.pay(session_id)
        assert (await activities.conclude(session_id)).payment_status == outcome
    receipt = await receipt_of(town.database, session_id)
    assert receipt is not None
    assert receipt.version == 3
    kinds = [(movement["object"], movement["amount"]) for movement in await town.movements()]
    assert kinds == [("payment_intent", 12.5), ("refund", 12.5), ("payment_intent", 12.5)]
    assert {movement["booking_id"] for movement in await town.movements()} == {session_id}


@pytest.mark.parametrize("missing", ["payments_url", "payments_key", "payments_webhook_secret"])
def test_production_wants_an_address_and_secrets_of_its_own(missing: str) -> None:
    own: dict[str, Any] = {
        "environment": "production",
        "public_url": "https://charging.example",
        "admin_key": uuid.uuid4().hex,
        "secret_keys": uuid.uuid4().hex,
        "jwks_url": "https://id.example/jwks.json",
        "jwt_algorithms": ["ES256"],
        "jwt_audience": "https://charging.example",
        "payments": "payments",
        "payments_url": "https://payments.example",
        "payments_key": uuid.uuid4().hex,
        "payments_webhook_secret": "whsec_" + uuid.uuid4().hex,
    }
    assert Settings(**own).payments == "payments"
    del own[missing]
    with pytest.raises(ValueError, match=r"(?i)payments"):
        Settings(**own)
