"""What an object of ours looks like to a peer: in its version of OCPI, and as the quirks want it."""

from typing import Any

from charging.ocpi import wire
from charging.ocpi.versions import Body, Dialect, Kind, dialect
from charging.sandbox.accents import MEANINGS, SPELLINGS
from charging.sandbox.locations import LOCATION_ID, location_object
from charging.sandbox.quirks import Quirk, QuirkBook


def worded(kind: Kind, message: dict[str, Any], version: str, quirks: QuirkBook) -> Body:
    """``message``, a canonical object or a part of one, as JSON has it in ``version`` (DateTimes as strings)."""
    theirs = dialect(version)
    canonical: Body = wire.loads(wire.dumps(message))
    for quirk in quirks:
        canonical = MEANINGS[quirk](kind, canonical) if quirk in MEANINGS else canonical
    body = theirs.write(kind, canonical) | _location(kind, canonical, theirs, quirks)
    if Quirk.AUTHORIZATION_ID in quirks and "authorization_reference" in canonical:
        body.pop("authorization_reference", None)
        body["authorization_id"] = canonical["authorization_reference"]
    for quirk in quirks:
        body = SPELLINGS[quirk](kind, body) if quirk in SPELLINGS else body
    return body


def _location(kind: Kind, canonical: Body, theirs: Dialect, quirks: QuirkBook) -> Body:
    """The Location that 2.1.1 wants inside a Session and CDR, with nothing but the EVSE and connector in use."""
    place = canonical if kind == "session" else canonical.get("cdr_location", {}) if kind == "cdr" else {}
    if theirs.has_roles or place.get("location_id", place.get("id")) != LOCATION_ID:
        return {}
    location = location_object({})
    if Quirk.ALL_EVSES not in quirks:
        location["evses"] = _in_use(location["evses"], place["evse_uid"], place["connector_id"])
    if Quirk.NO_EVSES in quirks:
        del location["evses"]
    return {"location": worded("location", location, theirs.version, quirks)}


def _in_use(evses: list[Body], uid: str, connector_id: str) -> list[Body]:
    evse = next(evse for evse in evses if evse["uid"] == uid)
    return [evse | {"connectors": [one for one in evse["connectors"] if one["id"] == connector_id]}]
