"""Webhooks: a receiver that knows nothing of us but the Standard Webhooks library."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from sqlalchemy import func, select, update
from standardwebhooks import Webhook, WebhookVerificationError
from temporalio.testing import WorkflowEnvironment

from charging.names import webhook_id as workflow_id
from charging.ocpi import wire
from charging.store import tables
from charging.store.events import add_event
from charging.webhooks.sender import WebhookSender
from tests.serving import serve
from tests.stack import Stack, running_stack
from tests.waiting import eventually
from worker import build_webhook_worker

Json = dict[str, Any]


@dataclass
class Receiver:
    """What came in, checked by the library with ``secret``; ``answers`` are given one after the other, then 204."""

    url: str = ""
    secret: str = ""
    events: list[Json] = field(default_factory=list)
    requests: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        raw, headers = await request.body(), dict(request.headers)
        self.requests.append((raw, headers))
        if self.answers:
            return self.answers.pop(0)
        event = Webhook(self.secret).verify(raw, headers)
        assert event["id"] == headers["webhook-id"]
        self.events.append(event)
        return Response(status_code=204)

    def of(self, session_id: str) -> list[Json]:
        return [event for event in self.events if event["session_id"] == session_id]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = FastAPI()
    app.add_api_route("/hook", receiver.take, methods=["POST"])
    async with serve(app) as url:
        receiver.url = f"{url}/hook"
        yield receiver


async def added(stack: Stack, receiver: Receiver, *types: str) -> str:
    """A webhook to the receiver, which has its secret."""
    answer = await stack.api.post("/v1/webhooks", json={"url": receiver.url, "types": list(types)})
    assert answer.status_code == 201, answer.text
    receiver.secret = answer.json()["secret"]
    return str(answer.json()["webhook_id"])


async def deliveries(stack: Stack, webhook_id: str, **query: str) -> list[Json]:
    answer = await stack.api.get(f"/v1/webhooks/{webhook_id}/deliveries", params=query)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["deliveries"]
    return found


async def hurry(stack: Stack, webhook_id: str) -> None:
    """As if the time of the next attempt had come."""
    due = update(tables.webhook_deliveries).where(tables.webhook_deliveries.c.webhook_id == webhook_id)
    async with stack.database.write() as store:
        await store.execute(due.values(due_at=datetime.now(UTC)))
    await stack.temporal.get_workflow_handle(workflow_id(webhook_id)).signal("deliver")


@pytest.fixture(scope="module")
async def stack(
    temporal: WorkflowEnvironment, sqlite_template: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    """One engine for the file."""
    path = tmp_path_factory.mktemp("webhooks") / "charging.db"
    path.write_bytes(sqlite_template.read_bytes())
    async with running_stack(temporal, f"sqlite+aiosqlite:///{path}") as stack:
        yield stack


@pytest.fixture(scope="module")
async def session_id(stack: Stack) -> str:
    """A session to which things happen."""
    session_id = await stack.started(evse_id="FI-VRT-E12346", connector_type="Type2")
    unnumbered = select(func.count()).select_from(tables.events).where(tables.events.c.position.is_(None))

    async def is_quiet() -> bool:
        async with stack.database.read() as store:
            return "start_understood" in await stack.events(session_id) and await store.scalar(unnumbered) == 0

    await eventually(is_quiet)
    return session_id


async def happen(stack: Stack, session_id: str) -> None:
    """Something happens to a session."""
    async with stack.database.write() as store:
        await add_event(store, session_id, "something", {}, datetime.now(UTC))


@pytest.fixture(autouse=True)
async def no_webhooks(stack: Stack) -> AsyncIterator[None]:
    """Each test begins with none."""
    yield
    for webhook in (await stack.api.get("/v1/webhooks")).json()["webhooks"]:
        await stack.api.delete(f"/v1/webhooks/{webhook['webhook_id']}")


def ended(receiver: Receiver, session_id: str) -> Callable[[], bool]:
    return lambda: any(event["data"].get("status") in ("completed", "failed") for event in receiver.of(session_id))


async def test_a_session_is_told_from_start_to_receipt_in_order_and_once(stack: Stack) -> None:
    async with receiving() as receiver:
        await added(stack, receiver)
        session_id, session = await stack.charging(id="S-hook", minutes=30)
        later = wire.format_datetime(datetime.now(UTC))
        over = {**session, "kwh": 3, "last_updated": later, "end_date_time": later, "status": "COMPLETED"}
        await stack.cpo.push_session(over)
        await stack.cpo.post_cdr(stack.cpo.cdr(over, total_cost=0.7))
        await stack.until(session_id, "completed")
        await eventually(ended(receiver, session_id))
        told = receiver.of(session_id)
        assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
        statuses = [event["data"]["status"] for event in told if event["type"] == "session.status"]
        assert [status for n, status in enumerate(statuses) if status not in statuses[:n]] == [
            "pending",
            "active",
            "stopping",
            "completed",
        ]
        assert {"session.meter", "receipt.issued"} <= {event["type"] for event in told}
        (receipt,) = [event["data"] for event in told if event["type"] == "receipt.issued"]
        assert (receipt["payment_status"], receipt["version"]) == ("paid", 1)
        assert all(event["timestamp"] == event["at"] for event in told)


async def test_a_receiver_that_fails_gets_its_events_later_in_order_and_under_the_same_id(
    stack: Stack, session_id: str
) -> None:
    async with receiving() as receiver:
        webhook_id = await added(stack, receiver, "session.note")
        elsewhere = Response(status_code=302, headers={"Location": receiver.url})
        receiver.answers = [Response(status_code=500), elsewhere]
        for _ in range(3):
            await happen(stack, session_id)

        async def has_failed(attempts: int, problem: str) -> bool:
            waiting = await deliveries(stack, webhook_id, state="waiting")
            return [(each["attempts"], each["problem"]) for each in waiting] == [*[(0, None)] * 2, (attempts, problem)]

        await eventually(lambda: has_failed(1, "HTTP 500"))  # those that follow wait for it
        await hurry(stack, webhook_id)
        await eventually(lambda: has_failed(2, "HTTP 302"))  # a redirect is not followed
        await hurry(stack, webhook_id)
        await eventually(lambda: len(receiver.events) == 3)
        first = receiver.events[0]["seq"]
        assert [event["seq"] for event in receiver.events] == [first, first + 1, first + 2]
        ids = [headers["webhook-id"] for _, headers in receiver.requests]
        assert ids[0] == ids[1] == ids[2] == receiver.events[0]["id"]
        assert len(set(ids)) == 3


async def test_after_a_rotation_both_secrets_sign_and_the_new_one_is_shown_once(stack: Stack, session_id: str) -> None:
    async with receiving() as receiver:
        webhook_id = await added(stack, receiver)
        rotated = (await stack.api.post(f"/v1/webhooks/{webhook_id}/rotate")).json()
        await happen(stack, session_id)
        await eventually(lambda: receiver.events)  # checked with the old secret
        raw, headers = receiver.requests[0]
        assert Webhook(rotated["secret"]).verify(raw, headers) == receiver.events[0]
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + "A" * 43 + "=").verify(raw, headers)
        assert "whsec_" not in (await stack.api.get("/v1/webhooks")).text
        async with stack.database.read() as store:
            kept = (await store.execute(select(tables.webhooks).where(tables.webhooks.c.id == webhook_id))).one()
        assert not any("whsec_" in str(value) for value in kept)


async def test_a_delivery_is_made_again_on_demand_and_410_ends_a_webhook_and_nobody_elses(
    stack: Stack, session_id: str
) -> None:
    async with receiving() as receiver, receiving() as other:
        webhook_id, _ = await added(stack, receiver), await added(stack, other)
        await happen(stack, session_id)
        await eventually(lambda: receiver.events and other.events)
        (delivery,) = await eventually(lambda: deliveries(stack, webhook_id, state="delivered"))
        path = f"/v1/webhooks/{webhook_id}/deliveries/{delivery['delivery_id']}/replay"
        receiver.answers = [Response(status_code=410)]
        assert (await stack.api.post(path)).status_code == 202
        await eventually(lambda: len(receiver.requests) == 2)
        assert receiver.requests[1][1]["webhook-id"] == delivery["event_id"] == receiver.events[0]["id"]
        (failed,) = await eventually(lambda: deliveries(stack, webhook_id, state="failed"))
        assert failed["http_status"] == 410
        assert (await stack.api.get(f"/v1/webhooks/{webhook_id}")).json()["disabled_at"] is not None
        refused = await stack.api.post(path)
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
        await happen(stack, session_id)
        await eventually(lambda: len(other.events) == 2)
        assert len(receiver.requests) == 2
        assert (await stack.api.delete(f"/v1/webhooks/{webhook_id}")).status_code == 204
        assert (await stack.api.get(f"/v1/webhooks/{webhook_id}")).status_code == 404


async def test_what_waits_for_a_webhook_that_wants_no_more_is_not_late(stack: Stack, session_id: str) -> None:
    async def wait(count: int) -> bool:
        return f"charging_webhooks_waiting {count}.0" in (await stack.api.get("/metrics")).text.splitlines()

    async with receiving() as receiver:
        webhook_id = await added(stack, receiver, "session.note")
        receiver.answers = [Response(status_code=500), Response(status_code=410)]
        await happen(stack, session_id)
        await eventually(lambda: receiver.requests)
        await happen(stack, session_id)
        await eventually(lambda: wait(2))
        await hurry(stack, webhook_id)
        await eventually(lambda: deliveries(stack, webhook_id, state="failed"))
        assert len(await deliveries(stack, webhook_id, state="waiting")) == 1
        assert await wait(0)


async def test_while_nobody_works_nothing_is_lost_and_a_new_worker_goes_on(stack: Stack, session_id: str) -> None:
    async with receiving() as receiver:
        webhook_id = await added(stack, receiver, "session.note")
        receiver.answers = [Response(status_code=500)]
        await happen(stack, session_id)
        await eventually(lambda: receiver.requests)
        await stack.webhook_worker.shutdown()
        await happen(stack, session_id)
        sender = WebhookSender(allow_private=True)
        async with build_webhook_worker(stack.temporal, stack.database, sender, stack.settings):
            await hurry(stack, webhook_id)
            await eventually(lambda: len(receiver.events) == 2)
        await sender.aclose()
