"""The sweeper: what nobody told us is asked for, and what a crash left is put right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from charging import names
from charging.ocpi import wire
from charging.ocpi.peers import Peers
from charging.session.model import SessionSpec, Status
from charging.store import tables
from charging.store.leases import LeaseStore
from charging.store.watch import BATCH, CLAIMS_AT_ONCE
from charging.sweeper import Sweeper
from charging.temporal import start_charging_session
from tests.peer import ScriptedCpo, answer
from tests.receive.conftest import Desk, session_body
from tests.receive.test_cdrs import cdr_body
from tests.serving import free_port
from tests.waiting import eventually

NOW = datetime.now(UTC)
SILENT: dict[str, Any] = {"poll_at": NOW - timedelta(seconds=1)}


def moment(minutes: float = 0) -> str:
    return wire.format_datetime(NOW + timedelta(minutes=minutes))


def fresh(spec: SessionSpec, **fields: Any) -> dict[str, Any]:
    """A Session of ``spec`` as the CPO lists it, five minutes old."""
    times = {"start_date_time": moment(-5), "last_updated": moment()}
    return session_body(authorization_reference=spec.authorization_reference, **times | fields)


@pytest.fixture
async def cpo(desk: Desk) -> AsyncIterator[ScriptedCpo]:
    """The CPO of connection ``virta``, now listening."""
    async with desk.cpo as cpo:
        desk.virta = await cpo.befriend(desk.database, desk.settings)
        desk.tokens["virta"] = str(cpo.emsp_token)
        yield cpo


@asynccontextmanager
async def sweeping(desk: Desk, client: Client | None = None, **settings: Any) -> AsyncIterator[Sweeper]:
    """A sweeper, not yet running."""
    chosen = desk.settings.model_copy(update=settings)
    peers = Peers(desk.database, chosen)
    try:
        yield Sweeper(desk.database, client or desk.temporal.client, peers, desk.receiver, chosen)
    finally:
        await peers.aclose()


async def look(sweeper: Sweeper) -> None:
    """One look, to the end of what it asks."""
    await sweeper.look()
    await eventually(lambda: not sweeper.is_asking)


async def test_one_list_call_serves_all_silent_sessions_of_a_cpo(desk: Desk, cpo: ScriptedCpo) -> None:
    specs = [await desk.start(created_at=NOW - timedelta(minutes=6), **SILENT) for _ in range(3)]
    cpo.sessions = [fresh(spec, id=f"S{n}", kwh=1) for n, spec in enumerate(specs)]
    async with sweeping(desk) as sweeper:
        await look(sweeper)
    assert len(cpo.received("sessions")) == 1
    since = cpo.received("sessions")[0].query["date_from"]
    assert since == moment(-36)
    for spec in specs:
        row = await desk.row(spec)
        assert row.kwh == 1
        assert row.poll_at > NOW + timedelta(minutes=4)


async def test_a_session_that_is_not_listed_is_asked_for_again_later(desk: Desk, cpo: ScriptedCpo) -> None:
    spec = await desk.start(created_at=NOW, **SILENT)
    async with sweeping(desk) as sweeper:
        await look(sweeper)
    assert (await desk.row(spec)).poll_at > NOW + timedelta(minutes=4)


async def test_broken_objects_in_a_list_hide_no_good_ones(desk: Desk, cpo: ScriptedCpo) -> None:
    spec = await desk.start(created_at=NOW - timedelta(minutes=6), **SILENT)
    broken = fresh(spec, id="S0", kwh="x")
    foreign = fresh(spec, id="S9", country_code="DE", party_id="OTH")
    cpo.sessions = [broken, foreign, fresh(spec, kwh=1)]
    async with sweeping(desk) as sweeper:
        await look(sweeper)
    assert (await desk.row(spec)).ocpi_session_id == "S1"


async def test_objects_without_real_dates_hide_no_good_ones(desk: Desk, cpo: ScriptedCpo) -> None:
    spec, never_set = await desk.start(created_at=NOW - timedelta(minutes=6), status="stopping", **SILENT), []
    for n, when in enumerate(("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")):
        dates = {"start_date_time": when, "end_date_time": when, "last_updated": moment()}
        never_set.append(cdr_body(id=f"C{n}", session_id=None, **dates))
    cpo.sessions = [fresh(spec, id="S0", start_date_time="0001-01-01T00:00:00Z"), fresh(spec, id="S0", kwh=1)]
    bill = cdr_body(authorization_reference=spec.authorization_reference, last_updated=moment())
    cpo.cdrs = [*never_set, bill]
    async with sweeping(desk) as sweeper:
        await look(sweeper)
    assert (await desk.row(spec)).kwh == 1
    bills = {row.id: row.session_id for row in await desk.rows(tables.cdrs)}
    assert bills == {"C0": None, "C1": None, "CDR1": spec.session_id}


@pytest.mark.parametrize("never_set", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
async def test_a_session_that_ended_in_another_age_silences_no_watch(
    desk: Desk, cpo: ScriptedCpo, never_set: datetime
) -> None:
    dates: dict[str, Any] = {"cpo_ended_at": never_set, "meter_updated_at": never_set}
    ended = await desk.start(created_at=NOW, status="stopping", cpo_status="COMPLETED", **dates, **SILENT)
    other = await desk.start(created_at=NOW - timedelta(minutes=6), **SILENT)
    cpo.sessions = [fresh(other, kwh=1)]
    async with sweeping(desk) as sweeper:
        await look(sweeper)
    assert (await desk.row(other)).kwh == 1
    assert (await desk.row(ended)).poll_at > NOW


async def test_an_unusable_object_of_a_list_is_kept_once_however_often_it_is_listed(
    desk: Desk, cpo: ScriptedCpo
) -> None:
    spec = await desk.start(created_at=NOW - timedelta(minutes=6), status="stopping", **SILENT)
    cpo.sessions, cpo.cdrs = [fresh(spec, kwh="x")], [cdr_body(id="", last_updated=moment())]
    async with sweeping(desk) as one, sweeping(desk) as two:
        await look(one)
        await desk.change(spec, **SILENT)
        async with desk.database.write() as store:
            await store.execute(delete(tables.leases))
        await look(two)
    kept = await desk.rows(tables.odd_messages)
    assert sorted(row.path for row in kept) == ["cdrs", "sessions"]
    assert any('"id":""' in row.body for row in kept)


async def test_a_cpo_that_does_not_answer_is_asked_again_later(desk: Desk, cpo: ScriptedCpo) -> None:
    spec = await desk.start(created_at=NOW, **SILENT)
    cpo.on("sessions", answer(http_status=500))
    async with sweeping(desk) as sweeper:
        await look(sweeper)
    assert (await desk.row(spec)).poll_at > NOW + timedelta(minutes=4)


async def test_a_cpo_is_asked_at_most_once_in_a_few_seconds(desk: Desk, cpo: ScriptedCpo) -> None:
    spec = await desk.start(created_at=NOW, **SILENT)
    async with sweeping(desk) as one, sweeping(desk) as two:
        await asyncio.gather(look(one), look(two))
        await desk.change(spec, **SILENT)
        await look(one)
    assert len(cpo.received("sessions")) == 1


async def test_a_cpo_that_hangs_holds_up_no_other(desk: Desk, cpo: ScriptedCpo) -> None:
    hangs = asyncio.Event()
    cpo.on("sessions", answer([], wait_for=hangs))
    await desk.start(created_at=NOW, **SILENT)
    async with sweeping(desk) as sweeper:
        await sweeper.look()
        await eventually(lambda: cpo.received("sessions"))
        await sweeper.look()
        hangs.set()
        await eventually(lambda: not sweeper.is_asking)
    assert len(cpo.received("sessions")) == 1


async def test_a_cpo_that_hangs_with_ever_so_many_silent_sessions_hides_no_other(desk: Desk, cpo: ScriptedCpo) -> None:
    hangs = asyncio.Event()
    cpo.on("sessions", answer([], wait_for=hangs))
    one = await desk.row(await desk.start(created_at=NOW, poll_at=NOW - timedelta(hours=1)))
    more = [{"id": f"{n}", "authorization_reference": f"{n}", "token_uid": f"{n}"} for n in range(BATCH)]
    async with desk.database.write() as store:
        await store.execute(insert(tables.sessions), [dict(one._mapping) | others for others in more])
    other = await desk.start(created_at=NOW, connection_id=desk.other.id, **SILENT)
    async with sweeping(desk) as sweeper:
        await sweeper.look()
        await eventually(lambda: cpo.received("sessions"))
        await sweeper.look()

        async def is_asked_about() -> bool:
            return bool((await desk.row(other)).poll_at > NOW)

        await eventually(is_asked_about)
        hangs.set()
        await eventually(lambda: not sweeper.is_asking)


async def test_the_bill_of_an_ended_session_is_fetched(desk: Desk, cpo: ScriptedCpo) -> None:
    spec = await desk.start(created_at=NOW - timedelta(minutes=6))
    await desk.put(fresh(spec, kwh=1, status="COMPLETED", end_date_time=moment()))
    await desk.change(spec, status=Status.STOPPING, **SILENT)
    cpo.cdrs = [cdr_body(authorization_reference=spec.authorization_reference, last_updated=moment())]
    async with sweeping(desk) as sweeper:
        await look(sweeper)
    assert (len(cpo.received("sessions")), len(cpo.received("cdrs"))) == (0, 1)
    (cdr,) = await desk.rows(tables.cdrs)
    assert (cdr.session_id, cdr.state) == (spec.session_id, "received")
    assert (await desk.row(spec)).poll_at is None
    pushed = await desk.call("POST", "cdrs", cpo.cdrs[0])
    assert (pushed.status_code, pushed.json()["status_code"]) == (200, 1000)


async def test_a_session_that_nobody_waits_for_is_not_asked_for(desk: Desk, cpo: ScriptedCpo) -> None:
    spec = await desk.start(created_at=NOW, status=Status.FAILED, **SILENT)
    async with sweeping(desk) as sweeper:
        await look(sweeper)
    assert cpo.requests == []
    assert (await desk.row(spec)).poll_at is None


async def test_after_a_restart_every_open_session_is_asked_for_together(desk: Desk, cpo: ScriptedCpo) -> None:
    started: dict[str, Any] = {"created_at": NOW - timedelta(minutes=2), "poll_at": NOW + timedelta(minutes=5)}
    specs = [await desk.start(**started) for _ in range(6)]
    cpo.sessions = [fresh(spec, id=f"S{number}", kwh=1) for number, spec in enumerate(specs)]
    async with sweeping(desk) as sweeper:
        task = asyncio.create_task(sweeper.run())

        async def all_are_heard() -> bool:
            return all([(await desk.row(spec)).kwh == 1 for spec in specs])

        await eventually(all_are_heard)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    # One list holds them all; on a slow machine a second one may have begun, but never one for each session.
    assert len(cpo.received("sessions")) < len(specs) / 2


async def test_a_session_of_which_nothing_was_ever_heard_is_asked_for(desk: Desk) -> None:
    spec = await desk.start(created_at=NOW - timedelta(minutes=6))
    young = await desk.start(created_at=datetime.now(UTC))
    async with sweeping(desk) as sweeper:
        await sweeper.sweep()
    assert (await desk.row(spec)).poll_at is not None
    assert (await desk.row(young)).poll_at is None


async def test_a_start_whose_workflow_exists_is_left_alone(desk: Desk) -> None:
    spec = await desk.start(created_at=NOW - timedelta(minutes=1), admission="accepted", workflow=True)
    async with sweeping(desk) as sweeper:
        await sweeper.sweep()
    assert (await desk.row(spec)).admission == "accepted"


async def test_nothing_is_abandoned_while_temporal_is_away(desk: Desk) -> None:
    spec = await desk.start(created_at=NOW - timedelta(minutes=1), admission="accepted")
    dead = await Client.connect(f"127.0.0.1:{free_port()}", data_converter=pydantic_data_converter, lazy=True)
    async with sweeping(desk, dead) as sweeper:
        await sweeper.sweep()
    assert (await desk.row(spec)).admission == "accepted"


async def test_a_claim_that_outlived_its_workflow_is_freed_once_the_cpo_was_asked(desk: Desk, cpo: ScriptedCpo) -> None:
    spec = await desk.start(created_at=NOW - timedelta(hours=1), updated_at=NOW - timedelta(minutes=10))
    async with sweeping(desk) as sweeper:
        await sweeper.sweep()
    assert len(cpo.received("sessions")) == 1
    assert await desk.rows(tables.evse_claims, session_id=spec.session_id) == []


async def test_a_claim_is_kept_while_the_cpo_says_that_it_charges(desk: Desk, cpo: ScriptedCpo) -> None:
    spec = await desk.start(created_at=NOW - timedelta(hours=1), updated_at=NOW - timedelta(minutes=10))
    cpo.sessions = [fresh(spec, kwh=1)]
    async with sweeping(desk) as sweeper:
        await sweeper.sweep()
    assert len(await desk.rows(tables.evse_claims, session_id=spec.session_id)) == 1
    late = desk.temporal.client.get_workflow_handle(names.late_session_id(spec.session_id))
    assert (await late.describe()).workflow_type == names.Workflow.LATE_SESSION


async def test_a_claim_is_kept_while_the_cpo_does_not_answer_or_its_workflow_runs(desk: Desk, cpo: ScriptedCpo) -> None:
    old: dict[str, Any] = {"created_at": NOW - timedelta(hours=1), "updated_at": NOW - timedelta(minutes=10)}
    gone, runs = await desk.start(**old), await desk.start(**old)
    await start_charging_session(desk.temporal.client, runs)
    cpo.on("sessions", answer(http_status=500))
    async with sweeping(desk) as sweeper:
        await sweeper.sweep()
    assert len(await desk.rows(tables.evse_claims)) == 2
    assert len({r.headers["x-correlation-id"] for r in cpo.received("sessions")}) == 1  # one list
    assert gone.session_id != runs.session_id


async def test_many_claims_that_are_rightly_held_hide_none_that_is_not(desk: Desk, cpo: ScriptedCpo) -> None:
    old: dict[str, Any] = {"created_at": NOW - timedelta(hours=1), "updated_at": NOW - timedelta(minutes=10)}
    specs = sorted([await desk.start(**old) for _ in range(CLAIMS_AT_ONCE + 1)], key=lambda spec: spec.session_id)
    cpo.sessions = [fresh(spec, id=f"S{n}", kwh=1) for n, spec in enumerate(specs[:-1])]
    async with sweeping(desk) as sweeper:
        await sweeper.sweep()
        assert len(await desk.rows(tables.evse_claims)) == len(specs)
        await LeaseStore(desk.database).give_back(f"ask/{desk.virta.id}", NOW)
        await sweeper.sweep()
    assert await desk.rows(tables.evse_claims, session_id=specs[-1].session_id) == []
    assert len(cpo.received("sessions")) == 2


async def test_claims_are_not_asked_about_beside_another_who_asks(desk: Desk, cpo: ScriptedCpo) -> None:
    await desk.start(created_at=NOW - timedelta(hours=1), updated_at=NOW - timedelta(minutes=10))
    await LeaseStore(desk.database).take(f"ask/{desk.virta.id}", now=NOW, until=NOW + timedelta(minutes=9))
    async with sweeping(desk) as sweeper:
        await sweeper.sweep()
    assert cpo.requests == []
    assert len(await desk.rows(tables.evse_claims)) == 1


async def test_a_lease_is_held_by_one_until_it_ends(desk: Desk) -> None:
    leases, later = LeaseStore(desk.database), NOW + timedelta(minutes=1)
    took = await asyncio.gather(*(leases.take("x", now=NOW, until=later) for _ in range(4)))
    assert sorted(took) == [False, False, False, True]
    assert not await leases.take("x", now=NOW + timedelta(seconds=59), until=later)
    assert await leases.take("x", now=later, until=later + timedelta(minutes=1))
    await leases.give_back("x", NOW)
    assert await leases.take("x", now=NOW, until=later)
