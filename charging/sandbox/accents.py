"""How quirks change what objects say. Pure.

``MEANINGS`` change the canonical object before it is written in the peer's version; ``SPELLINGS`` what is written,
where the field's name is the same in all versions. Each takes the kind of object and the object, which may be a part
of one as a PATCH carries it, and leaves alone what it is not about.
"""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from charging.ocpi.versions import Body, Kind
from charging.sandbox.locations import CHARGERS
from charging.sandbox.quirks import Quirk
from charging.sandbox.strange import strange

Accent = Callable[[Kind, Body], Body]

VANISHED_UID: Final = [*CHARGERS][-1]
TWIN_UID: Final = next(iter(CHARGERS))
_DEARER: Final = Decimal("1.25")
_COMPONENT_COSTS: Final = ("total_fixed_cost", "total_energy_cost", "total_time_cost", "total_parking_cost")
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


# ---- Meanings -----------------------------------------------------------------------------------------------------


def _no_evse_id(_kind: Kind, body: Body) -> Body:
    without = _everywhere(body, lambda part: {key: value for key, value in part.items() if key != "evse_id"})
    if "cdr_location" in body:
        without["cdr_location"]["evse_id"] = "#NA"  # required there
    return without


def _dashes(_kind: Kind, body: Body) -> Body:
    return _everywhere(body, lambda p: p | {"evse_id": p["evse_id"].replace("*", "-")} if "evse_id" in p else p)


def _vanished(kind: Kind, body: Body) -> Body:
    if kind != "location" or "evses" not in body:
        return body
    return body | {"evses": [evse for evse in body["evses"] if evse["uid"] != VANISHED_UID]}


def _running_cost(kind: Kind, body: Body) -> Body:
    if kind != "session" or "total_cost" not in body:
        return body
    return body | {"total_cost": {name: Decimal(amount) / 2 for name, amount in body["total_cost"].items()}}


def _no_components(_kind: Kind, body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in _COMPONENT_COSTS}


def _priced_by_hub(kind: Kind, body: Body) -> Body:
    if kind not in ("session", "cdr") or "total_cost" not in body:
        return body
    free = _no_components(kind, body) | {"total_cost": {"excl_vat": 0, "incl_vat": 0}}
    return free | {"remark": "[*] priced by the hub"} if kind == "cdr" else free


def _other_tariff(kind: Kind, body: Body) -> Body:
    if kind != "cdr":
        return body

    def other(part: Body) -> Body:
        changes = {name: f"{part[name]}-OTHER" for name in ("tariff_id",) if name in part}
        return part | changes | ({"price": part["price"] * _DEARER} if "step_size" in part else {})

    tariffs = [{**tariff, "id": f"{tariff['id']}-OTHER"} for tariff in body["tariffs"]]
    return _everywhere(body | {"tariffs": tariffs}, other)


MEANINGS: Final[dict[Quirk, Accent]] = {
    Quirk.NO_EVSE_ID: _no_evse_id,
    Quirk.DASHES: _dashes,
    Quirk.VANISHED: _vanished,
    Quirk.RUNNING_COST: _running_cost,
    Quirk.NO_COMPONENTS: _no_components,
    Quirk.PRICED_BY_HUB: _priced_by_hub,
    Quirk.OTHER_TARIFF: _other_tariff,
}


# ---- Spellings ----------------------------------------------------------------------------------------------------


def _whitelist(kind: Kind, body: Body) -> Body:
    if kind not in ("session", "cdr") or body.get("status") == "PENDING":
        return body
    return body | {"auth_method": "WHITELIST"}


def _datetimes(_kind: Kind, body: Body) -> Body:
    def odd(part: Body) -> Body:
        return {key: _zone(key, value) for key, value in part.items()}

    return _everywhere(body, odd)


def _zone(key: str, value: Any) -> Any:
    if not isinstance(value, str) or not _DATETIME.fullmatch(value):
        return value
    return value.removesuffix("Z") + ("+00:00" if key == "last_updated" else "")


def _opening_hours(_kind: Kind, body: Body) -> Body:
    if "opening_times" not in body:
        return body
    days = [{"weekday": day, "period_begin": "9:00", "period_end": "21:30"} for day in range(1, 8)]
    return body | {"opening_times": {"regular_hours": days}}


def _watt_hours(kind: Kind, body: Body) -> Body:
    return _with_dimensions(
        body, lambda dims: [d | {"volume": d["volume"] * 1000} if d["type"] == "ENERGY" else d for d in dims]
    )


def _import_export(kind: Kind, body: Body) -> Body:
    if kind != "session":
        return body
    both = [{"type": "ENERGY_IMPORT", "volume": body.get("kwh", 0)}, {"type": "ENERGY_EXPORT", "volume": 0}]
    return _with_dimensions(body, lambda dims: [*dims, *both])


def _unknown_values(kind: Kind, body: Body) -> Body:
    if kind in ("session", "cdr"):
        return body | strange(body)

    def odd(part: Body) -> Body:
        changes: Body = {"standard": "TURBO_PLUG"} if "standard" in part else {}
        changes |= {"capabilities": [*part["capabilities"], "TELEPATHY"]} if "capabilities" in part else {}
        changes |= {"status": "MELTED"} if part.get("status") == "OUTOFORDER" else {}
        return part | changes

    moods = {"x_mood": "mauve"}
    return _everywhere(body, odd) | moods if kind in ("location", "evse") else body


SPELLINGS: Final[dict[Quirk, Accent]] = {
    Quirk.WHITELIST: _whitelist,
    Quirk.DATETIMES: _datetimes,
    Quirk.OPENING_HOURS: _opening_hours,
    Quirk.WATT_HOURS: _watt_hours,
    Quirk.IMPORT_EXPORT: _import_export,
    Quirk.UNKNOWN_VALUES: _unknown_values,
}


# ---- Whole lists --------------------------------------------------------------------------------------------------


def second_location(location: Body) -> Body:
    """Another Location, which had one of the EVSEs of ``location`` before."""
    moved = next(evse for evse in location["evses"] if evse["uid"] == TWIN_UID)
    return {**location, "id": "LOC0", "name": "Old Market Square", "evses": [{**moved, "status": "REMOVED"}]}


def partial_location(evse_uid: str, message: Body) -> Body:
    """What changed of a Location when ``message`` is what changed of one of its EVSEs."""
    return {"evses": [{"uid": evse_uid, **message}], "last_updated": message["last_updated"]}


def bumped(body: Body, now: datetime) -> Body:
    """``body`` as if all of it had just changed."""
    return _everywhere(body, lambda part: part | {"last_updated": now} if "last_updated" in part else part)


# ---- Helpers ------------------------------------------------------------------------------------------------------


def _everywhere(body: Body, change: Callable[[Body], Body]) -> Body:
    """``body`` with ``change`` made to it and to all objects in it."""

    def visit(value: Any) -> Any:
        if isinstance(value, dict):
            return change({key: visit(item) for key, item in value.items()})
        return [visit(item) for item in value] if isinstance(value, list) else value

    changed: Body = visit(body)
    return changed


def _with_dimensions(body: Body, change: Callable[[list[Body]], list[Body]]) -> Body:
    if "charging_periods" not in body:
        return body
    periods = [period | {"dimensions": change(period["dimensions"])} for period in body["charging_periods"]]
    return body | {"charging_periods": periods}
