"""Pushes that are odd, late, lost or somebody else's: trust items 33 to 43, by number."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from charging.ocpi import wire
from charging.store import tables
from tests.peer import tariff
from tests.stack import Stack
from tests.waiting import eventually


async def test_33_a_limit_that_is_crossed_stops_the_session(stack: Stack) -> None:
    session_id, session = await stack.charging(battery_target_kwh=20, minutes=30)
    await stack.cpo.patch_session(session, {"kwh": 20.4})
    await eventually(lambda: stack.cpo.stops)
    limit = await stack.until(session_id, "stopping", phase="limit_reached")
    assert (limit["reason"]["code"], limit["energy_kwh"]) == ("target_reached", 20.4)


async def test_33_the_users_max_cost_stops_the_session(stack: Stack) -> None:
    session_id, session = await stack.charging(max_cost=5, minutes=30)
    await stack.cpo.patch_session(session, {"kwh": 9, "total_cost": {"excl_vat": 4, "incl_vat": 5.02}})
    await eventually(lambda: stack.cpo.stops)
    limit = await stack.until(session_id, "stopping")
    assert limit["reason"]["code"] == "cost_limit_reached"


async def test_33_the_users_max_cost_stops_the_session_by_time_alone_while_the_cpo_is_silent(stack: Stack) -> None:
    faster = update(tables.connections).values(power_factor=60)  # the limit check then ticks every second
    async with stack.database.write() as store:
        await store.execute(faster)
    a_second = {"type": "TIME", "price": 3600, "step_size": 1}  # is 1 EUR
    now = wire.format_datetime(datetime.now(UTC))
    dear = tariff(elements=[{"price_components": [a_second]}], last_updated=now)
    assert (await stack.cpo.call("PUT", "tariffs/FI/VRT/T1", dear)).is_success
    session_id, _ = await stack.charging(max_cost=4)
    told = await stack.status(session_id)
    assert (told["cost"] < 4, told["cost_source"]) == (True, "estimate")
    await eventually(lambda: stack.cpo.stops)
    limit = await stack.until(session_id, "stopping", phase="limit_reached")
    assert limit["reason"]["code"] == "cost_limit_reached"
    assert 3 < limit["cost"] < 12  # read by the second


async def test_34_an_older_push_is_ignored_but_acknowledged(stack: Stack) -> None:
    session_id, session = await stack.charging()
    await stack.cpo.patch_session(session, {"kwh": 5})
    old = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answered = await stack.cpo.patch_session(session, {"kwh": 9, "last_updated": old})
    assert answered.json()["status_code"] == 1000
    assert (await stack.status(session_id))["energy_kwh"] == 5.0


async def test_35_a_patch_before_its_put_asks_for_the_whole_object(stack: Stack) -> None:
    await stack.started()
    assert (await stack.cpo.patch_session(stack.cpo.session(), {"kwh": 5})).status_code == 404


async def test_36_energy_never_falls_and_the_anomaly_is_kept(stack: Stack) -> None:
    session_id, session = await stack.charging()
    for kwh in (5, 4, -1):
        await stack.cpo.patch_session(session, {"kwh": kwh})
    assert (await stack.status(session_id))["energy_kwh"] == 5.0
    assert "meter_anomaly" in await stack.events(session_id)


async def test_40_a_session_of_another_party_is_rejected_without_a_write(stack: Stack) -> None:
    session_id = await stack.started()
    foreign = {**stack.cpo.session(kwh=50), "country_code": "DE", "party_id": "XXX"}
    answered = await stack.cpo.push_session(foreign)
    assert answered.status_code == 404 or answered.json()["status_code"] >= 2000
    assert (await stack.status(session_id))["status"] == "pending"


async def test_41_an_invalid_session_fails_without_a_charge(stack: Stack) -> None:
    session_id, session = await stack.charging()
    await stack.cpo.patch_session(session, {"status": "INVALID"})
    failed = await stack.until(session_id, "failed")
    assert failed["reason"]["code"] == "session_invalid"
    assert await stack.workflow(session_id).result() == "failed"
    assert await stack.held(session_id) == 0


async def test_43_a_second_session_of_one_start_is_parked_and_stopped(stack: Stack) -> None:
    session_id, _ = await stack.charging(id="S1")
    await stack.cpo.push_session(stack.cpo.session(id="S2", kwh=30))
    await eventually(lambda: stack.cpo.stops)
    assert [stop["session_id"] for stop in stack.cpo.stops] == ["S2"]
    status = await stack.status(session_id)
    assert (status["status"], status["energy_kwh"]) == ("active", 0.0)


async def test_39_a_silent_session_is_asked_for_by_one_list_call(stack: Stack) -> None:
    session_id, session = await stack.charging()
    stack.cpo.sessions.append({**session, "kwh": 7, "status": "COMPLETED"})
    await stack.make_silent(session_id)
    await stack.until(session_id, "stopping", phase="awaiting_cdr")
    assert stack.cpo.received("sessions")
