"""Consumers that know nothing of us have every event once and in order, whatever of ours is killed meanwhile."""

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from charging.store import tables
from tests.embedded import Embedded, Json, embedded
from tests.kill.conftest import EVERYTHING, EVSES, SLOW_CAR, kill, revived
from tests.programs import program
from tests.serving import free_port
from tests.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
TARGETS = ("api", "worker", "temporal", "sandbox", EVERYTHING)
AWAY_S = 3  # less than the first pause between two attempts; the next one is minutes


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[None]:
    """A consumer, killed when the block is left."""
    process = await asyncio.create_subprocess_exec(*command, start_new_session=True)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def received(record: Path) -> list[tuple[str, Json]]:
    """What a consumer has written down: ids and events. A line without an event is where a stream began."""
    lines = [line.split("\t", 1) for line in record.read_text().splitlines()] if record.exists() else []
    return [(event_id, json.loads(body)) for event_id, body in lines if body]


async def ride(stack: Embedded, evse_id: str) -> str:
    """Start a session; it charges when this returns."""
    session_id = await stack.start(evse_id, key=str(uuid4()))
    await stack.until(session_id, status="active", energy_kwh=lambda kwh: kwh > 0)
    return session_id


async def finish(stack: Embedded, session_id: str) -> None:
    await stack.stop(session_id)
    await stack.until(session_id, status="completed", within_s=120)


async def test_both_have_every_event_once_and_in_order_through_a_kill_of_each_process(tmp_path: Path) -> None:
    hooked, streamed, port = tmp_path / "webhooks", tmp_path / "stream", free_port()
    async with embedded(tmp_path / "data") as stack:
        await stack.sandbox("car", SLOW_CAR)
        answer = await stack.call("POST", "/v1/webhooks", json={"url": f"http://127.0.0.1:{port}/hook"})
        assert answer.status_code == 201, answer.text
        consumer = (sys.executable, str(HERE / "webhook_consumer.py"), str(port), answer.json()["secret"], str(hooked))
        follow = (program("sh"), str(HERE / "sse_client.sh"), f"{stack.run['api']}/v1/events", stack.run["token"])
        async with running(*follow, str(streamed)):
            sessions = await ridden_through_kills(stack, consumer, streamed)
            await eventually(lambda: settled(stack, streamed), within_s=60)

        told = await outbox(stack)
        assert set(told) == set(sessions)
        assert [event_id for event_id, _ in received(streamed)] == await in_order(stack)
        first_receipts = list(dict(received(hooked)).items())
        for session_id, ids in told.items():
            assert of(session_id, received(streamed)) == ids
            assert of(session_id, first_receipts) == ids
            assert await replayed(stack, session_id) == ids


async def ridden_through_kills(stack: Embedded, consumer: tuple[str, ...], streamed: Path) -> list[str]:
    """Two sessions for each process that is killed: one charges then, the other one starts then."""
    sessions: list[str] = []
    await eventually(lambda: streamed.exists() and streamed.read_text() == "none\t\n")  # it listens
    async with running(*consumer, "3"):
        for target in TARGETS[:2]:
            sessions += await ridden_through(stack, target)
        charging = await ride(stack, EVSES[0])
    await asyncio.sleep(AWAY_S)  # the session goes on, and nobody takes webhooks
    async with running(*consumer, "0"):
        await finish(stack, charging)
        for target in TARGETS[2:]:
            sessions += await ridden_through(stack, target)
        await eventually(lambda: owes_nothing(stack), within_s=60)
    return [*sessions, charging]


async def ridden_through(stack: Embedded, target: str) -> list[str]:
    charging = await ride(stack, EVSES[0])
    await kill(stack, target)
    starting = asyncio.create_task(ride(stack, EVSES[1]))
    await revived(stack, target)
    sessions = [charging, await starting]
    await asyncio.gather(*(finish(stack, session_id) for session_id in sessions))
    return sessions


async def owes_nothing(stack: Embedded) -> bool:
    """Every event is numbered, and has been delivered."""
    of_event, of_delivery = tables.events.c, tables.webhook_deliveries.c
    ((events,),) = await stack.rows(select(func.count(of_event.id)))
    delivered = select(func.count(of_delivery.id)).where(of_delivery.state == "delivered")
    return [(events,)] == await stack.rows(delivered)


async def settled(stack: Embedded, streamed: Path) -> bool:
    """Nothing is on its way to the stream."""
    return len(received(streamed)) >= len(await in_order(stack))


async def in_order(stack: Embedded) -> list[str]:
    query = select(tables.events.c.id).order_by(tables.events.c.position)
    return [event_id for (event_id,) in await stack.rows(query)]


async def outbox(stack: Embedded) -> dict[str, list[str]]:
    """The ids of each session's events in the store; their numbers have no gap."""
    of_event, told = tables.events.c, defaultdict(list)
    for row in await stack.rows(select(of_event.session_id, of_event.seq, of_event.id).order_by(of_event.seq)):
        told[row.session_id].append(row.id)
        assert row.seq == len(told[row.session_id])
    return told


def of(session_id: str, events: list[tuple[str, Json]]) -> list[str]:
    """A session's events in the order in which they came; each under its id."""
    assert all(event_id == event["id"] for event_id, event in events)
    return [event_id for event_id, event in events if event["session_id"] == session_id]


async def replayed(stack: Embedded, session_id: str) -> list[str]:
    """The session's stream, from its first event to its end."""
    answer = await stack.call("GET", f"/v1/sessions/{session_id}/events")
    return [line.removeprefix("id: ") for line in answer.text.splitlines() if line.startswith("id: ")]
