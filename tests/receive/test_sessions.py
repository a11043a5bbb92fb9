"""Session pushes over OCPI: stored first, acknowledged after, and never believed beyond reason."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from charging.ocpi import wire
from charging.receiver import Outcome, Receiver
from charging.session.model import CpoStatus
from charging.store import tables
from charging.store.cpo_sessions import load_own_sessions
from tests.receive.conftest import START, Desk, at, period, session_body
from tests.waiting import eventually


async def test_a_session_with_our_reference_moves_our_meter(desk: Desk) -> None:
    spec = await desk.start()
    body = session_body(authorization_reference=spec.authorization_reference.lower())

    created = await desk.put(body)
    assert (created.status_code, created.json()["status_code"]) == (201, 1000)
    assert "data" not in created.json()

    periods = [period(0, POWER=11, STATE_OF_CHARGE=35)]
    cost = {"excl_vat": 1, "incl_vat": 1.24}
    changed = await desk.patch("S1", kwh=5.5, charging_periods=periods, total_cost=cost, last_updated=at(30))
    assert (changed.status_code, changed.json()["status_code"]) == (200, 1000)

    row = await desk.row(spec)
    assert (row.kwh, row.cost, row.power_kw, row.state_of_charge) == (
        Decimal("5.5"),
        Decimal("1.24"),
        Decimal(11),
        Decimal(35),
    )
    assert (row.ocpi_session_id, row.cpo_status, row.started_at) == ("S1", CpoStatus.ACTIVE, START)
    assert row.poll_at is not None


async def test_a_session_is_matched_by_its_one_time_token(desk: Desk) -> None:
    """Some CPOs drop authorization_reference on the way."""
    spec = await desk.start()
    await desk.put(session_body(cdr_token={"uid": (await desk.token_uid(spec)).lower()}, kwh=1))
    assert (await desk.row(spec)).kwh == 1


async def test_the_stored_session_can_be_read_back_whole(desk: Desk) -> None:
    body = session_body(charging_periods=[period(0, ENERGY=0.1)], x_vendor={"firmware": "1.2"})
    await desk.put(body)
    await desk.patch("S1", charging_periods=[period(5, ENERGY=0.2)], kwh=0.3, last_updated=at(5))
    answer = await desk.call("GET", "sessions/FI/VRT/S1")
    whole = {**body, "charging_periods": [period(0, ENERGY=0.1), period(5, ENERGY=0.2)], "kwh": 0.3}
    assert answer.json()["data"] == {**whole, "last_updated": at(5)}


async def test_the_owner_is_found_whatever_the_case_of_the_url(desk: Desk) -> None:
    await desk.put(session_body())
    assert (await desk.call("GET", "sessions/fi/vrt/S1")).status_code == 200


async def test_a_session_that_matches_nothing_is_stored_and_acknowledged(desk: Desk) -> None:
    assert (await desk.put(session_body())).status_code == 201
    (stored,) = await desk.rows(tables.ocpi_sessions)
    assert (stored.session_id, stored.parked) == (None, False)


async def test_a_session_is_matched_as_soon_as_it_says_whose_it_is(desk: Desk) -> None:
    spec = await desk.start()
    await desk.put(session_body())
    await desk.patch("S1", authorization_reference=spec.authorization_reference, kwh=1, last_updated=at(5))
    assert (await desk.row(spec)).kwh == 1


async def test_a_patch_of_an_unknown_session_is_404_and_asks_for_the_list(desk: Desk) -> None:
    spec = await desk.start(poll_at=START.replace(year=2099))
    answer = await desk.patch("S1", kwh=1, last_updated=at(1))
    assert (answer.status_code, answer.json()["status_code"]) == (404, 2001)
    assert (await desk.row(spec)).poll_at.year != 2099


async def test_energy_without_active_means_a_lost_push_and_asks_for_the_list(desk: Desk) -> None:
    """Patches need not carry `status`: they alone would keep the session from being asked about for ever."""
    spec = await desk.start()
    await desk.put(session_body(authorization_reference=spec.authorization_reference, status="PENDING"))
    assert (await desk.row(spec)).poll_at > datetime.now(UTC)
    await desk.patch("S1", kwh=1, last_updated=at(1))
    assert (await desk.row(spec)).poll_at <= datetime.now(UTC)


async def test_pushes_that_still_lack_active_do_not_put_the_question_off(desk: Desk) -> None:
    spec = await desk.start()
    await desk.put(session_body(authorization_reference=spec.authorization_reference, status="PENDING", kwh=1))
    next_question = START.replace(year=2099)
    await desk.change(spec, poll_at=next_question)
    await desk.patch("S1", kwh=2, last_updated=at(1))
    assert (await desk.row(spec)).poll_at == next_question
    await desk.patch("S1", kwh=3, status="ACTIVE", last_updated=at(2))
    assert (await desk.row(spec)).poll_at < next_question


async def test_an_older_push_is_acknowledged_and_ignored(desk: Desk) -> None:
    spec = await desk.start()
    await desk.put(session_body(authorization_reference=spec.authorization_reference, kwh=3, last_updated=at(20)))
    before = await desk.row(spec)
    answer = await desk.patch("S1", kwh=4, last_updated=at(10))
    assert answer.json()["status_code"] == 1000
    assert await desk.row(spec) == before


async def test_an_older_push_that_ends_the_session_ends_it(desk: Desk) -> None:
    spec = await desk.start()
    await desk.put(session_body(authorization_reference=spec.authorization_reference, kwh=3, last_updated=at(20)))
    await desk.patch("S1", status="COMPLETED", end_date_time=at(15), last_updated=at(10))
    row = await desk.row(spec)
    assert (row.cpo_status, row.kwh) == (CpoStatus.COMPLETED, 3)


ODD = {
    b"{": 400,
    b'{"kwh": NaN}': 400,
    b"\xff\x00": 400,
    b"[" * 100_000: 400,
    b'{"id": "S1", "status": "A\\u0000", "kwh": 1, "last_updated": "2026-03-30T12:00:00Z"}': 400,
    b"[]": 200,
    b'"text"': 200,
    b"{}": 200,
    b'{"id": "S1", "status": "ACTIVE", "kwh": "x", "last_updated": "2026-03-30T12:00:00Z"}': 200,
    b'{"id": "OTHER", "status": "ACTIVE", "kwh": 1, "last_updated": "2026-03-30T12:00:00Z"}': 200,
}


async def test_an_odd_body_is_kept_whole_and_refused(desk: Desk) -> None:
    for raw, http_status in ODD.items():
        answer = await desk.call("PUT", "sessions/FI/VRT/S1", raw)
        assert (answer.status_code, answer.json()["status_code"]) == (http_status, 2001)
    kept = await desk.rows(tables.odd_messages, method="PUT", path="/ocpi/emsp/2.2.1/sessions/FI/VRT/S1")
    whole = {raw.decode("utf-8", "backslashreplace").replace("\x00", "\\x00") for raw in ODD}
    assert {odd.body for odd in kept} == whole
    assert await desk.rows(tables.ocpi_sessions) == []


async def test_an_id_that_is_too_long_is_refused(desk: Desk) -> None:
    answer = await desk.put(session_body(id="S" * 101))
    assert answer.json()["status_code"] == 2001


async def test_an_unknown_status_is_stored_raw(desk: Desk) -> None:
    spec = await desk.start()
    strange = "SUSPENDED_BY_THE_WEATHER"
    answer = await desk.put(session_body(authorization_reference=spec.authorization_reference, status=strange, kwh=1))
    assert answer.status_code == 201
    (stored,) = await desk.rows(tables.ocpi_sessions)
    assert stored.body["status"] == strange
    assert (await desk.row(spec)).kwh == 1


async def test_an_anomaly_is_one_event_however_often_the_cpo_repeats_it(desk: Desk) -> None:
    spec = await desk.start()
    await desk.put(session_body(authorization_reference=spec.authorization_reference, kwh=3, last_updated=at(20)))
    for minutes, kwh in ((21, 2), (22, 2.5), (23, 2.6), (24, 4), (25, 1)):
        await desk.patch("S1", kwh=kwh, last_updated=at(minutes))
    assert (await desk.row(spec)).kwh == 4
    assert [(kind, data["kwh"], data["kept_kwh"]) for kind, data in await desk.events(spec)] == [
        ("meter_anomaly", "2", "3"),
        ("meter_anomaly", "1", "4"),
    ]


async def test_a_leap_wakes_nobody_and_is_an_event(desk: Desk) -> None:
    spec = await desk.start(wake_kwh=Decimal(60), meter_received_at=START)
    await desk.put(session_body(authorization_reference=spec.authorization_reference, kwh=500, last_updated=at(1)))
    # Our clock says that months have passed since START: only the CPO's minute may count from here on.
    before = await desk.row(spec)
    await desk.patch("S1", kwh=before.kwh + 500, last_updated=at(2))
    assert (await desk.row(spec)).kwh == before.kwh
    assert ("meter_anomaly", "energy_leapt") in [(kind, data["anomaly"]) for kind, data in await desk.events(spec)]


async def test_our_estimate_stands_in_where_the_cpo_names_no_cost(desk: Desk) -> None:
    energy = {"type": "ENERGY", "price": 0.5, "vat": 24, "step_size": 1}
    tariff = {"id": "T", "currency": "EUR", "elements": [{"price_components": [energy]}]}
    spec = await desk.start(tariff=tariff)
    await desk.put(session_body(authorization_reference=spec.authorization_reference, kwh=10, last_updated=at(60)))
    row = await desk.row(spec)
    assert (row.cost, row.estimate) == (None, Decimal("6.2"))


async def test_our_estimate_keeps_what_was_told_in_a_silence_when_the_car_turns_out_to_be_parked(desk: Desk) -> None:
    time = {"type": "TIME", "price": 60, "step_size": 1}
    tariff = {"id": "T", "currency": "EUR", "elements": [{"price_components": [time]}]}
    spec = await desk.start(tariff=tariff)
    reference = {"authorization_reference": spec.authorization_reference}
    begun = wire.format_datetime(datetime.now(UTC) - timedelta(minutes=30))
    fed = {"start_date_time": begun, "last_updated": begun, "charging_periods": []}
    await desk.put(session_body(**reference, kwh=10, **fed))
    assert (await desk.row(spec)).estimate == 0
    later = wire.format_datetime(datetime.now(UTC) - timedelta(minutes=20))
    await desk.patch("S1", kwh=10, last_updated=later)  # no power for ten minutes: parked from the beginning
    row = await desk.row(spec)
    assert (row.power_kw, row.estimate >= 30) == (0, True)


async def test_a_second_session_for_one_start_is_parked_and_stopped(desk: Desk) -> None:
    spec = await desk.start()
    first = session_body(authorization_reference=spec.authorization_reference, kwh=3)
    await desk.put(first)
    await desk.put({**first, "id": "S2", "kwh": 99})
    await desk.patch("S2", kwh=100, last_updated=at(5))

    row = await desk.row(spec)
    assert (row.ocpi_session_id, row.kwh) == ("S1", 3)
    (second,) = await desk.rows(tables.ocpi_sessions, id="S2")
    assert (second.parked, second.session_id, second.body["kwh"]) == (True, spec.session_id, 100)
    assert [kind for kind, _ in await desk.events(spec)] == ["second_session"]
    assert await desk.mail(spec) == ["session", "parked"]


async def test_a_second_session_that_is_over_needs_no_stop(desk: Desk) -> None:
    spec = await desk.start()
    first = session_body(authorization_reference=spec.authorization_reference)
    await desk.put(first)
    await desk.put({**first, "id": "S2", "status": "COMPLETED"})
    assert await desk.mail(spec) == ["session"]


async def test_a_push_wakes_the_workflow_only_when_it_would_change_its_mind(desk: Desk) -> None:
    spec = await desk.start(wake_kwh=Decimal(10))
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    assert await desk.mail(spec) == ["session"]
    for minutes in range(1, 11):
        await desk.patch("S1", kwh=minutes * 0.1, last_updated=at(minutes))
    assert await desk.mail(spec) == ["session"]
    await desk.patch("S1", kwh=10, last_updated=at(60))
    assert await desk.mail(spec) == ["session", "session"]


async def test_pushes_that_come_together_are_all_applied_in_order(desk: Desk) -> None:
    """They share a commit; the last of each Session is what stands."""
    specs = [await desk.start() for _ in range(3)]
    bodies = [
        session_body(id=f"S{n}", authorization_reference=spec.authorization_reference, kwh=k, last_updated=at(15 * k))
        for k in range(4)
        for n, spec in enumerate(specs)
    ]
    answers = await asyncio.gather(*(desk.put(body) for body in bodies))
    assert {answer.json()["status_code"] for answer in answers} == {1000}
    for spec in specs:
        row = await desk.row(spec)
        assert (row.kwh, row.meter_updated_at) == (3, START.replace(minute=45))


async def test_two_processes_that_hear_of_the_same_new_session_at_once_agree(desk: Desk) -> None:
    spec = await desk.start()
    processes = [Receiver(desk.database, desk.settings) for _ in range(4)]
    body = session_body(authorization_reference=spec.authorization_reference, kwh=1)
    outcomes = await asyncio.gather(*(p.put_session(desk.virta, "FI", "VRT", "S1", body) for p in processes))
    assert outcomes.count(Outcome.CREATED) == 1
    (stored,) = await desk.rows(tables.ocpi_sessions)
    assert (stored.session_id, stored.parked) == (spec.session_id, False)
    assert (await desk.row(spec)).kwh == 1


async def test_one_bad_push_among_many_fails_alone(desk: Desk) -> None:
    bodies = [session_body(id=f"S{n}") for n in range(8)]
    bodies[3]["kwh"] = "x"
    answers = await asyncio.gather(*(desk.put(body) for body in bodies))
    codes = [answer.json()["status_code"] for answer in answers]
    assert codes == [2001 if n == 3 else 1000 for n in range(8)]
    assert len(await desk.rows(tables.ocpi_sessions)) == 7


async def test_no_token_no_session(desk: Desk) -> None:
    answer = await desk.http.put("/ocpi/emsp/2.2.1/sessions/FI/VRT/S1", json=session_body())
    assert answer.status_code == 401
    assert await desk.rows(tables.ocpi_sessions) == []


async def test_profiles_that_change_by_themselves_are_events(desk: Desk) -> None:
    spec = await desk.start()
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    profile: dict[str, Any] = {"start_date_time": at(3), "charging_profile": {"charging_rate_unit": "W"}}
    assert (await desk.call("PUT", "chargingprofiles/S1", profile)).json()["status_code"] == 1000
    assert await desk.events(spec) == [("active_profile", profile)]
    assert (await desk.call("PUT", "chargingprofiles/S1", profile, by="other")).status_code == 404


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_session_that_is_written_just_now_is_asked_for_as_well(desk: Desk) -> None:
    far = START + timedelta(days=36_500)
    spec = await desk.start(poll_at=far)
    async with desk.database.write() as store:
        await load_own_sessions(store, ids=[spec.session_id])
        patching = asyncio.create_task(desk.patch("S9", kwh=1, last_updated=at(3)))
        await eventually(lambda: is_waited_for(desk))
    assert (await patching).status_code == 404
    assert (await desk.row(spec)).poll_at < far


async def is_waited_for(desk: Desk) -> bool:
    """Whether a connection to PostgreSQL waits for a lock."""
    async with desk.database.read() as store:
        return bool(await store.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
