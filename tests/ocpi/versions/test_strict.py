"""What we send is to the letter what each version says, every field and length."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from charging.ocpi.models import ChargingProfile, ChargingProfilePeriod, SetChargingProfile, to_wire
from charging.ocpi.registration import our_credentials
from charging.ocpi.versions import DIALECTS, Kind, dialect
from charging.ocpi.versions.fields import OBJECTS, TABLES
from charging.settings import Settings
from tests.ocpi.conftest import on_sqlite
from tests.ocpi.versions.examples import CDR, LOCATION, NOW, SESSION, TARIFF, TOKEN, Body, without
from tests.ocpi.versions.strict import check_outbound
from tests.stack import running_stack
from tests.waiting import eventually

VERSIONS = list(DIALECTS)
URL = "https://emsp.example/ocpi/emsp/2.2.1/commands/X/7f3c"


def _written(version: str, kind: Kind, body: Body) -> list[str]:
    return check_outbound(version, kind, dialect(version).write(kind, body))


# ---- What we send -------------------------------------------------------------------------------------------------


@on_sqlite
async def test_what_a_session_sends_to_its_cpo_is_to_the_letter(temporal: WorkflowEnvironment, store_url: str) -> None:
    async with running_stack(temporal, store_url) as stack:
        cpo = stack.cpo
        session_id, _ = await stack.charging()
        path = f"/v1/sessions/{session_id}/charging-profile"
        asked = asyncio.create_task(stack.api.post(path, json={"max_charge_rate_kw": 7.4}))
        await eventually(lambda: cpo.received("SET_PROFILE"))
        await cpo.send_result(cpo.received("SET_PROFILE")[0].body["response_url"], "ACCEPTED")
        assert (await asked).status_code == 200
        await stack.stop(session_id)
        await eventually(lambda: cpo.stops)
        start, stop = cpo.starts[0], cpo.stops[0]
        profile = cpo.received("SET_PROFILE")[0].body
    for version in VERSIONS:
        assert _written(version, "start_session", start) == []
        assert _written(version, "token", start["token"]) == []
        assert _written(version, "stop_session", stop) == []
    for version in ("2.2.1", "2.3.0"):
        assert check_outbound(version, "set_charging_profile", profile) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_business_name_of_any_length_makes_a_token_and_credentials_to_the_letter(version: str) -> None:
    name = "Robot Charging of the Northern Shores and Islands, Limited " * 3
    credentials = our_credentials(Settings(business_name=name), "x" * 43)
    assert _written(version, "credentials", to_wire(credentials)) == []
    assert _written(version, "token", {**TOKEN, "issuer": name}) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_all_other_commands_are_to_the_letter(version: str) -> None:
    place = {"location_id": "LOC1", "evse_uid": "3257"}
    reserve = {"response_url": URL, "token": TOKEN, "expiry_date": NOW, "reservation_id": "R1", **place}
    assert _written(version, "reserve_now", reserve) == []
    assert _written(version, "unlock_connector", {"response_url": URL, **place, "connector_id": "1"}) == []
    cancel = _written(version, "cancel_reservation", {"response_url": URL, "reservation_id": "R1"})
    assert cancel == (["OCPI 2.1.1 has no CancelReservation"] if version == "2.1.1" else [])


@pytest.mark.parametrize("version", VERSIONS)
def test_an_authorization_is_to_the_letter(version: str) -> None:
    place = {"location_id": "LOC1", "evse_uids": ["3257"]}
    info = {"allowed": "ALLOWED", "token": TOKEN, "location": place, "authorization_reference": "r"}
    assert _written(version, "authorization_info", info) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_our_modules_are_listed_to_the_letter(version: str) -> None:
    endpoints = [{"identifier": module, "role": "SENDER", "url": URL} for module in dialect(version).modules]
    assert _written(version, "version_detail", {"version": version, "endpoints": endpoints}) == []
    assert check_outbound(version, "version", {"version": version, "url": URL}) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_patch_of_a_token_is_to_the_letter(version: str) -> None:
    part = dialect(version).write("token", {"valid": False, "last_updated": "2026-06-01T10:00:00"})
    assert check_outbound(version, "token", part, is_part=True) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("location", LOCATION),
        ("session", {**SESSION, "location": LOCATION}),
        ("cdr", {**CDR, "location": LOCATION}),
        ("tariff", TARIFF),
    ],
)
def test_what_the_sandbox_sends_is_to_the_letter(version: str, kind: Kind, body: Body) -> None:
    assert _written(version, kind, body) == []


# ---- What is found ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"uid": "x" * 37}, "uid: longer than 36"),
        ({"uid": "Ä"}, "uid: not printable ASCII"),
        ({"uid": ""}, "uid: not printable ASCII"),
        ({"uid": 7}, "uid: not printable ASCII"),
        ({"issuer": "x" * 65}, "issuer: longer than 64"),
        ({"issuer": "a\nb"}, "issuer: not printable text"),
        ({"type": "CARD"}, "type: not a TokenType"),
        ({"whitelist": None}, "whitelist: not a WhitelistType"),
        ({"valid": "true"}, "valid: not a boolean"),
        ({"last_updated": "2026-06-01T10:00:00+00:00"}, "last_updated: not a DateTime in UTC with Z"),
        ({"last_updated": "2026-06-01T10:00:00"}, "last_updated: not a DateTime in UTC with Z"),
        ({"last_updated": "2026-06-31T10:00:00Z"}, "last_updated: not a DateTime"),
        ({"colour": "red"}, "colour: not a field of Token"),
        ({"energy_contract": "green"}, "energy_contract: not an object"),
        ({"energy_contract": {}}, "energy_contract.supplier_name: missing"),
    ],
)
def test_each_slip_in_a_token_is_found(change: Body, found: str) -> None:
    assert check_outbound("2.2.1", "token", {**TOKEN, **change}) == [found]


def test_what_is_missing_is_found() -> None:
    assert check_outbound("2.2.1", "token", without(TOKEN, "issuer")) == ["issuer: missing"]
    assert check_outbound("2.2.1", "token", {"valid": True}, is_part=True) == ["last_updated: missing"]


def test_slips_in_lists_are_found_with_their_place() -> None:
    detail: Body = {"version": "2.2.1", "endpoints": [{"identifier": "cdrs", "role": "BOTH", "url": "ftp://e"}]}
    assert check_outbound("2.2.1", "version_detail", detail) == [
        "endpoints.0.role: not a InterfaceRole",
        "endpoints.0.url: not a URL",
    ]
    assert check_outbound("2.2.1", "version_detail", {**detail, "endpoints": []}) == ["endpoints: empty"]
    assert check_outbound("2.2.1", "version_detail", {**detail, "endpoints": {}}) == ["endpoints: not a list"]


@pytest.mark.parametrize(("limit", "found"), [(7.4, []), (7, []), (7.45, ["more than 1 decimals"])])
def test_a_limit_has_one_decimal(limit: float, found: list[str]) -> None:
    profile = SetChargingProfile(
        charging_profile=ChargingProfile(
            start_date_time=datetime(2026, 6, 1, tzinfo=UTC),
            charging_rate_unit="A",
            charging_profile_period=[ChargingProfilePeriod.model_validate({"start_period": 0, "limit": limit})],
        ),
        response_url=URL,
    )
    path = "charging_profile.charging_profile_period.0.limit"
    assert check_outbound("2.2.1", "set_charging_profile", to_wire(profile)) == [f"{path}: {text}" for text in found]


def test_a_long_url_is_found() -> None:
    stop = {"response_url": "https://e.example/" + "x" * 250, "session_id": "S1"}
    assert check_outbound("2.2.1", "stop_session", stop) == ["response_url: longer than 255"]


def test_a_connector_without_its_evse_is_found() -> None:
    start = {"response_url": URL, "token": TOKEN, "location_id": "LOC1", "connector_id": "1"}
    assert check_outbound("2.2.1", "start_session", start) == ["evse_uid: required with connector_id"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_type_of_the_tables_is_known(version: str) -> None:
    tables = TABLES[version]
    plain = {"Ci", "id", "s", "secret", "URL", "DateTime", "number", "int", "bool"}
    used = {field.type for fields in tables.objects.values() for field in fields.values()}
    assert used <= plain | tables.objects.keys() | tables.enums.keys()


def _junk(value: Any) -> Body:
    return {name: value for name in ("token", "valid", "uid", "last_updated", "endpoints", "kwh", "evses")}


@pytest.mark.parametrize("value", [None, [], {}, [None], [[]], 1, "x", True, {"a": {}}])
def test_junk_is_found_and_never_raises(value: Any) -> None:
    for version in VERSIONS:
        for kind in OBJECTS:
            assert check_outbound(version, kind, _junk(value))
