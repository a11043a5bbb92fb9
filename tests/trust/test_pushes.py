"""Pushes that are odd, late, lost or somebody else's."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from temporalio.testing import WorkflowEnvironment

from charging.ocpi import wire
from charging.store import tables
from tests.peer import tariff
from tests.receive.conftest import Desk, session_body
from tests.stack import Stack, running_stack
from tests.waiting import eventually


@pytest.mark.trust("1.33")
async def test_a_limit_that_is_crossed_stops_the_session(stack: Stack) -> None:
    session_id, session = await stack.charging(battery_target_kwh=20, minutes=30)
    await stack.cpo.patch_session(session, {"kwh": 20.4})
    await eventually(lambda: stack.cpo.stops)
    limit = await stack.until(session_id, "stopping", phase="limit_reached")
    assert (limit["reason"]["code"], limit["energy_kwh"]) == ("target_reached", 20.4)


@pytest.mark.trust("1.5", "1.33")
async def test_a_limit_that_is_crossed_while_nobody_works_is_kept_late_and_by_how_much_is_shown(stack: Stack) -> None:
    session_id, session = await stack.charging(battery_target_kwh=20, minutes=30)
    async with stack.worker_away():
        for kwh in (19, 22, 27.5):
            assert (await stack.cpo.patch_session(session, {"kwh": kwh})).is_success
        assert (await stack.status(session_id))["energy_kwh"] == 27.5
        assert not stack.cpo.stops
    await eventually(lambda: stack.cpo.stops)
    late = await stack.until(session_id, "stopping", phase="limit_reached", energy_kwh=27.5)
    assert late["reason"]["code"] == "target_reached"
    assert late["reason"]["detail"].endswith(" of 20 kWh are in.")


@pytest.mark.trust("1.33")
async def test_the_users_max_cost_stops_the_session(stack: Stack) -> None:
    session_id, session = await stack.charging(max_cost=5, minutes=30)
    await stack.cpo.patch_session(session, {"kwh": 9, "total_cost": {"excl_vat": 4, "incl_vat": 5.02}})
    await eventually(lambda: stack.cpo.stops)
    limit = await stack.until(session_id, "stopping")
    assert limit["reason"]["code"] == "cost_limit_reached"


@pytest.mark.trust("1.33")
async def test_the_users_max_cost_stops_the_session_by_time_alone_while_the_cpo_is_silent(stack: Stack) -> None:
    faster = update(tables.connections).values(power_factor=60)  # the limit check then ticks every second
    async with stack.database.write() as store:
        await store.execute(faster)
    a_second = {"type": "TIME", "price": 3600, "step_size": 1}  # is 1 EUR
    now = wire.format_datetime(datetime.now(UTC))
    dear = tariff(elements=[{"price_components": [a_second]}], last_updated=now)
    assert (await stack.cpo.call("PUT", "tariffs/FI/VRT/T1", dear)).is_success
    session_id, _ = await stack.charging(max_cost=4)
    told = await stack.status(session_id)
    assert told["cost_source"] == "estimate"
    await eventually(lambda: stack.cpo.stops)
    limit = await stack.until(session_id, "stopping", phase="limit_reached")
    assert limit["reason"]["code"] == "cost_limit_reached"
    assert 3 < limit["cost"] < 60  # EUR, and so seconds


@pytest.mark.trust("1.34")
async def test_an_older_push_is_ignored_but_acknowledged(stack: Stack) -> None:
    session_id, session = await stack.charging()
    await stack.cpo.patch_session(session, {"kwh": 5})
    old = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answered = await stack.cpo.patch_session(session, {"kwh": 9, "last_updated": old})
    assert answered.json()["status_code"] == 1000
    assert (await stack.status(session_id))["energy_kwh"] == 5.0


@pytest.mark.trust("1.35")
async def test_a_patch_before_its_put_asks_for_the_whole_object(temporal: WorkflowEnvironment, store_url: str) -> None:
    async with running_stack(temporal, store_url, confirm_s=600) as stack:  # no deadline asks for it
        session_id = await stack.started()
        session = stack.cpo.session()
        stack.cpo.sessions.append({**session, "kwh": 5})
        assert not stack.cpo.received("sessions")
        assert (await stack.cpo.patch_session(session, {"kwh": 5})).status_code == 404
        await stack.until(session_id, "active", energy_kwh=5.0)
        assert stack.cpo.received("sessions")


@pytest.mark.trust("1.36")
async def test_energy_never_falls_and_the_anomaly_is_kept(stack: Stack) -> None:
    session_id, session = await stack.charging()
    for kwh in (5, 4, -1):
        await stack.cpo.patch_session(session, {"kwh": kwh})
    assert (await stack.status(session_id))["energy_kwh"] == 5.0
    assert "meter_anomaly" in await stack.events(session_id)


@pytest.mark.trust("1.37")
async def test_energy_that_no_charger_delivers_is_flagged_and_stops_nothing(stack: Stack) -> None:
    session_id, session = await stack.charging(minutes=1, battery_target_kwh=60)
    assert (await stack.cpo.patch_session(session, {"kwh": 500})).json()["status_code"] == 1000
    seen = await stack.status(session_id)
    assert (seen["status"], seen["energy_kwh"]) == ("active", 0)
    assert "meter_anomaly" in await stack.events(session_id)
    assert not stack.cpo.stops


@pytest.mark.trust("1.37")
async def test_a_cpo_whose_minutes_are_hours_may_deliver_as_much(stack: Stack) -> None:
    async with stack.database.write() as store:
        await store.execute(update(tables.connections).values(power_factor=600))
    session_id, session = await stack.charging(minutes=1, battery_target_kwh=60)
    await stack.cpo.patch_session(session, {"kwh": 500})
    await stack.until(session_id, "stopping", energy_kwh=500.0)
    assert "meter_anomaly" not in await stack.events(session_id)


@pytest.mark.trust("1.38")
async def test_a_session_that_stays_pending_fails_at_its_own_deadline_and_is_stopped(hasty: Stack) -> None:
    session_id = await hasty.started()
    await hasty.cpo.push_session(hasty.cpo.session(status="PENDING"))
    await hasty.until(session_id, "pending", phase="awaiting_plug")
    failed = await hasty.until(session_id, "failed")
    assert failed["reason"]["code"] == "plug_in_timeout"
    await eventually(lambda: [stop["session_id"] for stop in hasty.cpo.stops] == ["S1"])


@pytest.mark.trust("1.39")
async def test_a_silent_session_is_called_stale_and_asked_for(stack: Stack) -> None:
    session_id, session = await stack.charging()
    assert not (await stack.status(session_id))["stale"]
    stack.settings.stale_s = 0
    assert (await stack.status(session_id))["stale"]
    stack.cpo.sessions.append({**session, "kwh": 7, "status": "COMPLETED"})
    await stack.make_silent(session_id)
    await stack.until(session_id, "stopping", phase="awaiting_cdr")
    assert stack.cpo.received("sessions")


@pytest.mark.trust("1.40", "2.44")
@pytest.mark.parametrize(
    ("path", "http_status"), [("sessions/FI/VRT/S1", 404), ("sessions/DE/OTH/S1", 200)], ids=["url", "body"]
)
async def test_another_partys_session_is_refused_without_a_trace(desk: Desk, path: str, http_status: int) -> None:
    spec = await desk.start()
    body = session_body(authorization_reference=spec.authorization_reference, kwh=9)
    answer = await desk.call("PUT", path, body, by="other")
    assert answer.status_code == http_status
    assert answer.json()["status_code"] == 2001
    assert await desk.rows(tables.ocpi_sessions) == []
    assert (await desk.row(spec)).kwh == 0


@pytest.mark.trust("1.40", "2.44")
async def test_another_peer_cannot_touch_our_session_under_its_own_name(desk: Desk) -> None:
    """The reference leaked: the Session is stored as the other peer's own, and is nobody's."""
    spec = await desk.start()
    stolen = session_body(
        country_code="DE", party_id="OTH", authorization_reference=spec.authorization_reference, kwh=9
    )
    assert (await desk.call("PUT", "sessions/DE/OTH/S1", stolen, by="other")).status_code == 201
    (stored,) = await desk.rows(tables.ocpi_sessions)
    assert stored.session_id is None
    assert (await desk.row(spec)).kwh == 0


@pytest.mark.trust("1.41")
async def test_an_invalid_session_fails_without_a_charge(stack: Stack) -> None:
    session_id, session = await stack.charging()
    await stack.cpo.patch_session(session, {"status": "INVALID"})
    failed = await stack.until(session_id, "failed")
    assert failed["reason"]["code"] == "session_invalid"
    assert await stack.workflow(session_id).result() == "failed"
    assert await stack.held(session_id) == 0
    async with stack.database.read() as store:
        for of_money in (tables.cdrs, tables.receipts, tables.payments):
            assert (await store.execute(select(of_money))).all() == []


@pytest.mark.trust("1.42")
async def test_words_that_nobody_knows_are_kept_and_do_no_harm(stack: Stack) -> None:
    session_id, session = await stack.charging(minutes=30)
    strange = {"status": "SUSPENDED_BY_THE_WEATHER", "auth_method": "TELEPATHY", "x_vendor": {"firmware": [1, None]}}
    later = wire.format_datetime(datetime.now(UTC))
    patch = {**strange, "kwh": 2, "last_updated": later}  # as it is: our peer's own dialect would leave out a field
    assert (await stack.cpo.call("PATCH", f"sessions/FI/VRT/{session['id']}", patch)).json()["status_code"] == 1000
    assert (await stack.until(session_id, "active"))["energy_kwh"] == 2.0
    async with stack.database.read() as store:
        stored = await store.scalar(select(tables.ocpi_sessions.c.body))
    assert stored is not None
    assert {name: stored[name] for name in strange} == strange


@pytest.mark.trust("1.43")
async def test_a_second_session_of_one_start_is_parked_and_stopped(stack: Stack) -> None:
    session_id, _ = await stack.charging(id="S1")
    await stack.cpo.push_session(stack.cpo.session(id="S2", kwh=30))
    await eventually(lambda: stack.cpo.stops)
    assert [stop["session_id"] for stop in stack.cpo.stops] == ["S2"]
    assert "second_session" in await stack.events(session_id)
    status = await stack.status(session_id)
    assert (status["status"], status["energy_kwh"]) == ("active", 0.0)
