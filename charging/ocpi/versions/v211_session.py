"""Session and CDR of OCPI 2.1.1 (mod_sessions, mod_cdrs). Pure."""

from typing import Any, Final

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.prices import excl_vat, price_of_any
from charging.ocpi.versions.shape import (
    changed,
    each,
    mapped,
    only_one,
    owned,
    renamed,
    with_numbers,
    without,
)
from charging.ocpi.versions.v211_location import narrowed, place, read_location, write_location
from charging.ocpi.versions.v211_tariff import read_tariff, write_tariff
from charging.ocpi.versions.v211_token import auth_id_of
from charging.ocpi.versions.watt_hours import in_kwh
from charging.ocpi.wire import Party

_SESSION: Final = {"start_datetime": "start_date_time", "end_datetime": "end_date_time"}
_CDR: Final = {"stop_date_time": "end_date_time"}
_TO_CDR_LOCATION: Final = ("id", "name", "address", "city", "postal_code", "state", "country", "coordinates")
_AUTH_METHOD: Final = {"COMMAND": "AUTH_REQUEST"}  # a remote start was authorized in real time
_STATUS: Final = {"RESERVATION": "PENDING"}  # neither has begun to charge


def read_session(body: Body, owner: Party | None) -> Body:
    """Its Location becomes the three ids; ``auth_id`` the Token.

    A PATCH of 2.1.1 need not say ``last_updated``: the caller puts the time of arrival there.
    """
    body = _read_token(renamed(owned(body, owner), _SESSION))
    body = changed(with_numbers(body, "kwh"), "total_cost", price_of_any)
    if isinstance(body.get("location"), dict):
        body = {**place(body["location"]), **without(body, "location")}
    return in_kwh(body, "kwh")


def write_session(body: Body) -> Body:
    """``location`` of ``body``, a canonical Location, becomes the Session's; without it only ids are known."""
    body = _write_token(renamed(body, {new: old for old, new in _SESSION.items()}))
    body = changed(mapped(body, "status", _STATUS), "total_cost", excl_vat)
    location_id = body.get("location_id")
    if location_id is None:
        return body
    location = body["location"] if isinstance(body.get("location"), dict) else {"id": location_id}
    return {**body, "location": write_location(narrowed(location, body.get("evse_uid"), body.get("connector_id")))}


def read_cdr(body: Body, owner: Party | None) -> Body:
    """A 2.1.1 CDR names no Session: it is found by its Token."""
    body = _read_token(renamed(owned(body, owner), _CDR))
    body = with_numbers(body, "total_energy", "total_time", "total_parking_time")
    body = changed(body, "total_cost", price_of_any)
    if isinstance(body.get("location"), dict) and "cdr_location" not in body:
        body = {**without(body, "location"), "cdr_location": _cdr_location(body["location"])}
    return in_kwh(each(body, "tariffs", lambda tariff: read_tariff(tariff, owner)), "total_energy")


def write_cdr(body: Body) -> Body:
    """Its ``location`` as in ``write_session``. The cost of the parts is left out: 2.1.1 has none."""
    body = _write_token(renamed(body, {new: old for old, new in _CDR.items()}))
    body = each(changed(body, "total_cost", excl_vat), "tariffs", write_tariff)
    place = body.get("cdr_location")
    if not isinstance(place, dict):
        return body
    whole = body.get("location")
    narrow = narrowed(whole, place.get("evse_uid"), place.get("connector_id")) if isinstance(whole, dict) else None
    return {**body, "location": write_location(narrow or _location_of(place))}


def _read_token(body: Body) -> Body:
    # `authorization_id` is Gireve's name (docs/ocpi.md, Q40).
    body = renamed(body, {"authorization_id": "authorization_reference"})
    auth_id = body.get("auth_id")
    if auth_id is None or "cdr_token" in body:
        return body
    # Which uid it was is not said. For a one-time Token we give out the uid as auth_id, so that it is found here.
    return {**without(body, "auth_id"), "cdr_token": {"uid": auth_id, "contract_id": auth_id}}


def _write_token(body: Body) -> Body:
    body = mapped(body, "auth_method", _AUTH_METHOD)
    token = body.get("cdr_token")
    return {**body, "auth_id": auth_id_of(token)} if isinstance(token, dict) else body


def _cdr_location(location: Body) -> Body:
    """A CdrLocation of 2.2.1; what it says of EVSE and Connector only if there is exactly one."""
    canonical = read_location(location, None)
    evse = only_one(canonical.get("evses")) or {}
    connector = only_one(evse.get("connectors")) or {}
    found: dict[str, Any] = {name: canonical.get(name) for name in _TO_CDR_LOCATION}
    found |= {"evse_uid": evse.get("uid"), "evse_id": evse.get("evse_id"), "connector_id": connector.get("id")}
    found |= {f"connector_{name}": connector.get(name) for name in ("standard", "format", "power_type")}
    return {name: value for name, value in found.items() if value is not None}


def _location_of(cdr_location: Body) -> Body:
    """As much of a canonical Location as a CdrLocation tells."""
    connector = {
        "id": cdr_location.get("connector_id"),
        **{name: cdr_location.get(f"connector_{name}") for name in ("standard", "format", "power_type")},
    }
    evse = {
        "uid": cdr_location.get("evse_uid"),
        "evse_id": cdr_location.get("evse_id"),
        "connectors": [{name: value for name, value in connector.items() if value is not None}],
    }
    return {**cdr_location, "evses": [evse]}
