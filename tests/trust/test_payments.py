"""Payments, our neighbour, over real HTTP: money moves once, whatever is lost, forged or repeated."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from charging.sandbox.neighbours import app as neighbours
from tests.neighbours.webhook import WEBHOOK, event, send
from tests.serving import serve
from tests.stack import Stack, running_stack
from tests.trust.billing import assert_books_are_right, bill, charged, post, receipt, until_receipt
from tests.waiting import eventually

INTENTS = "/v1/payment-intents"


@dataclass
class Town:
    """The engine, and Payments beside it. ``world`` sends webhooks to the engine."""

    stack: Stack
    payments: httpx.AsyncClient
    world: httpx.AsyncClient

    async def tell(self, path: str, body: Any) -> None:
        """POST to the admin of Payments."""
        assert (await self.payments.post(f"/admin/{path}", json=body)).is_success

    async def movements(self, session_id: str) -> list[dict[str, Any]]:
        """What Payments has moved for a session, or was asked to."""
        known = (await self.payments.get("/admin/payments")).json()["movements"]
        return [movement for movement in known if movement["booking_id"] == session_id]

    async def billed(self) -> str:
        """A session whose CDR is here."""
        session_id, session = await charged(self.stack)
        await post(self.stack, bill(self.stack, session))
        return session_id


@pytest.fixture(scope="module")
async def town(
    temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """One for the file."""
    path = tmp_path_factory.mktemp("town") / "charging.db"
    shutil.copy(sqlite_template, path)
    app = neighbours.create_app()
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as payments:
        settings = {"payments": "payments", "payments_url": url, "neighbour_timeout_s": 1}
        async with (
            running_stack(temporal, f"sqlite+aiosqlite:///{path}", settings=settings) as stack,
            httpx.AsyncClient(base_url=stack.api.base_url) as world,
        ):
            app.state.settings.engine_url = stack.settings.public_url
            yield Town(stack, payments, world)


@pytest.fixture(autouse=True)
async def books(town: Town) -> AsyncIterator[None]:
    """Payments decides at once and says so; in the end its books and ours agree."""
    await town.tell("payments", {})
    yield
    await assert_books_are_right(town.stack)


@pytest.mark.trust("1.10", "1.53")
async def test_a_capture_whose_answer_is_lost_is_looked_up_under_its_key_and_made_once(town: Town) -> None:
    await town.tell("payments", {"webhook": "never"})
    mishaps = [{"on": INTENTS, "kind": "hang_after"}, {"on": INTENTS, "method": "GET", "kind": "error_before"}]
    await town.tell("mishaps", mishaps)
    session_id = await town.billed()
    await until_receipt(town.stack, session_id, payment_status="paid", cost=3.1)
    (capture,) = await town.movements(session_id)
    assert (capture["status"], capture["amount"]) == ("succeeded", 3.1)
    await town.stack.until(session_id, "completed")


@pytest.mark.trust("1.54")
async def test_a_declined_payment_leaves_the_session_completed_and_can_be_made_again(town: Town) -> None:
    stack = town.stack
    await town.tell("payments", {"decide": "failed"})
    session_id = await town.billed()
    await stack.until(session_id, "completed")
    assert (await receipt(stack, session_id))["payment_status"] == "failed"
    await town.tell("payments", {"decide": "succeeded"})
    retry = await stack.api.post(f"/v1/sessions/{session_id}/payment/retry")
    assert (retry.status_code, retry.json()["payment_status"]) == (202, "pending")
    await until_receipt(stack, session_id, payment_status="paid")
    assert [each["status"] for each in await town.movements(session_id)] == ["failed", "succeeded"]
    again = await stack.api.post(f"/v1/sessions/{session_id}/payment/retry")
    assert (again.status_code, again.json()["code"]) == (409, "payment_not_retryable")


@pytest.mark.trust("1.55")
async def test_only_a_webhook_of_payments_decides_and_repeats_in_any_order_change_nothing(town: Town) -> None:
    await town.tell("payments", {"decide": None, "webhook": "never"})
    session_id = await town.billed()
    (intent,) = await eventually(lambda: town.movements(session_id))
    success = event(intent, "succeeded")
    refused = [
        await send(town.world, success, secret="whsec_b3RoZXI="),
        await send(town.world, success, age_s=600),
        await send(town.world, success, age_s=-600),
        await send(town.world, success, webhook_id="msg_2"),
        await send(town.world, success, webhook_signature=""),
        await send(town.world, success, webhook_signature="v1"),
        await send(town.world, success, webhook_signature="v1,no base64"),
        await send(town.world, success, webhook_timestamp="soon"),
        await town.world.post(WEBHOOK, json=success),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(401, "signature_invalid")] * 9
    senseless = {"type": "payment_intent.succeeded", "data": {"id": 7}}
    assert (await send(town.world, senseless)).status_code == 422
    strange = [
        event(intent, "succeeded", amount=0.01),
        event(intent, "succeeded", currency="SEK"),
        event(intent, "succeeded", booking_id="S2"),
        event(intent, "succeeded", idempotency_key="nobody's"),
        {"type": "payment_intent.created", "data": intent},
    ]
    assert [(await send(town.world, each)).json() for each in strange] == [{"taken": False}] * 5
    assert (await receipt(town.stack, session_id))["payment_status"] == "pending"
    await town.tell(f"payments/{intent['id']}", {"status": "succeeded", "webhook": False})
    for status in ("succeeded", "failed", "succeeded", "processing"):
        answer = await send(town.world, event(intent, status))
        assert (answer.status_code, answer.json()) == (200, {"taken": status != "processing"})
    await until_receipt(town.stack, session_id, payment_status="paid", cost=3.1)
    assert len(await town.movements(session_id)) == 1
