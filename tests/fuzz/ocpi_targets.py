"""What reads the words of a CPO, as functions of bytes that a fuzzer thinks of: pushes, answers, their headers.

A target returns when it has read, or has refused as its documentation says. Anything else that it raises is a finding.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from charging.errors import UnusableMessage
from charging.ocpi import evse_id, findings, location_object, models, session_object, transport, wire
from charging.ocpi.peer_url import same_host
from charging.ocpi.versions import DIALECTS, Kind, dialect
from tests.fuzz.spoiling import NOW, chooser, credentials, in_version, objects, result, spoiled, text_of
from tests.peer import client_info, connector, evse

OWNER: Final = wire.Party("FI", "VRT")
MODELS: Final[Mapping[Kind, type[BaseModel]]] = {
    "location": models.Location,
    "tariff": models.Tariff,
    "cdr": models.Cdr,
}
OBJECTS: Final = objects()
GOOD: Final = {
    (version, kind): in_version(version, kind, body) for version in DIALECTS for kind, body in OBJECTS.items()
}
_PROFILE: Final = {
    "start_date_time": "2026-03-30T12:00:00Z",
    "charging_profile": {"charging_rate_unit": "W", "charging_profile_period": [{"start_period": 0, "limit": 11000.5}]},
}
_DETAIL: Final = {
    "version": "2.2.1",
    "endpoints": [{"identifier": "locations", "role": "SENDER", "url": "http://127.0.0.1:9/locations"}],
}
# What is no object that is kept: its kind where the versions write it differently, its model, a good one.
MESSAGES: Final[tuple[tuple[Kind | None, type[BaseModel], dict[str, Any]], ...]] = (
    ("credentials", models.Credentials, credentials()),
    ("version_detail", models.VersionDetail, _DETAIL),
    ("evse", models.Evse, evse()),
    ("connector", models.Connector, connector()),
    ("command_response", models.CommandResponse, {**result(), "timeout": 30}),
    ("command_result", models.CommandResult, result()),
    (None, models.ChargingProfileResponse, {"result": "ACCEPTED", "timeout": 30}),
    (None, models.ChargingProfileResult, {"result": "ACCEPTED", "profile": _PROFILE}),
    (None, models.ActiveChargingProfile, _PROFILE),
    (None, models.ClientInfo, client_info("VRT")),
    (None, models.LocationReferences, {"location_id": "LOC1", "evse_uids": ["3256"]}),
)


def ocpi_object(data: bytes) -> None:
    """A spoiled object of any version and kind, read as a push is."""
    choose = chooser(data)
    version, kind = list(GOOD)[choose(len(GOOD))]
    _read_push(text_of(spoiled(GOOD[version, kind], choose)), version, kind)


def ocpi_body(data: bytes) -> None:
    """Any bytes as the body of a push."""
    for version in DIALECTS:
        for kind in OBJECTS:
            _read_push(data, version, kind)


def _read_push(raw: bytes, version: str, kind: Kind) -> None:
    try:
        body = wire.loads(raw)
    except wire.MalformedJson:
        return
    if not isinstance(body, dict):
        return
    canonical = dialect(version).read(kind, body, OWNER)
    if kind == "session":
        _session(canonical)
        return
    try:
        MODELS[kind].model_validate(canonical)
    except ValidationError:
        return
    if kind == "location":
        for each in canonical.get("evses") or []:
            evse_id.read_connectors(each)
    wire.dumps(dialect(version).write(kind, canonical))


def _session(body: dict[str, Any]) -> None:
    stored = OBJECTS["session"]
    for merge in (session_object.put, session_object.patch):
        try:
            merged = merge(stored, body, NOW)
        except UnusableMessage:
            continue
        if merged is not None:
            session_object.reading(merged)
            wire.dumps(merged)


def message(data: bytes) -> None:
    """A spoiled message of any version that is no object: credentials, results, profiles, parts of a Location."""
    choose = chooser(data)
    version, (kind, model, good) = list(DIALECTS)[choose(len(DIALECTS))], MESSAGES[choose(len(MESSAGES))]
    written = in_version(version, kind, good) if kind else good
    try:
        body = wire.loads(text_of(spoiled(written, choose)))
        if isinstance(body, dict):
            body = dialect(version).read(kind, body, OWNER) if kind else body
            wire.dumps(model.model_validate(body).model_dump(exclude_none=True))
    except (wire.MalformedJson, ValidationError):
        return


def patch(data: bytes) -> None:
    """A spoiled Location of any version as the PATCH of a good one, of its first EVSE and of its Connector."""
    choose = chooser(data)
    version = list(DIALECTS)[choose(len(DIALECTS))]
    try:
        body = wire.loads(text_of(spoiled(GOOD[version, "location"], choose)))
    except wire.MalformedJson:
        return
    changes = dialect(version).read("location", body, OWNER) if isinstance(body, dict) else {}
    stored = OBJECTS["location"]
    parts = changes.get("evses") if isinstance(changes.get("evses"), list) else []
    wholes: list[tuple[dict[str, Any], type[BaseModel], dict[str, Any]]] = [
        (stored, models.Location, changes),
        *((stored["evses"][0], models.Evse, part) for part in parts or [] if isinstance(part, dict)),
    ]
    for whole, model, part in wholes:
        try:
            wire.parse_datetime(part.get("last_updated"))
            patched = location_object.patched(whole, part)
            model.model_validate(patched)
        except (ValueError, ValidationError):
            continue
        location_object.is_older(part, NOW)
        evse_id.read_connectors(patched)


def doctor(data: bytes) -> None:
    """The doctor looks at a spoiled push, and at a spoiled page of a list."""
    choose = chooser(data)
    version, kind = list(GOOD)[choose(len(GOOD))]
    body = spoiled(GOOD[version, kind], choose)
    text = data.decode("latin-1")
    headers = {
        "content-type": text,
        "x-request-id": text,
        "ocpi-from-country-code": text,
        "link": f'<{text}>; rel="next"',
    }
    counts = {"x-total-count": text, "x-limit": text}
    path = ["FI", "VRT", text] if choose(2) else ["FI", "VRT", "LOC1", "3256", "1"][: choose(6)]
    method = ("PUT", "PATCH", "POST", "GET", "DELETE")[choose(5)]
    raw = text_of(body) if choose(4) else data
    findings.of_push(findings.Pushed(version, kind + "s", method, path, headers, raw, [OWNER]))
    page = text_of(spoiled({"data": [body], "status_code": 1000, "timestamp": "2026-03-30T12:00:00Z"}, choose))
    url = f"https://cpo.example/{version}/{kind}s?limit={text}"
    answer = findings.Answered(version, kind + "s", "GET", url, 200, {}, headers | counts, page, [OWNER])
    findings.of_answer(answer)


def envelope(data: bytes) -> None:
    """An answer of a CPO: envelope, time stamp, link to the next page, token."""
    choose = chooser(data)
    good = {"data": [OBJECTS["tariff"]], "status_code": 1000, "timestamp": "2026-03-30T12:00:00Z"}
    for raw in (data, text_of(spoiled(good, choose))):
        try:
            wire.read_envelope(wire.loads(raw))
        except wire.MalformedJson:
            continue
    text = data.decode("latin-1")
    try:
        wire.format_datetime(wire.parse_datetime(text))
    except ValueError:
        return


def headers(data: bytes) -> None:
    """Any text as each header of a CPO that is read."""
    text = data.decode("latin-1")
    link = wire.next_link(text)
    if link is not None:
        same_host(link, "https://cpo.example/")
    transport.retry_after(text, NOW)
    for token in wire.token_candidates(text):
        wire.form_of_token(text, token)


def evse_names(data: bytes) -> None:
    """Any text as an EVSE id."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (evse_id.lookup_key, evse_id.segments, evse_id.operator_prefix, evse_id.without_last_segment):
        read(text)
    evse_id.connector_types(text)
