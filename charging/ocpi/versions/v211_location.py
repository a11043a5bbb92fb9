"""Location, EVSE and Connector of OCPI 2.1.1 (mod_locations). Pure."""

from typing import Any, Final

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.shape import each, inside, mapped, only_one, owned, renamed, without
from charging.ocpi.versions.v211_energy_mix import read_energy_mix, write_energy_mix
from charging.ocpi.wire import Party

_CONNECTOR: Final = {"voltage": "max_voltage", "amperage": "max_amperage"}
_CONNECTOR_BACK: Final = {new: old for old, new in _CONNECTOR.items()}
_PARKING: Final = frozenset(("ON_STREET", "PARKING_GARAGE", "UNDERGROUND_GARAGE", "PARKING_LOT"))
# What 2.1.1 cannot say, as the nearest that promises no more power.
_POWER: Final = {"AC_2_PHASE": "AC_1_PHASE", "AC_2_PHASE_SPLIT": "AC_1_PHASE"}
_PARKING_BACK: Final = {"ALONG_MOTORWAY": "PARKING_LOT", "ON_DRIVEWAY": "OTHER"}


def read_location(body: Body, owner: Party | None) -> Body:
    """``type`` is ``parking_type`` where 2.2.1 has such a value, and stays ``type`` where not (OTHER, UNKNOWN)."""
    kind = body.get("type")
    if isinstance(kind, str) and kind in _PARKING:
        body = renamed(body, {"type": "parking_type"})
    if body.get("id") is not None and body.get("publish") is None:
        body = {**body, "publish": True}  # 2.1.1 has no Locations that are not public
    body = inside(inside(body, "energy_mix", read_energy_mix), "opening_times", _read_hours)
    return each(owned(body, owner), "evses", read_evse)


def write_location(body: Body) -> Body:
    """A Location without a parking type is of type UNKNOWN: 2.1.1 requires one."""
    body = mapped(body, "parking_type", _PARKING_BACK)
    if body.get("parking_type") is not None:
        body = renamed(without(body, "type"), {"parking_type": "type"})
    elif body.get("id") is not None:
        body = {"type": "UNKNOWN", **body}
    body = inside(inside(body, "energy_mix", write_energy_mix), "opening_times", _write_hours)
    return each(body, "evses", write_evse)


def read_evse(body: Body) -> Body:
    """Its connectors differ, nothing else does."""
    return each(body, "connectors", read_connector)


def write_evse(body: Body) -> Body:
    """See ``read_evse``."""
    return each(body, "connectors", write_connector)


def read_connector(body: Body) -> Body:
    """One ``tariff_id`` is a list of one."""
    body = renamed(body, _CONNECTOR)
    if "tariff_id" not in body or "tariff_ids" in body:
        return body
    return {**without(body, "tariff_id"), "tariff_ids": [body["tariff_id"]] if body["tariff_id"] else []}


def write_connector(body: Body) -> Body:
    """Of several tariffs the first one is named."""
    ids = body.get("tariff_ids")
    body = renamed(mapped(body, "power_type", _POWER), _CONNECTOR_BACK)
    return {**body, "tariff_id": ids[0]} if isinstance(ids, list) and ids else body


def place(location: Body) -> Body:
    """Where a Session is: of its Location the ids, those of EVSE and Connector only if there is exactly one.

    It should hold no others, but some CPOs send all EVSEs, or none (ocpi#469): the first one would be a guess.
    """
    evse = only_one(location.get("evses")) or {}
    connector = only_one(evse.get("connectors")) or {}
    found = {"location_id": location.get("id"), "evse_uid": evse.get("uid"), "connector_id": connector.get("id")}
    return {name: value for name, value in found.items() if value is not None}


def narrowed(location: Body, evse_uid: Any, connector_id: Any) -> Body:
    """A Location with this EVSE and Connector only, as a Session of 2.1.1 shall hold it."""

    def narrow(evse: Body) -> Body:
        return {**evse, "connectors": _those(evse.get("connectors"), "id", connector_id)}

    return each({**location, "evses": _those(location.get("evses"), "uid", evse_uid)}, "evses", narrow)


def _those(items: Any, key: str, wanted: Any) -> list[Body]:
    """The objects of this id; one with nothing but the id where there is none."""
    if wanted is None:
        return []
    found = [item for item in items if isinstance(item, dict) and item.get(key) == wanted] if items else []
    return found or [{key: wanted}]


def _read_hours(hours: Body) -> Body:
    # In 2.1.1 either the flag or the list is there; 2.2.1 always has the flag.
    if hours.get("twentyfourseven") is None and isinstance(hours.get("regular_hours"), list):
        return {**hours, "twentyfourseven": False}
    return hours


def _write_hours(hours: Body) -> Body:
    return (
        without(hours, "regular_hours") if hours.get("twentyfourseven") is True else without(hours, "twentyfourseven")
    )
