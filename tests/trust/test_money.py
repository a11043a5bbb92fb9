"""CDRs and money: from what the CPO posts to what is paid. After each test the books are reconciled."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from temporalio.testing import WorkflowEnvironment

from charging.payments.wallet import Wallet
from tests.payments.factory import payment_rows
from tests.peer import Body
from tests.stack import USER, Stack, running_stack
from tests.trust.billing import (
    assert_books_are_right,
    bill,
    charged,
    credit,
    is_a_case_for_people,
    post,
    receipt,
    until_cdr,
    until_receipt,
)


@pytest.fixture(scope="module")
async def stack(temporal: WorkflowEnvironment, shared_store_url: str) -> AsyncIterator[Stack]:
    """One engine for the file, and on each database."""
    async with running_stack(temporal, shared_store_url) as stack:
        yield stack


@pytest.fixture(autouse=True)
async def books(stack: Stack) -> AsyncIterator[None]:
    """Whatever happened, ``charging reconcile`` finds nothing, also when nothing is under way any more."""
    yield
    await assert_books_are_right(stack)


@pytest.mark.trust("1.44")
async def test_a_cdr_that_comes_again_and_again_is_paid_once(stack: Stack) -> None:
    session_id, session = await charged(stack)
    cdr = bill(stack, session)
    await post(stack, cdr, cdr)
    await stack.until(session_id, "completed", cost=3.1)
    await post(stack, dict(reversed(cdr.items())))
    assert await payment_rows(stack.database, session_id) == [("capture", 310, "done")]
    assert (await receipt(stack, session_id))["version"] == 1


@pytest.mark.trust("1.45")
async def test_a_second_cdr_without_a_credit_waits_for_a_person_and_the_first_one_stays(stack: Stack) -> None:
    session_id, session = await charged(stack)
    await post(stack, bill(stack, session))
    await stack.until(session_id, "completed")
    await post(stack, bill(stack, session, "2", 99))
    await until_cdr(stack, session_id, f"{session['id']}-2", "quarantined")
    assert await is_a_case_for_people(stack, f"{session['id']}-2")
    assert await payment_rows(stack.database, session_id) == [("capture", 310, "done")]
    shown = await receipt(stack, session_id)
    assert (shown["cost"], shown["payment_status"], shown["version"]) == (3.1, "paid", 1)


@pytest.mark.trust("1.46")
async def test_a_credit_is_refunded_and_the_correction_that_follows_is_charged(stack: Stack) -> None:
    session_id, session = await charged(stack)
    await post(stack, bill(stack, session))
    await until_receipt(stack, session_id, payment_status="paid", version=1)
    await post(stack, credit(stack, session))
    await until_receipt(stack, session_id, payment_status="refunded", cost=0, version=2)
    await post(stack, bill(stack, session, "2", 2))
    await until_receipt(stack, session_id, payment_status="paid", cost=2, version=3)
    assert await payment_rows(stack.database, session_id) == [
        ("capture", 310, "done"),
        ("refund", 310, "done"),
        ("capture", 200, "done"),
    ]


@pytest.mark.trust("1.46")
async def test_a_credit_and_its_correction_together_make_receipt_version_two(stack: Stack) -> None:
    session_id, session = await charged(stack)
    await post(stack, bill(stack, session))
    await until_receipt(stack, session_id, payment_status="paid")
    async with stack.worker_away():
        await post(stack, credit(stack, session), bill(stack, session, "2", 2))
    await until_receipt(stack, session_id, payment_status="paid", cost=2, version=2)
    assert await payment_rows(stack.database, session_id) == [("capture", 310, "done"), ("refund", 110, "done")]


@pytest.mark.trust("1.47")
async def test_a_cdr_before_the_session_is_over_completes_it(stack: Stack) -> None:
    session_id, session = await stack.charging(id=f"S-{uuid.uuid4().hex[:8]}", minutes=30)
    await post(stack, bill(stack, {**session, "kwh": 3}, total=0.93))
    await stack.until(session_id, "completed", energy_kwh=3.0, cost=0.93)
    assert (await receipt(stack, session_id))["payment_status"] == "paid"


@pytest.mark.trust("1.49")
async def test_the_cdr_of_a_failed_session_is_settled_and_the_session_stays_failed(stack: Stack) -> None:
    session_id, session = await charged(stack, status="INVALID")
    await post(stack, bill(stack, session))
    await until_receipt(stack, session_id, payment_status="paid", cost=3.1, energy_kwh=10)
    assert (await stack.status(session_id))["status"] == "failed"
    assert await stack.held(session_id) == 0


@pytest.mark.parametrize(
    ("total", "fields"),
    [
        pytest.param(3.1, {"total_energy_cost": {"excl_vat": 2, "incl_vat": 2}}, marks=pytest.mark.trust("1.50")),
        pytest.param(3.1, {"currency": "SEK"}, marks=pytest.mark.trust("1.50")),
        pytest.param(-3.1, {}, marks=pytest.mark.trust("1.52")),
    ],
    ids=["wrong-sum", "other-currency", "negative"],
)
async def test_a_cdr_that_makes_no_sense_waits_for_a_person_and_nothing_is_charged(
    stack: Stack, total: float, fields: Body
) -> None:
    session_id, session = await charged(stack)
    cdr = bill(stack, session, total=total, **fields)
    await post(stack, cdr)
    await until_cdr(stack, session_id, cdr["id"], "quarantined")
    assert await is_a_case_for_people(stack, cdr["id"])
    assert await payment_rows(stack.database, session_id) == []
    answer = await stack.api.get(f"/v1/sessions/{session_id}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (409, "receipt_not_ready")
    assert (await stack.status(session_id))["status"] == "stopping"


@pytest.mark.trust("1.51")
async def test_a_cdr_of_nothing_has_a_receipt_and_no_payment(stack: Stack) -> None:
    session_id, session = await charged(stack, kwh=0)
    await post(stack, bill(stack, session, total=0))
    await stack.until(session_id, "completed", cost=0)
    shown = await receipt(stack, session_id)
    assert (shown["cost"], shown["payment_status"]) == (0, "not_required")
    assert await payment_rows(stack.database, session_id) == []
    assert await stack.held(session_id) == 0


@pytest.mark.trust("1.56")
async def test_after_a_hold_has_expired_the_charge_is_a_new_one(stack: Stack) -> None:
    session_id, session = await charged(stack)
    wallet = Wallet(stack.database, Decimal(0))
    before = await wallet.available(USER, "EUR")
    await wallet.release(key=f"expired/{session_id}", session_id=session_id, user_id=USER, currency="EUR")
    assert await stack.held(session_id) == 0
    await post(stack, bill(stack, session))
    await until_receipt(stack, session_id, payment_status="paid", cost=3.1)
    assert await stack.held(session_id) == 0
    assert await wallet.available(USER, "EUR") == before + stack.settings.default_hold - Decimal("3.10")


@pytest.mark.trust("1.57")
async def test_a_cdr_that_comes_long_after_the_workflow_has_closed_is_settled(stack: Stack) -> None:
    session_id, session = await charged(stack, status="INVALID")
    assert await stack.workflow(session_id).result() == "failed"
    ten_days_on = (datetime.now(UTC) + timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await post(stack, bill(stack, session, last_updated=ten_days_on))
    await until_receipt(stack, session_id, payment_status="paid", cost=3.1)
