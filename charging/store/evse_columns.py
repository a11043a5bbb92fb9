"""The columns of ``evses`` by which an EVSE is found, taken from its body and its Location's. Pure."""

from typing import Any

from charging.ocpi.evse_id import MAX_LENGTH, lookup_key, read_connectors
from charging.ocpi.geo import is_public, position
from charging.ocpi.location_object import Body
from charging.ocpi.wire import fold


def search_columns(evse: Body) -> dict[str, Any]:
    """Its EVSE id in any spelling, its plugs and its power."""
    evse_id = None if evse.get("evse_id") is None else str(evse["evse_id"])
    connectors = read_connectors(evse)
    standards = [fold(connector.standard) for connector in connectors]
    return {
        "evse_id": evse_id,
        # Placeholders such as "-" have no key at all: thousands of EVSEs would share it.
        # Cut: some letters are two in upper case.
        "lookup_key": lookup_key(evse_id)[:MAX_LENGTH] or None if evse_id else None,
        "standards": f",{','.join(standards)}," if standards else "",
        "max_power_w": max((int(connector.max_power_w) for connector in connectors), default=0),
    }


def place_columns(evse: Body, location: Body) -> dict[str, Any]:
    """Where it is. ``band`` None keeps it out of the search: nobody knows where, or it must not be shown."""
    point = position(evse, location)
    if point is None:
        return {"latitude": None, "longitude": None, "band": None}
    band = point.band if is_public(location) else None
    return {"latitude": point.latitude, "longitude": point.longitude, "band": band}
