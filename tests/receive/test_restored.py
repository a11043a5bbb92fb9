"""A store and a Temporal from copies of different moments are brought together (docs/backup.md)."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update

from charging import names
from charging.reuniting import Reunion, reunite
from charging.session.model import SessionSpec
from charging.store import tables
from charging.temporal import start_charging_session
from tests.receive.conftest import Desk, session_body
from tests.waiting import eventually


async def reunited(desk: Desk) -> Reunion:
    """What `charging db restored` does. The server has workflows of other tests, which are unknown here."""
    return await reunite(desk.database, desk.temporal.client, datetime.now(UTC))


async def answered(desk: Desk, spec: SessionSpec) -> None:
    """START_SESSION has been sent and answered."""
    started = update(tables.commands).where(tables.commands.c.session_id == spec.session_id)
    async with desk.database.write() as store:
        await store.execute(started.values(state="answered"))


async def heard(desk: Desk, spec: SessionSpec) -> None:
    """The CPO has told of the Session, and Temporal has taken it, before it was put back."""
    body = session_body(id=spec.session_id[:8], authorization_reference=spec.authorization_reference)
    assert (await desk.put(body)).is_success
    async with desk.database.write() as store:
        await store.execute(update(tables.inbox).values(state="delivered"))


async def told(desk: Desk, spec: SessionSpec) -> list[str]:
    return [name for name, _ in await desk.signals(spec)]


async def decided(desk: Desk, spec: SessionSpec) -> Any:
    row = await desk.row(spec)
    return (row.decided_run, row.decided_length, row.decided_n)


async def is_listed(desk: Desk, *specs: SessionSpec) -> bool:
    """Whether Temporal lists their workflows yet."""
    listed = [workflow.id async for workflow in desk.temporal.client.list_workflows("ExecutionStatus = 'Running'")]
    return {names.charging_session_id(spec.session_id) for spec in specs} <= {*listed}


async def test_a_workflow_that_is_missing_is_started_again_and_told_what_there_is(desk: Desk) -> None:
    charging = await desk.start(status="active", decided_length=70)
    stopping = await desk.start(status="stopping", decided_length=70)
    unsent = await desk.start()
    for spec in (charging, stopping):
        await answered(desk, spec)
        await heard(desk, spec)
    found = await reunited(desk)
    assert set(found.started) == {spec.session_id for spec in (charging, stopping, unsent)}
    assert await told(desk, charging) == [names.Signal.SESSION_UPDATED]
    assert await told(desk, stopping) == [names.Signal.SESSION_UPDATED, names.Signal.STOP]
    assert await told(desk, unsent) == [names.Signal.STOP]  # so late nobody waits at the charger any more
    assert await desk.mail(charging) == ["session"]
    assert await decided(desk, charging) == (0, 0, 0)
    assert (await reunited(desk)).started == []


async def test_a_workflow_that_is_behind_hears_again_what_it_has_missed(desk: Desk) -> None:
    behind = await desk.start(workflow=True, status="active", decided_run=1, decided_length=70, decided_n=9)
    over = await desk.start(workflow=True, status="completed", decided_length=90)
    for spec in (behind, over):
        await answered(desk, spec)
        await heard(desk, spec)

    await eventually(lambda: is_listed(desk, behind, over))
    found = await reunited(desk)
    assert {behind.session_id, over.session_id} <= {*found.behind}
    assert await decided(desk, behind) == (0, 0, 0)
    assert (await decided(desk, over))[0] > 1000  # whatever its workflow says now, the session stays completed
    assert await desk.mail(behind) == await desk.mail(over) == ["session"]


async def test_a_store_that_is_too_old_is_named(desk: Desk) -> None:
    ended = await desk.start(workflow=True, status="active")
    await desk.temporal.client.get_workflow_handle(names.charging_session_id(ended.session_id)).terminate()
    unknown = ended.model_copy(update={"session_id": str(uuid.uuid4())})
    await start_charging_session(desk.temporal.client, unknown)
    await eventually(lambda: is_listed(desk, unknown))
    found = await reunited(desk)
    assert ended.session_id in found.ended
    assert unknown.session_id in found.unknown
