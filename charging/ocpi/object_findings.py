"""An object of a peer against the tables of its version: what is missing, of a wrong type, too long, misspelled.

Pure. Fields that OCPI does not know are no violation: peers may add their own. An example is the path of a field,
never what stands in it.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from charging.ocpi import wire
from charging.ocpi.versions.fields import OBJECTS, TABLES, Field, Tables
from charging.ocpi.versions.watt_hours import in_kwh

Body = dict[str, Any]
Found = tuple[str, str]
"""A rule's id, and the path of the field that breaks it."""

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d+)?(Z?)")
_TEXT: Final = frozenset(("Ci", "s", "id", "secret", "URL"))
_URL_LENGTH: Final = 255
_BETWEEN_LINES_V: Final = 346  # 200 V between line and neutral; no grid has more
_DEGREES: Final = re.compile(r"-?\d{1,3}\.\d{5,7}")
_TOTALS: Final = {"session": "kwh", "cdr": "total_energy"}


def of_object(version: str, kind: str, body: Any, *, is_part: bool = False) -> Iterator[Found]:
    """What is wrong with an object of ``kind`` in OCPI ``version``. ``is_part``: a PATCH, which may leave fields out.

    Nothing, where the version has no such object.
    """
    tables, name = TABLES[version], OBJECTS[kind]
    if name not in tables.objects:
        return
    if not isinstance(body, dict):
        yield "wrong_type", name
        return
    yield from _object(tables, name, body, name, is_part=is_part)
    yield from _meaning(version, kind, name, body)


def _object(tables: Tables, name: str, body: Body, path: str, *, is_part: bool = False) -> Iterator[Found]:
    for key, field in tables.objects[name].items():
        value, here = body.get(key), f"{path}.{key}"
        if value is None:
            is_said = field.is_required and (not is_part or key in body)
            if is_said:
                yield "missing_field", here
        elif field.is_list:
            yield from _list(tables, field, value, here)
        else:
            yield from _value(tables, field, value, here)


def _list(tables: Tables, field: Field, items: Any, path: str) -> Iterator[Found]:
    if not isinstance(items, list):
        yield "wrong_type", path
    elif not items and field.is_required:
        yield "empty_list", path
    else:
        for item in items:
            yield from _value(tables, field, item, f"{path}[]")


def _value(tables: Tables, field: Field, value: Any, path: str) -> Iterator[Found]:
    if field.type in tables.objects:
        if isinstance(value, dict):
            yield from _object(tables, field.type, value, path)
        else:
            yield "wrong_type", path
    elif field.type in tables.enums:
        if not isinstance(value, str):
            yield "wrong_type", path
        elif value not in tables.enums[field.type] and field.type not in tables.open:
            yield "unknown_value", path
    elif field.type in _TEXT:
        yield from _text(field, value, path)
    elif field.type == "DateTime":
        yield from _moment(value, path)
    elif not _is_number(field.type, value):
        yield ("number_as_text" if wire.decimal(value) is not None else "wrong_type"), path


def _text(field: Field, value: Any, path: str) -> Iterator[Found]:
    length = _URL_LENGTH if field.type == "URL" else field.length
    if not isinstance(value, str):
        yield "wrong_type", path
        return
    if length is not None and len(value) > length:
        yield "too_long", path
    if field.type in ("Ci", "secret") and not (value.isascii() and value.isprintable()):
        yield "not_ascii", path
    if path.endswith((".latitude", ".longitude")) and not _DEGREES.fullmatch(value):
        yield "coordinates", path


def _moment(value: Any, path: str) -> Iterator[Found]:
    if not isinstance(value, str):
        yield "wrong_type", path
        return
    match = _MOMENT.fullmatch(value)
    if match is None:
        yield ("datetime_format" if _is_moment(value) else "datetime_unreadable"), path
    elif not match[2]:
        yield "datetime_without_z", path


def _is_moment(value: str) -> bool:
    try:
        wire.parse_datetime(value)
    except ValueError:
        return False
    return True


def _is_number(kind: str, value: Any) -> bool:
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    if not isinstance(value, int | float | Decimal):
        return False
    return kind != "int" or value == int(value)


def _meaning(version: str, kind: str, name: str, body: Body) -> Iterator[Found]:
    """What the fields together say and cannot mean."""
    if kind in _TOTALS and in_kwh(body, _TOTALS[kind]) is not body:
        yield "energy_in_wh", f"{name}.charging_periods[].dimensions[].volume"
    if kind in _TOTALS and body.get("auth_method") == "COMMAND" and version != "2.1.1":
        if body.get("authorization_reference") is None:
            yield "authorization_reference_missing", f"{name}.authorization_reference"
    if any(_is_between_lines(connector) for connector in _connectors(kind, body)):
        yield "voltage_between_lines", "Connector.max_voltage"


def _connectors(kind: str, body: Body) -> Iterator[Body]:
    if kind == "connector":
        yield body
    children = {"location": ("evses", "evse"), "evse": ("connectors", "connector")}.get(kind)
    items = body.get(children[0]) if children else None
    for item in items if isinstance(items, list) else ():
        if children and isinstance(item, dict):
            yield from _connectors(children[1], item)


def _is_between_lines(connector: Body) -> bool:
    voltage = wire.decimal(connector.get("max_voltage", connector.get("voltage")))
    return connector.get("power_type") == "AC_3_PHASE" and voltage is not None and voltage >= _BETWEEN_LINES_V
