"""The linter's rules, each by a message that breaks it; what is right, or unknown to OCPI, breaks none."""

from dataclasses import replace
from typing import Any

import pytest

from charging.ocpi import wire
from charging.ocpi.findings import RULES, Answered, Finding, Pushed, of_answer, of_objects, of_push, section_of
from tests.peer import evse, location, tariff
from tests.receive.conftest import period, session_body

FI_VRT = (wire.Party("FI", "VRT"),)
URL = "https://cpo.example/ocpi/2.2.1/sessions?date_from=2026-01-01T00%3A00%3A00Z"
SESSION = session_body(
    cdr_token={"country_code": "FI", "party_id": "RBT", "uid": "U", "type": "AD_HOC_USER", "contract_id": "C"},
    authorization_reference="REF",
)


def push(body: Any = None, **changes: Any) -> Pushed:
    """A PUT of a Session without fault, or of another body."""
    headers = {"x-request-id": "1", "x-correlation-id": "2", "content-type": "application/json"}
    content = body if isinstance(body, bytes) else wire.dumps(SESSION if body is None else body)
    right = Pushed("2.2.1", "sessions", "PUT", ["FI", "VRT", "S1"], headers, content, FI_VRT)
    return replace(right, **changes)


def session(**fields: Any) -> Pushed:
    return push({name: value for name, value in {**SESSION, **fields}.items() if value is not ...})


def at(depth: str, body: Any) -> Pushed:
    return push(body, module="locations", path=["FI", "VRT", *depth.split("/")])


def answered(data: Any = None, *, envelope: Any = None, **changes: Any) -> Answered:
    """A page of Sessions without fault, or with other data, another envelope."""
    whole = envelope or {"data": [SESSION] if data is None else data, "status_code": 1000, "timestamp": "2026-01-01"}
    headers = {"x-request-id": "1", "x-total-count": "1", "x-limit": "50", **changes.pop("headers", {})}
    body = whole if isinstance(whole, bytes) else wire.dumps(whole)
    right = Answered("2.2.1", "sessions", "GET", URL, 200, {"x-request-id": "1"}, headers, body, FI_VRT)
    return replace(right, **changes)


def link(url: str) -> Answered:
    return answered(headers={"link": f'<{url}>; rel="next"'})


def rules(message: Pushed | Answered) -> set[str]:
    found = of_push(message) if isinstance(message, Pushed) else of_answer(message)
    return {finding.rule for finding in found}


