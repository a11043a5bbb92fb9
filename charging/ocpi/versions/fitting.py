"""A body cut to what a version has: its fields and no others, its lengths, its numbers and times. Pure.

Text is cut to its length. What names something (an id, a URL) is not: cut, it would name something else. An enum value
that the version lacks goes where the field may miss, and takes its item with it in a list (a dimension without a
type means nothing). null says nothing on the wire and goes, too.
"""

from datetime import datetime
from typing import Any, Final

from charging.ocpi import wire
from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.fields import OBJECTS, TABLES, Field, Tables
from charging.ocpi.versions.shape import number

_GONE: Final = object()


def fitted(version: str, kind: str, body: Body) -> Body:
    """``body``, already in the names of ``version``, cut to its tables; unchanged where the version has no such object.

    A part of an object, as a PATCH brings it, stays a part.
    """
    tables = TABLES[version]
    name = OBJECTS[kind]
    return _object(tables, name, body) if name in tables.objects else body


def _object(tables: Tables, name: str, body: Body) -> Body:
    fields = tables.objects[name]
    fit = {key: _field(tables, fields[key], value) for key, value in body.items() if key in fields}
    return {key: value for key, value in fit.items() if value is not _GONE}


def _field(tables: Tables, field: Field, value: Any) -> Any:
    if value is None:
        return _GONE
    if field.is_list:
        return _list(tables, field, value)
    fit = _value(tables, field, value)
    # A required field stays, whatever stands in it: the receiver may make sense of it.
    return value if fit is _GONE and field.is_required else fit


def _list(tables: Tables, field: Field, items: Any) -> Any:
    if not isinstance(items, list):
        return items
    fit = (_value(tables, field, item) for item in items if item is not None)
    return [item for item in fit if item is not _GONE and not _is_of_no_type(tables, field, item)]


def _is_of_no_type(tables: Tables, field: Field, item: Any) -> bool:
    """Whether ``item`` is an object that must have a type, and has one that the version lacks."""
    typed = tables.objects.get(field.type, {}).get("type")
    if typed is None or not typed.is_required or not isinstance(item, dict):
        return False
    return _value(tables, typed, item.get("type")) is _GONE


def _value(tables: Tables, field: Field, value: Any) -> Any:
    if field.type in tables.objects:
        return _object(tables, field.type, value) if isinstance(value, dict) else value
    if field.type in tables.enums:
        is_known = isinstance(value, str) and value in tables.enums[field.type]
        return value if is_known or field.type in tables.open else _GONE
    return _plain(field, value)


def _plain(field: Field, value: Any) -> Any:
    if field.type == "s" and isinstance(value, str):
        return value[: field.length]
    if field.type == "DateTime":
        return _moment(value)
    if field.type == "number":
        found = number(value)
        return value if found is None else found
    return value


def _moment(value: Any) -> Any:
    """A DateTime as we write it, ``...Z``."""
    try:
        return wire.format_datetime(wire.parse_datetime(value))
    except ValueError:
        return value if isinstance(value, str | datetime) else _GONE
