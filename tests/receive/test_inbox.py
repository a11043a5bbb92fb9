"""The inbox: every workflow hears what concerns it, once each in order, whenever Temporal is there to be told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from charging import names
from charging.inbox import Inbox, Pace
from charging.session.model import SessionSpec
from charging.store import tables
from charging.store.inbox import InboxStore
from tests.receive.conftest import START, Desk, at, session_body
from tests.receive.test_cdrs import cdr_body
from tests.serving import free_port
from tests.waiting import eventually


@asynccontextmanager
async def running(inbox: Inbox) -> AsyncIterator[Inbox]:
    """``inbox`` at work."""
    task = asyncio.create_task(inbox.run())
    try:
        yield inbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def delivered(desk: Desk, spec: SessionSpec) -> None:
    """Once nothing waits for this session any more."""

    async def nothing_waits() -> bool:
        return not await desk.mail(spec)

    await eventually(nothing_waits)


async def exists(desk: Desk, workflow_id: str) -> bool:
    """Whether a workflow of this id was started."""
    return bool([w async for w in desk.temporal.client.list_workflows(f'WorkflowId = "{workflow_id}"')])


async def test_the_workflow_is_told_at_once_and_in_order(desk: Desk) -> None:
    """Results one by one; the meter as it stands."""
    spec = await desk.start(workflow=True)
    start = await desk.command(spec, "START_SESSION")
    async with running(desk.inbox()):
        await desk.call("POST", f"commands/START_SESSION/{start}", {"result": "ACCEPTED"})
        await delivered(desk, spec)
        await desk.put(session_body(authorization_reference=spec.authorization_reference, kwh=1))
        await delivered(desk, spec)
    (first, result), (second, update_) = await desk.signals(spec)
    assert (first, result["command_id"], result["result"]) == (names.Signal.COMMAND_RESULT, start, "ACCEPTED")
    assert result["message_id"]
    assert second == names.Signal.SESSION_UPDATED
    meter = update_["meter"]
    assert (meter["ocpi_session_id"], meter["cpo_status"], Decimal(meter["kwh"])) == ("S1", "ACTIVE", 1)


async def test_pushes_that_wait_become_one_signal_with_the_newest_meter(desk: Desk) -> None:
    spec = await desk.start(workflow=True, wake_kwh=Decimal(1))
    await desk.put(session_body(authorization_reference=spec.authorization_reference, kwh=1, last_updated=at(10)))
    for minutes in range(11, 21):
        await desk.patch("S1", kwh=minutes / 10, last_updated=at(minutes))
    assert len(await desk.mail(spec)) == 11
    async with running(desk.inbox()):
        await delivered(desk, spec)
    ((_, message),) = await desk.signals(spec)
    assert Decimal(message["meter"]["kwh"]) == 2


def test_the_pace_is_five_a_second_for_each_session() -> None:
    pace = Pace(5)
    for tenth in range(5):
        assert pace.paused(START + timedelta(seconds=tenth / 10)) == []
        pace.count("a", START + timedelta(seconds=tenth / 10))
    assert pace.paused(START + timedelta(seconds=0.5)) == ["a"]
    assert pace.paused(START + timedelta(seconds=1)) == []


def test_a_clock_that_is_put_back_silences_no_session() -> None:
    pace = Pace(5)
    for _ in range(5):
        pace.count("a", START)
    assert pace.paused(START - timedelta(minutes=5)) == []


async def test_a_cdr_reaches_the_session_and_its_settlement(desk: Desk) -> None:
    spec = await desk.start(workflow=True)
    async with running(desk.inbox()):
        await desk.call("POST", "cdrs", cdr_body(authorization_reference=spec.authorization_reference))
        await delivered(desk, spec)
    ((name, message),) = await desk.signals(spec)
    assert (name, message["settled"]) == (names.Signal.CDR_RECEIVED, False)
    settlement = desk.temporal.client.get_workflow_handle(names.settlement_id(spec.session_id))
    assert (await settlement.describe()).workflow_type == names.Workflow.SETTLEMENT


async def test_a_cdr_of_a_session_whose_workflow_is_gone_is_settled(desk: Desk) -> None:
    spec = await desk.start()
    async with running(desk.inbox()):
        await desk.call("POST", "cdrs", cdr_body(authorization_reference=spec.authorization_reference))
        await delivered(desk, spec)
    settlement = desk.temporal.client.get_workflow_handle(names.settlement_id(spec.session_id))
    assert (await settlement.describe()).workflow_type == names.Workflow.SETTLEMENT


async def test_a_session_that_appears_when_nobody_waits_any_more_is_stopped(desk: Desk) -> None:
    spec = await desk.start()
    async with running(desk.inbox()):
        await desk.put(session_body(authorization_reference=spec.authorization_reference))
        await delivered(desk, spec)
    late = desk.temporal.client.get_workflow_handle(names.late_session_id(spec.session_id))
    assert (await late.describe()).workflow_type == names.Workflow.LATE_SESSION


@pytest.mark.parametrize("kwh", [0, 1])
async def test_a_session_of_a_status_that_nobody_knows_is_stopped_too_when_nobody_waits(desk: Desk, kwh: int) -> None:
    spec = await desk.start()
    async with running(desk.inbox()):
        body = session_body(authorization_reference=spec.authorization_reference, status="CHARGING", kwh=kwh)
        await desk.put(body)
        await delivered(desk, spec)
    late = desk.temporal.client.get_workflow_handle(names.late_session_id(spec.session_id))
    assert (await late.describe()).workflow_type == names.Workflow.LATE_SESSION


async def test_a_session_that_was_over_before_it_appeared_is_left_alone(desk: Desk) -> None:
    spec = await desk.start()
    async with running(desk.inbox()):
        await desk.put(session_body(authorization_reference=spec.authorization_reference, status="COMPLETED"))
        await delivered(desk, spec)
    assert not await exists(desk, names.late_session_id(spec.session_id))


async def test_a_second_session_for_one_start_is_stopped_beside_the_first(desk: Desk) -> None:
    spec = await desk.start(workflow=True)
    body = session_body(authorization_reference=spec.authorization_reference)
    async with running(desk.inbox()):
        await desk.put(body)
        await desk.put(body | {"id": "S2"})
        await delivered(desk, spec)
    late = desk.temporal.client.get_workflow_handle(names.late_session_id(spec.session_id, "S2"))
    assert (await late.describe()).workflow_type == names.Workflow.LATE_SESSION
    assert [name for name, _ in await desk.signals(spec)] == [names.Signal.SESSION_UPDATED]


async def test_while_temporal_is_away_pushes_are_acknowledged_and_told_later(desk: Desk) -> None:
    spec = await desk.start(workflow=True)
    start = await desk.command(spec, "START_SESSION")
    stop = await desk.command(spec, "STOP_SESSION")
    dead = await Client.connect(f"127.0.0.1:{free_port()}", data_converter=pydantic_data_converter, lazy=True)
    async with running(Inbox(desk.database, dead)):
        for kind, command in (("START_SESSION", start), ("STOP_SESSION", stop)):
            answer = await desk.call("POST", f"commands/{kind}/{command}", {"result": "ACCEPTED"})
            assert answer.json()["status_code"] == 1000
        await desk.put(session_body(authorization_reference=spec.authorization_reference))

        async def was_tried_twice() -> bool:
            return any(row.attempts >= 2 for row in await desk.rows(tables.inbox))

        await eventually(was_tried_twice)
    assert await desk.mail(spec) == ["command_result", "command_result", "session"]
    async with running(desk.inbox()):
        await delivered(desk, spec)
    told = [(name, message.get("command")) for name, message in await desk.signals(spec)]
    assert told == [
        ("command_result", "START_SESSION"),
        ("command_result", "STOP_SESSION"),
        ("session_updated", None),
    ]


async def test_two_processes_share_the_work_without_doing_it_twice(desk: Desk) -> None:
    specs = [await desk.start(workflow=True) for _ in range(6)]
    for n, spec in enumerate(specs):
        await desk.put(session_body(id=f"S{n}", authorization_reference=spec.authorization_reference))
    async with running(desk.inbox()), running(Inbox(desk.database, desk.temporal.client)):
        for spec in specs:
            await delivered(desk, spec)
    for spec in specs:
        assert len(await desk.signals(spec)) == 1


async def test_what_a_dead_process_had_in_flight_is_told_after_its_lease(desk: Desk) -> None:
    spec = await desk.start(workflow=True)
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    store, now = InboxStore(desk.database), datetime.now(UTC)
    assert len(await store.claim(now, largest=9)) == 1
    assert await store.claim(now, largest=9) == []
    assert len(await store.claim(now + timedelta(seconds=11), largest=9)) == 1


async def test_a_session_whose_oldest_message_is_in_flight_keeps_its_order(desk: Desk) -> None:
    spec = await desk.start(wake_kwh=Decimal(1))
    store, now = InboxStore(desk.database), datetime.now(UTC) + timedelta(seconds=1)
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    (mail,) = await store.claim(now, largest=9)
    await desk.patch("S1", kwh=1, last_updated=at(10))
    assert await store.claim(now, largest=9) == []
    await store.finish([message.id for message in mail.messages], now)
    (mail,) = await store.claim(now, largest=9)
    assert mail.meter.kwh == 1


async def test_delivered_rows_are_forgotten_after_a_while_but_the_newest_whose_id_must_not_come_again(
    desk: Desk,
) -> None:
    spec = await desk.start(workflow=True, wake_kwh=Decimal(1))
    async with running(desk.inbox()):
        for kwh in (1, 2):
            await desk.put(session_body(authorization_reference=spec.authorization_reference, kwh=kwh))
            await delivered(desk, spec)
    store = InboxStore(desk.database)
    await store.forget(datetime.now(UTC) - timedelta(days=1))
    assert await desk.mail(spec, "delivered") == ["session", "session"]
    await store.forget(datetime.now(UTC) + timedelta(seconds=1))
    assert await desk.mail(spec, "delivered") == ["session"]
    await desk.put(session_body(authorization_reference=spec.authorization_reference, kwh=3))
    assert [row.id for row in await desk.rows(tables.inbox)] == [2, 3]
