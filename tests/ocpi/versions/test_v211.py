"""OCPI 2.1.1 read as 2.2.1, and 2.2.1 written as 2.1.1."""

from decimal import Decimal
from typing import Any

import pytest

from charging.ocpi import session_object
from charging.ocpi.models import Cdr, CommandResponse, Credentials, Location, Session, Tariff, VersionDetail
from charging.ocpi.versions import dialect
from tests.ocpi.versions.examples import (
    CDR,
    CDR_LOCATION,
    CONNECTOR,
    EVSE,
    LOCATION,
    NOW,
    ROBOTS,
    SESSION,
    TARIFF,
    TOKEN,
    VIRTA,
    Body,
    without,
)

V211 = dialect("2.1.1")

THEIR_CONNECTOR: Body = {
    "id": "1",
    "standard": "IEC_62196_T2",
    "format": "CABLE",
    "power_type": "AC_3_PHASE",
    "voltage": 230,
    "amperage": 32,
    "tariff_id": "VRT-AC",
    "last_updated": NOW,
}
THEIR_EVSE: Body = {**EVSE, "connectors": [THEIR_CONNECTOR]}
THEIR_LOCATION: Body = {
    "id": "LOC1",
    "type": "ON_STREET",
    "name": "Market Square",
    "address": "Eteläranta 1",
    "city": "Helsinki",
    "postal_code": "00130",
    "country": "FIN",
    "coordinates": {"latitude": "60.167500", "longitude": "24.953800"},
    "evses": [THEIR_EVSE],
    "operator": {"name": "Virta"},
    "time_zone": "Europe/Helsinki",
    "opening_times": {"regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}]},
    "energy_mix": {
        "is_green_energy": True,
        "environ_impact": [{"source": "CARBON_DIOXIDE", "amount": Decimal("12.5")}],
    },
    "last_updated": NOW,
}
THEIR_SESSION: Body = {
    "id": "S1",
    "start_datetime": "2026-06-01T10:00:00Z",
    "end_datetime": "2026-06-01T11:00:00Z",
    "kwh": Decimal(10),
    "auth_id": TOKEN["uid"],
    "auth_method": "AUTH_REQUEST",
    "location": THEIR_LOCATION,
    "meter_id": "M1",
    "currency": "EUR",
    "charging_periods": SESSION["charging_periods"],
    "total_cost": Decimal("2.40"),
    "status": "COMPLETED",
    "last_updated": "2026-06-01T11:00:00Z",
}
THEIR_CDR: Body = {
    "id": "CDR1",
    "start_date_time": "2026-06-01T10:00:00Z",
    "stop_date_time": "2026-06-01T11:00:00Z",
    "auth_id": TOKEN["uid"],
    "auth_method": "AUTH_REQUEST",
    "location": THEIR_LOCATION,
    "currency": "EUR",
    "tariffs": [without(TARIFF, "country_code", "party_id")],
    "charging_periods": CDR["charging_periods"],
    "total_cost": "2.40",
    "total_energy": 10,
    "total_time": 1,
    "last_updated": "2026-06-01T11:00:05Z",
}
THEIR_CREDENTIALS: Body = {
    "token": "abc",
    "url": "https://cpo.example/ocpi/versions",
    "business_details": {"name": "Virta"},
    "party_id": "VRT",
    "country_code": "FI",
}


# ---- Locations ----------------------------------------------------------------------------------------------------


def test_a_location_is_read_as_one_of_2_2_1() -> None:
    read = V211.read("location", THEIR_LOCATION, VIRTA)
    assert read == LOCATION
    Location.model_validate(read)


def test_a_location_is_written_as_one_of_2_1_1() -> None:
    assert V211.write("location", LOCATION) == THEIR_LOCATION


def test_a_type_that_2_2_1_lacks_stays_beside() -> None:
    read = V211.read("location", {**THEIR_LOCATION, "type": "OTHER"}, VIRTA)
    assert read["type"] == "OTHER"
    assert "parking_type" not in read


def test_a_location_without_parking_type_is_written_with_the_type_that_2_1_1_requires() -> None:
    assert V211.write("location", without(LOCATION, "parking_type"))["type"] == "UNKNOWN"


def test_a_part_of_a_location_stays_that_part() -> None:
    assert V211.read("location", {"name": "Harbour", "last_updated": NOW}, VIRTA) == {
        "name": "Harbour",
        "last_updated": NOW,
    }
    assert V211.write("location", {"name": "Harbour"}) == {"name": "Harbour"}


def test_a_part_of_a_connector_stays_that_part() -> None:
    assert V211.read("connector", {"amperage": 16}) == {"max_amperage": 16}
    assert V211.read("connector", {"tariff_id": None}) == {"tariff_ids": []}
    assert V211.write("connector", {"max_amperage": 16}) == {"amperage": 16}


def test_a_connector_is_written_without_what_2_1_1_lacks() -> None:
    rich = {**CONNECTOR, "max_electric_power": 22000, "tariff_ids": ["VRT-AC", "OTHER"]}
    assert V211.write("connector", rich) == THEIR_CONNECTOR


def test_power_that_2_1_1_cannot_name_is_never_written_as_more() -> None:
    assert V211.write("connector", {**CONNECTOR, "power_type": "AC_2_PHASE"})["power_type"] == "AC_1_PHASE"


def test_capabilities_that_2_1_1_lacks_are_left_out() -> None:
    evse = {**EVSE, "capabilities": ["RFID_READER", "START_SESSION_CONNECTOR_REQUIRED"]}
    assert V211.write("evse", evse)["capabilities"] == ["RFID_READER"]


def test_a_plug_that_2_1_1_lacks_is_still_named() -> None:
    assert V211.write("connector", {**CONNECTOR, "standard": "GBT_DC"})["standard"] == "GBT_DC"


# ---- Sessions -----------------------------------------------------------------------------------------------------


def test_a_session_is_read_as_one_of_2_2_1() -> None:
    read = V211.read("session", THEIR_SESSION, VIRTA)
    assert read == {
        **without(SESSION, "authorization_reference"),
        "cdr_token": {"uid": TOKEN["uid"], "contract_id": TOKEN["uid"]},
        "auth_method": "AUTH_REQUEST",
        "total_cost": {"excl_vat": Decimal("2.40")},
    }
    Session.model_validate(read)


def test_a_session_is_matched_by_the_one_time_token_that_the_cpo_was_given() -> None:
    sent = V211.write("token", TOKEN)
    session = V211.read("session", {**THEIR_SESSION, "auth_id": sent["auth_id"]}, VIRTA)
    assert session_object.references(session) == (None, TOKEN["uid"])


def test_gireves_authorization_id_is_the_authorization_reference() -> None:
    read = V211.read("session", {**THEIR_SESSION, "authorization_id": "ref-1"}, VIRTA)
    assert session_object.references(read)[0] == "REF-1"


@pytest.mark.parametrize("evses", [[], None, [THEIR_EVSE, {**THEIR_EVSE, "uid": "3258"}]])
def test_a_session_whose_location_has_no_evse_or_many_names_none(evses: Any) -> None:
    read = V211.read("session", {**THEIR_SESSION, "location": {**THEIR_LOCATION, "evses": evses}}, VIRTA)
    assert read["location_id"] == "LOC1"
    assert "evse_uid" not in read
    assert "connector_id" not in read


def test_a_session_whose_evse_has_two_connectors_names_the_evse() -> None:
    two = {**THEIR_EVSE, "connectors": [THEIR_CONNECTOR, {**THEIR_CONNECTOR, "id": "2"}]}
    read = V211.read("session", {**THEIR_SESSION, "location": {**THEIR_LOCATION, "evses": [two]}}, VIRTA)
    assert read["evse_uid"] == "3257"
    assert "connector_id" not in read


def test_a_patch_of_a_session_stays_a_patch() -> None:
    part = {"kwh": "3.5", "end_datetime": NOW, "total_cost": 2, "last_updated": NOW}
    assert V211.read("session", part, VIRTA) == {
        "kwh": Decimal("3.5"),
        "end_date_time": NOW,
        "total_cost": {"excl_vat": 2},
        "last_updated": NOW,
    }
    assert V211.write("session", {"kwh": Decimal("3.5"), "total_cost": {"excl_vat": Decimal(2)}}) == {
        "kwh": Decimal("3.5"),
        "total_cost": Decimal(2),
    }


def test_a_session_is_written_with_its_place_as_a_location() -> None:
    written = V211.write("session", {**SESSION, "location": {**LOCATION, "evses": [{**EVSE, "uid": "9"}, EVSE]}})
    assert written == THEIR_SESSION


def test_a_session_is_written_with_the_ids_of_its_place_where_no_more_is_known() -> None:
    location = V211.write("session", SESSION)["location"]
    assert location == {"id": "LOC1", "type": "UNKNOWN", "evses": [{"uid": "3257", "connectors": [{"id": "1"}]}]}


def test_dimensions_that_2_1_1_lacks_are_left_out() -> None:
    period = {"start_date_time": NOW, "dimensions": [{"type": "POWER", "volume": 7}, {"type": "TIME", "volume": 1}]}
    written = V211.write("session", {"charging_periods": [period]})
    assert written["charging_periods"][0]["dimensions"] == [{"type": "TIME", "volume": 1}]


def test_a_reservation_is_written_as_pending() -> None:
    assert V211.write("session", {"status": "RESERVATION"}) == {"status": "PENDING"}


# ---- CDRs ---------------------------------------------------------------------------------------------------------


def test_a_cdr_is_read_as_one_of_2_2_1() -> None:
    read = V211.read("cdr", THEIR_CDR, VIRTA)
    assert read == {
        **without(CDR, "authorization_reference", "session_id", "total_energy_cost"),
        "cdr_token": {"uid": TOKEN["uid"], "contract_id": TOKEN["uid"]},
        "auth_method": "AUTH_REQUEST",
        "total_cost": {"excl_vat": Decimal("2.40")},
    }
    Cdr.model_validate(read)


def test_a_cdr_is_written_as_one_of_2_1_1() -> None:
    written = V211.write("cdr", CDR)
    assert without(written, "location") == {
        **without(THEIR_CDR, "location"),
        "total_cost": Decimal("2.40"),
        "total_energy": Decimal(10),
        "total_time": Decimal(1),
    }
    assert V211.read("cdr", written, VIRTA)["cdr_location"] == CDR_LOCATION


def test_a_cdr_whose_location_has_many_evses_names_none() -> None:
    many = {**THEIR_LOCATION, "evses": [THEIR_EVSE, THEIR_EVSE]}
    place = V211.read("cdr", {**THEIR_CDR, "location": many}, VIRTA)["cdr_location"]
    assert place["id"] == "LOC1"
    assert not {"evse_uid", "evse_id", "connector_id", "connector_standard"} & place.keys()


# ---- Tariffs ------------------------------------------------------------------------------------------------------


def test_a_tariff_is_read_as_one_of_2_2_1() -> None:
    read = V211.read("tariff", without(TARIFF, "country_code", "party_id"), VIRTA)
    assert read == TARIFF
    Tariff.model_validate(read)


def test_a_tariff_is_written_without_what_2_1_1_lacks() -> None:
    rich = {**TARIFF, "type": "REGULAR", "min_price": {"excl_vat": 1}, "start_date_time": NOW}
    assert V211.write("tariff", rich) == without(TARIFF, "country_code", "party_id")


def test_the_price_of_a_reservation_never_becomes_a_price_of_charging() -> None:
    reserved = {"price_components": [{"type": "TIME", "price": 5, "step_size": 60}]}
    tariff = {**TARIFF, "elements": [{**reserved, "restrictions": {"reservation": "RESERVATION"}}, *TARIFF["elements"]]}
    assert V211.write("tariff", tariff)["elements"] == TARIFF["elements"]


# ---- Tokens and commands ------------------------------------------------------------------------------------------


def test_a_one_time_token_is_written_with_its_uid_as_auth_id() -> None:
    assert V211.write("token", TOKEN) == {
        "uid": TOKEN["uid"],
        "type": "OTHER",
        "auth_id": TOKEN["uid"],
        "issuer": "Robot Charging",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": NOW,
    }


@pytest.mark.parametrize(("kind", "theirs"), [("RFID", "RFID"), ("APP_USER", "OTHER")])
def test_a_stable_token_is_written_with_its_contract_as_auth_id(kind: str, theirs: str) -> None:
    written = V211.write("token", {**TOKEN, "type": kind})
    assert written["type"] == theirs
    assert written["auth_id"] == TOKEN["contract_id"]


def test_a_stable_token_comes_back_as_it_was() -> None:
    token = {**TOKEN, "type": "RFID"}
    assert V211.read("token", V211.write("token", token), ROBOTS) == token


def test_a_part_of_a_token_stays_that_part() -> None:
    assert V211.write("token", {"valid": False, "last_updated": NOW}) == {"valid": False, "last_updated": NOW}


def test_a_start_is_written_without_connector_and_reference() -> None:
    start = {
        "response_url": "https://emsp.example/1",
        "token": TOKEN,
        "location_id": "LOC1",
        "evse_uid": "3257",
        "connector_id": "1",
        "authorization_reference": "ref-1",
    }
    assert V211.write("start_session", start) == {
        "response_url": "https://emsp.example/1",
        "token": V211.write("token", TOKEN),
        "location_id": "LOC1",
        "evse_uid": "3257",
    }


def test_a_reservation_has_a_whole_number_as_id_and_always_the_same() -> None:
    command = {"reservation_id": "1c9ab7f3-6c1e-4b6e-9d3a-0a54bc1c4a52", "expiry_date": "2026-06-01T12:00:00"}
    written = V211.write("reserve_now", command)
    assert isinstance(written["reservation_id"], int)
    assert 0 <= written["reservation_id"] < 2**31
    assert written == V211.write("reserve_now", command)
    assert written["expiry_date"] == "2026-06-01T12:00:00Z"
    assert V211.write("reserve_now", {"reservation_id": "42"}) == {"reservation_id": 42}
    assert V211.read("reserve_now", {"reservation_id": 42}) == {"reservation_id": "42"}


def test_a_command_response_without_timeout_is_usable() -> None:
    assert CommandResponse.model_validate(V211.read("command_response", {"result": "REJECTED"})).result == "REJECTED"


def test_a_timeout_as_the_first_answer_is_no_refusal() -> None:
    assert V211.read("command_response", {"result": "TIMEOUT"}) == {"result": "ACCEPTED"}


def test_a_result_is_read_as_it_is_and_written_without_reasons() -> None:
    assert V211.read("command_result", {"result": "TIMEOUT"}) == {"result": "TIMEOUT"}
    reasoned = {"result": "EVSE_OCCUPIED", "message": [{"language": "en", "text": "no"}]}
    assert V211.write("command_result", reasoned) == {"result": "REJECTED"}


def test_an_authorization_is_written_without_token_and_reference() -> None:
    info = {"allowed": "ALLOWED", "token": TOKEN, "authorization_reference": "r", "location": {"location_id": "LOC1"}}
    assert V211.write("authorization_info", info) == {"allowed": "ALLOWED", "location": {"location_id": "LOC1"}}


# ---- Credentials and versions -------------------------------------------------------------------------------------


def test_credentials_are_read_as_those_of_one_role() -> None:
    read = V211.read("credentials", THEIR_CREDENTIALS)
    assert Credentials.model_validate(read).roles[0].party_id == "VRT"
    assert V211.write("credentials", read) == THEIR_CREDENTIALS


def test_an_endpoint_is_found_under_either_role() -> None:
    url = "https://cpo.example/2.1.1/tokens"
    detail = {"version": "2.1.1", "endpoints": [{"identifier": "tokens", "url": url}]}
    read = VersionDetail.model_validate(V211.read("version_detail", detail))
    assert {(e.identifier, e.role, e.url) for e in read.endpoints} == {
        ("tokens", "SENDER", url),
        ("tokens", "RECEIVER", url),
    }
    assert V211.write("version_detail", V211.read("version_detail", detail)) == detail


def test_modules_that_2_1_1_lacks_are_not_offered() -> None:
    endpoints = [{"identifier": module, "role": "SENDER", "url": "https://e.example"} for module in V211.modules]
    more = [*endpoints, {"identifier": "chargingprofiles", "role": "SENDER", "url": "https://e.example"}]
    written = V211.write("version_detail", {"version": "2.1.1", "endpoints": more})
    assert {endpoint["identifier"] for endpoint in written["endpoints"]} == V211.modules
