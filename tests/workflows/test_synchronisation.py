"""After an outage, theirs or ours, what we have is what the CPO has."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from charging import names
from charging.ocpi import wire
from charging.ocpi.peers import Peers
from charging.settings import Settings
from charging.store import tables
from charging.store.engine import Database
from charging.store.locations import LocationStore
from charging.store.objects import ObjectKey
from charging.temporal import drop_sync_schedule
from tests.ocpi.conftest import on_sqlite
from tests.peer import ScriptedCpo, Step, evse, html, location, now
from tests.serving import free_port, serve
from tests.stack import Stack, running_stack
from tests.waiting import eventually
from worker import build_worker

Body = dict[str, Any]


async def sync(settings: Settings, **order: Any) -> dict[str, Body]:
    """POST /ocpi/connections/virta/sync: what became of each module."""
    headers = {"X-API-Key": settings.admin_key.get_secret_value()}
    async with httpx.AsyncClient(base_url=settings.public_url, headers=headers, timeout=60) as http:
        answer = await http.post("/ocpi/connections/virta/sync", json=order)
    assert answer.status_code == 200, answer.text
    return {pull["module"]: pull for pull in answer.json()["pulls"]}


async def bodies(database: Database, table: Any) -> dict[str, Body]:
    """The stored objects, by id."""
    async with database.read() as store:
        return {row.id: wire.plain(row.body) for row in await store.execute(select(table))}


def by_id(objects: list[Body]) -> dict[str, Body]:
    return {body["id"]: body for body in objects}


async def lose_pushes(cpo: ScriptedCpo) -> None:
    """A hundred pushes that nobody takes: 40 Sessions, 30 CDRs, 30 Locations. The CPO's lists have them all."""
    pushes = []
    for number in range(40):
        cpo.sessions.append(cpo.session(id=f"S{number}", kwh=number, status="COMPLETED"))
        pushes.append(cpo.push_session(cpo.sessions[-1]))
    for number in range(30):
        cpo.cdrs.append(cpo.cdr(cpo.sessions[number], id=f"CDR{number}"))
        pushes.append(cpo.post_cdr(cpo.cdrs[-1]))
    cpo.locations = [location(evses=[evse(status="CHARGING", last_updated=now())], last_updated=now())]
    for number in range(30):
        cpo.locations.append(location(id=f"P{number}", last_updated=now(), evses=[evse(uid=f"P{number}")]))
        pushes.append(cpo.call("PUT", f"locations/FI/VRT/P{number}", cpo.locations[-1]))
    assert len(pushes) == 100
    for push in pushes:
        with pytest.raises(httpx.ConnectError):
            await push


async def test_after_an_outage_of_ours_we_have_what_the_cpo_has(
    temporal: WorkflowEnvironment, database: Database
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = Settings(database_url=database.url, public_url=url, allow_private_peers=True)
    async with AsyncExitStack() as stack:
        cpo = await stack.enter_async_context(ScriptedCpo())
        cpo.page_size = 7
        connection = await cpo.befriend(database, settings)
        stack.push_async_callback(drop_sync_schedule, temporal.client, connection.id)
        await lose_pushes(cpo)
        peers = Peers(database, settings)
        stack.push_async_callback(peers.aclose)
        await stack.enter_async_context(serve(create_app(settings), port))
        await stack.enter_async_context(build_worker(temporal.client, database, peers, settings))

        report = await sync(settings)

        assert {module: pull["error"] for module, pull in report.items()} == dict.fromkeys(report)
        assert report["sessions"]["created"] == 40
        assert report["cdrs"]["created"] == 30
        assert (report["locations"]["created"], report["locations"]["changed"]) == (30, 1)
        assert await bodies(database, tables.ocpi_sessions) == by_id(cpo.sessions)
        assert await bodies(database, tables.cdrs) == by_id(cpo.cdrs)
        for place in cpo.locations:
            stored = await LocationStore(database).get_location(ObjectKey(connection.id, "FI", "VRT", place["id"]))
            told = {body["uid"]: body for body in (stored or {})["evses"] if body["status"] != "REMOVED"}
            assert told == {body["uid"]: body for body in place["evses"]}

        again = await sync(settings)
        assert [again[module]["created"] + again[module]["changed"] for module in again] == [0, 0, 0, 0]
        since = [request.query.get("date_from") for request in cpo.received("sessions")]
        assert since[0] != since[-1]


async def test_a_page_that_fails_is_read_again_and_those_before_it_are_not(stack: Stack) -> None:
    cpo = stack.cpo
    cpo.page_size = 2
    cpo.locations = [location(id=f"P{number}", evses=[]) for number in range(10)]
    cpo.on("locations", Step(), Step(), html(500), html(503), Step())
    pull = (await sync(stack.settings, module="locations", full=True))["locations"]
    assert (pull["seen"], pull["created"], pull["missing"], pull["error"]) == (10, 10, 1, None)
    offsets = [request.query.get("offset") for request in cpo.received("locations")]
    assert offsets == [None, "2", "4", "4", "4", "6", "8"]


@on_sqlite
async def test_an_object_deleted_between_two_pages_lets_none_slip_through(stack: Stack) -> None:
    cpo, first_page = stack.cpo, asyncio.Event()
    cpo.page_size = 2
    cpo.locations = [location(id=f"P{number}", evses=[]) for number in range(5)]
    cpo.on("locations", Step(wait_for=first_page), Step())
    pulling = asyncio.create_task(sync(stack.settings, module="locations"))
    await eventually(lambda: cpo.received("locations"))
    cpo.locations = cpo.locations[1:]
    first_page.set()
    assert (await pulling)["locations"]["error"] is None
    assert {f"P{number}" for number in range(5)} <= set(await bodies(stack.database, tables.locations))


@on_sqlite
async def test_each_connected_cpo_has_a_schedule(temporal: WorkflowEnvironment, store_url: str) -> None:
    async with running_stack(temporal, store_url, settings={"sweep_s": 0.2, "sync_s": 600}) as stack:
        headers = {"X-API-Key": stack.settings.admin_key.get_secret_value()}
        (view,) = (await stack.api.get("/ocpi/connections", headers=headers)).json()["connections"]
        await eventually(lambda: _interval_s(stack.temporal, view["id"]))
        assert await _interval_s(stack.temporal, view["id"]) == 600
        await stack.api.delete("/ocpi/connections/virta", headers=headers)

        async def is_gone() -> bool:
            return await _interval_s(stack.temporal, view["id"]) is None

        await eventually(is_gone)


async def _interval_s(client: Client, connection_id: str) -> float | None:
    try:
        found = await client.get_schedule_handle(names.sync_schedule_id(connection_id)).describe()
    except RPCError:
        return None
    return found.schedule.spec.intervals[0].every.total_seconds()