PLUG = evse()["connectors"][0]
ERROR = {"status_code": 2001, "timestamp": "2026-01-01T00:00:00Z"}
BROKEN: list[tuple[str, Pushed | Answered]] = [
    ("token_not_base64", push(written="raw")),
    ("token_with_line_end", push(written="line")),
    ("token_in_base64", push(b"", version="2.1.1")),
    ("request_id_missing", push(headers={"content-type": "application/json"})),
    ("content_type", push(headers={"x-request-id": "1", "x-correlation-id": "2"})),
    ("not_json", push(b"{")),
    ("patch_without_last_updated", push({"kwh": 3}, method="PATCH")),
    ("id_differs", session(id="S2")),
    ("party_differs", session(party_id="VR2")),
    ("foreign_party", push({**SESSION, "party_id": "XXX"}, path=["FI", "XXX", "S1"])),
    ("missing_field", session(currency=...)),
    ("missing_field", push({"kwh": None, "last_updated": "2026-01-01T00:00:00Z"}, method="PATCH")),
    ("wrong_type", session(kwh=True)),
    ("wrong_type", push([])),
    ("number_as_text", session(kwh="3.5")),
    ("empty_list", session(charging_periods=[{**period(0), "dimensions": []}])),
    ("unknown_value", session(status="active")),
    ("too_long", session(location_id="L" * 37)),
    ("not_ascii", session(location_id="Töölö")),
    ("datetime_unreadable", session(last_updated="soon")),
    ("datetime_format", session(last_updated="2026-01-01T00:00:00+00:00")),
    ("datetime_without_z", session(last_updated="2026-01-01T00:00:00")),
    ("energy_in_wh", session(kwh=41.2, charging_periods=[period(0, ENERGY=41200)])),
    ("authorization_reference_missing", session(authorization_reference=...)),
    ("coordinates", at("LOC1", location(coordinates={"latitude": "60.1", "longitude": "24.938379"}))),
    (
        "voltage_between_lines",
        at("LOC1/3256", evse(connectors=[{**PLUG, "power_type": "AC_3_PHASE", "max_voltage": 400}])),
    ),
    ("request_id_not_echoed", answered(headers={"x-request-id": "2"})),
    ("no_envelope", answered(envelope=b"[]")),
    ("no_envelope", answered(envelope=b"<html>")),
    ("timestamp_missing", answered(envelope={"data": [], "status_code": 1000})),
    ("status_code_as_text", answered(envelope={**ERROR, "status_code": "2001"})),
    ("ocpi_error_as_http_error", answered(envelope=ERROR, http_status=500)),
    ("redirect", answered(http_status=302)),
    ("data_not_a_list", answered(SESSION)),
    ("pagination_headers_missing", replace(answered(), headers={"x-request-id": "1", "x-limit": "50"})),
    ("link_to_itself", link(URL)),
    ("link_relative", link(f"?{URL.partition('?')[2]}&offset=1")),
    ("link_other_host", link(URL.replace("cpo", "elsewhere") + "&offset=1")),
    ("link_drops_filters", link(URL.partition("?")[0] + "?offset=1")),
    ("foreign_party", answered([{**SESSION, "party_id": "XXX"}])),
    ("missing_field", answered({"result": "ACCEPTED"}, module="commands", method="POST")),  # timeout
]


@pytest.mark.parametrize(("rule", "message"), BROKEN, ids=[f"{n}-{rule}" for n, (rule, _) in enumerate(BROKEN)])
def test_a_message_breaks_one_rule(rule: str, message: Pushed | Answered) -> None:
    assert rules(message) == {rule}


def test_every_rule_is_shown_here() -> None:
    assert {rule for rule, _ in BROKEN} == RULES.keys()


@pytest.mark.parametrize(
    "message",
    [
        push(),
        session(their_own_field={"deep": 1}),
        push({"kwh": 3, "last_updated": "2026-01-01T00:00:00Z"}, method="PATCH"),
        push({"result": "REJECTED"}, module="commands", method="POST", path=["START_SESSION", "1"]),
        at("LOC1", location()),
        at("LOC1/3256", evse()),
        push(tariff(), module="tariffs", path=["FI", "VRT", "T1"]),
        session(charging_periods=[period(0, ENERGY=1)], kwh=0),
        answered(),
        answered([]),
        answered(envelope=ERROR),
        answered(envelope=ERROR, http_status=404),
        answered(envelope=b"<html>", http_status=502),  # a proxy's
        link(f"{URL}&offset=50"),
    ],
)
def test_what_is_right_breaks_none(message: Pushed | Answered) -> None:
    assert rules(message) == set()


def test_an_example_is_a_path_and_no_data() -> None:
    body = session_body(cdr_token={"uid": "A-PERSON", "type": "RFID"}, authorization_reference="R")
    assert Finding("missing_field", "sessions", "Session.cdr_token.contract_id") in of_objects(
        "2.2.1", "session", [body]
    )
    assert section_of(Finding("missing_field", "sessions", "Session.cdr_token.contract_id")) == "§9.3.1"
    assert "A-PERSON" not in str(of_objects("2.2.1", "session", [body]))


def test_each_version_has_its_own_tables() -> None:
    assert of_objects("2.2.1", "tariff", [tariff()]) == []
    assert {f.example for f in of_objects("2.3.0", "tariff", [tariff()])} == {"Tariff.tax_included"}
    in_211 = {name: value for name, value in tariff().items() if name not in ("country_code", "party_id")}
    assert of_objects("2.1.1", "tariff", [in_211]) == []
