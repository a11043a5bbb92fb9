"""What no CPO can mean: absurd numbers and dates, ids that no column holds. It harms nobody, on either database."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from charging.live_costs import LiveCosts
from charging.ocpi import wire
from charging.payments.cdr import parse_cdr
from charging.session.model import SessionSpec
from charging.session.reading import status_answer
from charging.store import tables
from charging.store.inbox import InboxStore
from charging.store.reading import SessionReader
from charging.tariffs.usage import UnreadableUsage, read_usage
from tests.receive.conftest import Desk, at, period, session_body
from tests.receive.test_cdrs import cdr_body

ABSURD: dict[str, dict[str, Any]] = {
    "a cost of 1e40": {"total_cost": {"excl_vat": 10**40}},
    "a cost below -1e40": {"total_cost": {"excl_vat": 1, "incl_vat": -(10**41)}},
    "a cost in text": {"total_cost": {"excl_vat": "1e999999"}},
    "a bare cost": {"total_cost": "1e-999999"},
    "a cost that is none": {"total_cost": {"excl_vat": "Infinity"}},
    "a power of 1e40": {"charging_periods": [period(0, POWER=10**40)]},
    "a power that just fits no column": {"charging_periods": [period(0, MAX_POWER=10**9)]},
    "a state of charge in text": {
        "charging_periods": [
            {"start_date_time": at(0), "dimensions": [{"type": "STATE_OF_CHARGE", "volume": "1e9999"}]}
        ]
    },
    "an energy of 1e40": {"kwh": 10**40},
}


async def status(desk: Desk, spec: SessionSpec) -> dict[str, Any]:
    """What the robot of a session is told."""
    row = await SessionReader(desk.database).status(spec.session_id, "user-1")
    assert row is not None
    return status_answer(row, datetime.now(UTC), stale_s=60)


async def claimed(desk: Desk) -> set[str]:
    """The sessions whose mail an inbox can take."""
    later = datetime.now(UTC) + timedelta(seconds=1)
    return {mail.session_id for mail in await InboxStore(desk.database).claim(later, largest=32)}


@pytest.mark.parametrize("fields", ABSURD.values(), ids=ABSURD.keys())
async def test_an_absurd_number_is_kept_noted_and_otherwise_not_there(desk: Desk, fields: dict[str, Any]) -> None:
    spec, other = await desk.start(), await desk.start()
    body = session_body(authorization_reference=spec.authorization_reference, kwh=1, last_updated=at(5)) | fields
    assert (await desk.put(body)).status_code == 201
    good = session_body(id="S2", authorization_reference=other.authorization_reference, status="COMPLETED")
    assert (await desk.put(good)).status_code == 201
    (stored,) = await desk.rows(tables.ocpi_sessions, session_id=spec.session_id)
    assert all(name in stored.body for name in fields)
    row = await desk.row(spec)
    assert row.state_of_charge is None
    assert all(value is None or abs(value) < 10**9 for value in (row.kwh, row.cost, row.power_kw))
    assert ("meter_anomaly", "absurd_number") in [(kind, data["anomaly"]) for kind, data in await desk.events(spec)]
    assert (await status(desk, spec))["status"] == "pending"
    assert other.session_id in await claimed(desk)


async def test_finer_numbers_than_a_column_holds_are_rounded_the_same_everywhere(desk: Desk) -> None:
    spec = await desk.start()
    finest = b'"kwh":0.' + b"3" * 20_000
    body = session_body(authorization_reference=spec.authorization_reference, last_updated=at(5))
    assert (await desk.call("PUT", "sessions/FI/VRT/S1", wire.dumps(body).replace(b'"kwh":0', finest))).is_success
    assert (await desk.row(spec)).kwh == Decimal("0.33333333")


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("number", ["1E+40", "1E+999999", "-1E+999999", "1E-999999", "NaN", "Infinity"])
async def test_a_number_that_was_stored_before_there_were_bounds_can_be_read(desk: Desk, number: str) -> None:
    spec, other = await desk.start(), await desk.start()
    for each, name in ((spec, "S1"), (other, "S2")):
        ended = session_body(id=name, authorization_reference=each.authorization_reference, status="COMPLETED")
        await desk.put(ended)
    async with desk.database.write() as store:
        poisoned = text("UPDATE sessions SET cost = :n, power_kw = :n, state_of_charge = :n WHERE id = :id")
        await store.execute(poisoned, {"n": number, "id": spec.session_id})
    assert (await status(desk, spec))["state_of_charge"] in (None, 0)
    assert await claimed(desk) == {spec.session_id, other.session_id}
    assert (await desk.put(session_body(authorization_reference=spec.authorization_reference))).is_success


@pytest.mark.parametrize("year", ["0001", "1970"])
async def test_a_session_that_began_in_another_age_costs_what_it_costs_since_its_order(desk: Desk, year: str) -> None:
    ordered = datetime.now(UTC) - timedelta(minutes=30)
    minutes = {"type": "TIME", "price": 60, "step_size": 1}
    by_day = {"price_components": [minutes], "restrictions": {"start_time": "07:00", "end_time": "22:00"}}
    tariff = {"id": "T", "currency": "EUR", "elements": [by_day, {"price_components": [minutes]}]}
    spec = await desk.start(created_at=ordered, tariff=tariff, status="active")
    reference = {"authorization_reference": spec.authorization_reference}
    told = wire.format_datetime(ordered + timedelta(minutes=20))
    begun = f"{year}-01-01T00:00:00Z"
    body = session_body(**reference, kwh=1, start_date_time=begun, last_updated=told)
    assert (await desk.put(body)).status_code == 201
    row, now = await desk.row(spec), datetime.now(UTC)
    assert 19 <= row.estimate <= 21
    assert row.started_at.year <= 1970
    read = await SessionReader(desk.database).status(spec.session_id, "user-1")
    assert read is not None
    live = LiveCosts(desk.database)
    told_now, meter = await live.of(read, now), await live.meter(spec.session_id, now)
    assert told_now is not None
    assert 29 <= told_now.so_far <= 32
    assert meter.estimate is not None
    assert 29 <= meter.estimate <= 32


NEVER_SET = (
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"),
)


@pytest.mark.parametrize("moment", NEVER_SET)
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_bill_without_real_dates_is_kept_whole_and_matched_as_any_other(
    desk: Desk, moment: str, is_known: bool
) -> None:
    spec = await desk.start()
    key = {"authorization_reference": spec.authorization_reference} if is_known else {}
    body = cdr_body(start_date_time=moment, end_date_time=moment, last_updated=moment, **key)
    assert (await desk.call("POST", "cdrs", body)).status_code == 201
    (stored,) = await desk.rows(tables.cdrs)
    assert stored.raw.encode() == wire.dumps(body)
    assert (stored.session_id, stored.state) == ((spec.session_id, "received") if is_known else (None, "quarantined"))
    bill = parse_cdr(stored.raw)
    assert (bill.duration_minutes, bill.total.due) == (60, Decimal("6.51"))
    with suppress(UnreadableUsage):
        read_usage(stored.body)


@pytest.mark.parametrize("moment", NEVER_SET)
async def test_a_session_without_real_dates_is_told_and_priced(desk: Desk, moment: str) -> None:
    minutes = {"type": "TIME", "price": 60, "step_size": 1}
    by_day = {"price_components": [minutes], "restrictions": {"start_time": "07:00", "end_time": "22:00"}}
    spec = await desk.start(tariff={"id": "T", "currency": "EUR", "elements": [by_day]}, status="active")
    reference = {"authorization_reference": spec.authorization_reference}
    dates = {"start_date_time": moment, "last_updated": moment}
    assert (await desk.put(session_body(**reference, kwh=1, **dates))).is_success
    assert (await status(desk, spec))["status"] == "active"
    assert (
        await desk.put(session_body(**reference, kwh=1, status="COMPLETED", end_date_time=moment, **dates))
    ).is_success
    assert (await desk.row(spec)).cpo_status == "COMPLETED"
    assert await claimed(desk) == {spec.session_id}


PLACE = {"country_code": "FI", "party_id": "VRT", "address": "A 1", "city": "Oulu", "country": "FIN"}
EVSE = {"uid": "3256", "evse_id": "FI*VRT*E1", "status": "AVAILABLE", "last_updated": at(0), "connectors": []}
LOCATION = {
    **PLACE,
    "id": "LOC1",
    "publish": True,
    "coordinates": {"latitude": "65", "longitude": "25"},
    "time_zone": "Europe/Helsinki",
    "evses": [EVSE],
    "last_updated": at(0),
}
TARIFF = {"country_code": "FI", "party_id": "VRT", "id": "T1", "currency": "EUR", "last_updated": at(0), "elements": []}
INFO = {"country_code": "FI", "party_id": "VRT", "role": "CPO", "status": "CONNECTED", "last_updated": at(0)}
PUSHED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "session": ("PUT", "sessions/FI/VRT/S1", session_body()),
    "cdr": ("POST", "cdrs", cdr_body()),
    "location": ("PUT", "locations/FI/VRT/LOC1", LOCATION),
    "evse": ("PUT", "locations/FI/VRT/LOC1/3256", EVSE),
    "tariff": ("PUT", "tariffs/FI/VRT/T1", TARIFF),
    "client info": ("PUT", "hubclientinfo/FI/VRT", INFO),
    "result": ("POST", "commands/START_SESSION/1", {"result": "ACCEPTED"}),
}
HOSTILE: tuple[Any, ...] = (
    *(
        None,
        7,
        -(10**40),
        10**90,
        0.1,
        True,
        [],
        {},
        [{}],
        "",
        " ",
        "\n" * 300,
        "ß" * 90,
        "ß" * 36,
        "ŉ" * 64,
        "x" * 5_000,
    ),
    *(
        "1e999999",
        "NaN",
        "-Infinity",
        "9" * 4_000,
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0.1" + "3" * 20_000,
    ),
)


@pytest.mark.parametrize("pushed", PUSHED.values(), ids=PUSHED.keys())
async def test_no_value_of_any_field_is_a_fault_of_ours(desk: Desk, pushed: tuple[str, str, dict[str, Any]]) -> None:
    method, path, body = pushed
    await desk.call("PUT", "locations/FI/VRT/LOC1", LOCATION)
    faults = []
    for name in body:
        for value in HOSTILE:
            try:
                answer = await desk.call(method, path, {**body, name: value})
                if answer.status_code >= 500:
                    faults.append((name, str(value)[:30], answer.text))
            except Exception as error:
                faults.append((name, str(value)[:30], repr(error)[:200]))
    assert faults == []


PATHS = (
    *(("GET", "sessions/FI/VRT/%00"), ("PUT", "sessions/FI/VRT/%00"), ("PATCH", "sessions/%00/VRT/S1")),
    *(("POST", "commands/START_SESSION/%00"), ("POST", "commands/%00/1"), ("POST", "chargingprofiles/%00/1")),
    *(("PUT", "chargingprofiles/%00"), ("GET", "cdrs/%00"), ("POST", "tokens/%00/authorize")),
    *(("POST", "tokens/1/authorize?type=%00"), ("GET", "locations/FI/VRT/%00"), ("PUT", "locations/FI/VRT/LOC1/%00")),
    *(("GET", "tariffs/FI/VRT/%00"), ("DELETE", "tariffs/FI/VRT/a%00b"), ("GET", "hubclientinfo/FI/%00")),
)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_nul_in_a_path_is_refused_and_kept(desk: Desk, method: str, path: str) -> None:
    answer = await desk.call(method, path, session_body())
    assert (answer.status_code, answer.json()["status_code"]) == (200, 2001)
    (kept,) = await desk.rows(tables.odd_messages)
    assert (kept.method, "S1" in kept.body) == (method, True)


async def test_the_bill_of_an_id_that_no_column_holds_is_refused_and_kept_whole(desk: Desk) -> None:
    answer = await desk.call("POST", "cdrs", cdr_body(id="ß" * 90))
    assert (answer.status_code, answer.json()["status_code"]) == (200, 2001)
    (kept,) = await desk.rows(tables.odd_messages)
    assert wire.loads(kept.body) == wire.loads(wire.dumps(cdr_body(id="ß" * 90)))


async def test_the_space_around_an_id_is_none_of_it(desk: Desk) -> None:
    spec = await desk.start()
    body = session_body(authorization_reference=spec.authorization_reference, id="S1" + "\n" * 200)
    assert (await desk.call("PUT", "sessions/FI/VRT/S1", body)).status_code == 201
    assert (await desk.row(spec)).ocpi_session_id == "S1"
