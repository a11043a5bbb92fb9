"""Q11 to Q22, Q38, Q40, Q44: what peers write into their objects."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from charging.ocpi import session_object, wire
from charging.ocpi.findings import of_objects
from charging.ocpi.versions import dialect
from charging.session.metering import advance
from charging.session.model import Meter
from charging.store.connections import Connection
from charging.store.evse_index import EvseIndex, Place
from charging.tariffs.estimate import running_cost
from tests.ocpi.conftest import Emsp
from tests.peer import ScriptedCpo, evse, location
from tests.receive.conftest import Desk, at, period, session_body
from tests.session import factory


@pytest.fixture
def finder(emsp: Emsp, friend: Connection) -> EvseIndex:
    return EvseIndex(emsp.services.database, emsp.services.connections)


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T12:01:06Z", "2026-01-01T12:01:06", "2026-01-01T14:01:06+02:00", "2026-01-01T12:00:66Z"],
)
def test_q11_times_without_z_with_an_offset_or_with_second_66_are_read(text: str) -> None:
    assert wire.parse_datetime(text) == datetime(2026, 1, 1, 12, 1, 6, tzinfo=UTC)


async def test_q12_opening_hours_may_be_written_carelessly(emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
    hours = {"regular_hours": [{"weekday": 1, "period_begin": "9:00", "period_end": "17:00"}]}
    body = location(opening_times=hours, last_updated="2026-02-01T00:00:00Z")
    assert (await cpo.call("PUT", "locations/FI/VRT/LOC1", body)).json()["status_code"] == 1000
    stored = await cpo.call("GET", "locations/FI/VRT/LOC1")
    assert stored.json()["data"]["opening_times"] == hours


def test_q12_a_tariff_restriction_may_begin_at_9_00() -> None:
    component = {"type": "ENERGY", "price": 1, "step_size": 1}
    morning = {"price_components": [component], "restrictions": {"start_time": "9:00", "end_time": "17:00"}}
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    cost = running_cost(
        {"currency": "EUR", "elements": [morning]},
        kwh=Decimal(2),
        started_at=noon,
        now=noon + timedelta(hours=1),
        time_zone="UTC",
    )
    assert cost is not None
    assert cost.so_far == 2


async def test_q13_charging_periods_of_a_patch_are_appended_once_each(desk: Desk) -> None:
    await desk.put(session_body(charging_periods=[period(0, ENERGY=1)]))
    await desk.patch("S1", charging_periods=[period(0, ENERGY=2), period(5, ENERGY=1)], last_updated=at(6))
    stored = (await desk.call("GET", "sessions/FI/VRT/S1")).json()["data"]
    assert stored["charging_periods"] == [period(0, ENERGY=2), period(5, ENERGY=1)]


async def test_q14_evses_of_a_location_patch_are_put_in_by_uid(finder: EvseIndex, cpo: ScriptedCpo) -> None:
    changes = {"evses": [{"uid": "3256", "status": "BLOCKED"}], "last_updated": "2026-02-01T00:00:00Z"}
    assert (await cpo.call("PATCH", "locations/FI/VRT/LOC1", changes)).json()["status_code"] == 1000
    statuses = [match.status for e in ("FI*VRT*E12345", "FI*VRT*E12346") if (match := await finder.find(e))]
    assert statuses == ["BLOCKED", "AVAILABLE"]


@pytest.mark.parametrize(("moment", "code"), [("yesterday", 2001), (5, 2001), (None, 1000)])
async def test_an_odd_time_of_an_evse_in_a_location_patch_is_refused_and_none_is_that_of_before(
    finder: EvseIndex, cpo: ScriptedCpo, moment: Any, code: int
) -> None:
    evse = {"uid": "3256", "status": "BLOCKED", "last_updated": moment}
    changes = {"evses": [evse], "last_updated": "2026-02-01T00:00:00Z"}
    assert (await cpo.call("PATCH", "locations/FI/VRT/LOC1", changes)).json()["status_code"] == code
    match = await finder.find("FI*VRT*E12345")
    assert match is not None
    assert match.status == ("BLOCKED" if code == 1000 else "AVAILABLE")


async def test_q15_a_session_that_only_bumps_its_last_updated_wakes_nobody(desk: Desk) -> None:
    spec = await desk.start()
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    before = await desk.mail(spec)
    for minutes in (0.2, 0.4, 0.6):
        await desk.put(session_body(authorization_reference=spec.authorization_reference, last_updated=at(minutes)))
    assert await desk.mail(spec) == before


async def test_q16_an_evse_that_vanishes_from_its_whole_location_is_removed(
    finder: EvseIndex, cpo: ScriptedCpo
) -> None:
    smaller = location(evses=[evse()], last_updated="2026-02-01T00:00:00Z")
    await cpo.call("PUT", "locations/FI/VRT/LOC1", smaller)
    gone, left = await finder.find("FI*VRT*E12346"), await finder.find("FI*VRT*E12345")
    assert gone is not None
    assert left is not None
    assert (gone.status, left.status) == ("REMOVED", "AVAILABLE")


async def test_q17_an_evse_uid_at_two_locations_is_two_evses(finder: EvseIndex, cpo: ScriptedCpo) -> None:
    moved = location(id="LOC2", evses=[evse(evse_id=None)], last_updated="2026-02-01T00:00:00Z")
    removed = {"status": "REMOVED", "last_updated": "2026-02-01T00:00:00Z"}
    assert (await cpo.call("PUT", "locations/FI/VRT/LOC2", moved)).status_code == 201
    assert (await cpo.call("PATCH", "locations/FI/VRT/LOC1/3256", removed)).status_code == 200
    found = await finder.find("3256")
    assert found is not None
    assert (found.location_id, found.status) == ("LOC2", "AVAILABLE")


async def test_q19_an_evse_needs_no_evse_id(finder: EvseIndex, friend: Connection, cpo: ScriptedCpo) -> None:
    nameless = evse(uid="77", last_updated="2026-02-01T00:00:00Z")
    del nameless["evse_id"]
    assert (await cpo.call("PUT", "locations/FI/VRT/LOC1/77", nameless)).status_code == 201
    by_uid, by_place = await finder.find("77"), await finder.find("77", Place("FI", "VRT", "LOC1"))
    assert by_uid is not None
    assert by_uid == by_place


async def test_q19_a_cdr_may_not_know_its_evse(desk: Desk) -> None:
    cdr = desk.cpo.cdr(session_body(end_date_time=at(60)))
    cdr["cdr_location"] = {**cdr["cdr_location"], "evse_uid": "#NA", "evse_id": "#NA", "connector_id": "#NA"}
    assert (await desk.call("POST", "cdrs", cdr)).status_code == 201


@pytest.mark.parametrize("spelling", ["FI-VRT-E12345", "fi*vrt*e12345", "FIVRTE12345", "FI*VRT*E12345*1"])
async def test_q20_dashes_and_other_spellings_name_the_same_evse(finder: EvseIndex, spelling: str) -> None:
    found = await finder.find(spelling)
    assert found is not None
    assert found.evse_uid == "3256"


def test_q21_energy_in_watt_hours_is_seen_and_never_metered() -> None:
    body = session_body(kwh=41.2, charging_periods=[period(0, ENERGY=41200)])
    read = dialect("2.2.1").read("session", body)
    assert read["charging_periods"][0]["dimensions"][0]["volume"] == Decimal("41.2")
    assert [finding.rule for finding in of_objects("2.2.1", "session", [body]) if finding.rule == "energy_in_wh"]
    assert session_object.reading(body).kwh == Decimal("41.2")


def test_q22_import_and_export_are_never_counted() -> None:
    reading = session_object.reading(
        session_body(kwh=3, charging_periods=[period(0, ENERGY_IMPORT=9, ENERGY_EXPORT=6)])
    )
    assert (reading.kwh, reading.power_kw, reading.cost) == (3, None, None)


async def test_q38_enum_values_that_nobody_knows_are_kept_and_used(finder: EvseIndex, cpo: ScriptedCpo) -> None:
    plug: dict[str, Any] = {**evse()["connectors"][0], "standard": "GBT_DC", "power_type": "DC_BOOST"}
    strange = evse(uid="88", evse_id="FI*VRT*E88", status="SLEEPING", capabilities=["FLIES"], connectors=[plug])
    assert (await cpo.call("PUT", "locations/FI/VRT/LOC1/88", strange)).status_code == 201
    found = await finder.find("FI*VRT*E88")
    assert found is not None
    assert (found.status, found.capabilities, found.connectors[0].standard) == ("SLEEPING", ("FLIES",), "GBT_DC")


async def test_q40_gireves_authorization_id_is_the_authorization_reference(desk: Desk) -> None:
    spec = await desk.start()
    await desk.put(session_body(authorization_id=spec.authorization_reference))
    assert (await desk.row(spec)).ocpi_session_id == "S1"


def test_q44_power_is_derived_where_energy_stands_still() -> None:
    spec, meter = factory.spec(), Meter(received_at=factory.T0)
    for minutes, kwh in ((0, 0), (10, 5), (20, 5)):
        reading = session_object.reading(session_body(kwh=kwh, last_updated=at(minutes)))
        meter, _ = advance(meter, reading, spec, factory.at(minutes * 60))
    assert (meter.kwh, meter.power_kw) == (5, 0)


def test_q18_an_evse_is_taken_from_a_location_that_has_one_and_not_from_one_that_has_all() -> None:
    """OCPI 2.1.1 puts a whole Location into a Session; CPOs put none or all of its EVSEs there."""
    one, all_of_them = location(evses=[evse()]), location()
    of_one = dialect("2.1.1").read("session", {"id": "S1", "kwh": 1, "location": one}, wire.Party("FI", "VRT"))
    of_all = dialect("2.1.1").read("session", {"id": "S1", "kwh": 1, "location": all_of_them}, wire.Party("FI", "VRT"))
    assert (of_one["location_id"], of_one["evse_uid"]) == ("LOC1", "3256")
    assert (of_all["location_id"], of_all.get("evse_uid", "#NA")) == ("LOC1", "#NA")
