"""Whether a body is to the letter what a version of OCPI says: what the tests hold all that we send to. Pure."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.fields import OBJECTS, TABLES, Field, Tables
from charging.ocpi.versions.shape import number
from charging.ocpi.wire import parse_datetime, plain

_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,4})?Z")  # 25 characters; we always write the Z
_ASCII: Final = re.compile(r"[\x20-\x7e]+")
_SECRET: Final = re.compile(r"[\x21-\x7e]+")
_URL: Final = re.compile(r"https?://[\x21-\x7e]+")
_URL_LENGTH: Final = 255
_DECIMALS: Final = 4


def check_outbound(version: str, kind: str, body: Body, *, is_part: bool = False) -> list[str]:
    """What is wrong with ``body`` as an object of ``version``: one sentence each, with the path; empty where nothing.

    ``kind`` is one of ``fields.OBJECTS``. ``is_part``: a PATCH, in which only ``last_updated`` is required.
    """
    tables, name = TABLES[version], OBJECTS[kind]
    if name not in tables.objects:
        return [f"OCPI {version} has no {name}"]
    found = list(_object(tables, name, plain(body), is_part=is_part))
    if body.get("connector_id") is not None and body.get("evse_uid") is None and kind == "start_session":
        found.append("evse_uid: required with connector_id")  # §13.3.5
    return found


def _object(tables: Tables, name: str, body: Any, path: str = "", *, is_part: bool = False) -> Iterator[str]:
    if not isinstance(body, dict):
        yield f"{path or name}: not an object"
        return
    fields = tables.objects[name]
    prefix = f"{path}." if path else ""
    yield from (f"{prefix}{key}: not a field of {name}" for key in body if key not in fields)
    for key, field in fields.items():
        if key in body:
            yield from _field(tables, field, body[key], prefix + key)
        elif field.is_required and (not is_part or key == "last_updated"):
            yield f"{prefix}{key}: missing"


def _field(tables: Tables, field: Field, value: Any, path: str) -> Iterator[str]:
    if not field.is_list:
        yield from _value(tables, field, value, path)
    elif not isinstance(value, list):
        yield f"{path}: not a list"
    elif not value and field.is_required:
        yield f"{path}: empty"
    else:
        for index, item in enumerate(value):
            yield from _value(tables, field, item, f"{path}.{index}")


def _value(tables: Tables, field: Field, value: Any, path: str) -> Iterator[str]:
    if field.type in tables.objects:
        yield from _object(tables, field.type, value, path)
    elif field.type in tables.enums:
        if not isinstance(value, str) or (value not in tables.enums[field.type] and field.type not in tables.open):
            yield f"{path}: not a {field.type}"
    elif (problem := _PLAIN[field.type](value, field.length)) is not None:
        yield f"{path}: {problem}"


def _text(pattern: re.Pattern[str] | None, what: str) -> Callable[[Any, int | None], str | None]:
    def check(value: Any, length: int | None) -> str | None:
        if not isinstance(value, str) or not (pattern.fullmatch(value) if pattern else value.isprintable()):
            return f"not {what}"
        return f"longer than {length}" if length is not None and len(value) > length else None

    return check


def _url(value: Any, _length: int | None) -> str | None:
    return _text(_URL, "a URL")(value, _URL_LENGTH)


def _moment(value: Any, _length: int | None) -> str | None:
    try:
        parse_datetime(value)
    except ValueError:
        return "not a DateTime"
    return None if _DATETIME.fullmatch(value) else "not a DateTime in UTC with Z"


def _number(value: Any, length: int | None) -> str | None:
    found = None if isinstance(value, str) else number(value)
    if found is None:
        return "not a number"
    decimals, most = -int(found.normalize().as_tuple().exponent), _DECIMALS if length is None else length
    return f"more than {most} decimals" if decimals > most else None


def _int(value: Any, _length: int | None) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) else "not an integer"


def _bool(value: Any, _length: int | None) -> str | None:
    return None if isinstance(value, bool) else "not a boolean"


_PLAIN: Final[dict[str, Callable[[Any, int | None], str | None]]] = {
    "Ci": _text(_ASCII, "printable ASCII"),
    "id": _text(None, "printable text"),
    "s": _text(None, "printable text"),
    "secret": _text(_SECRET, "a token"),
    "URL": _url,
    "DateTime": _moment,
    "number": _number,
    "int": _int,
    "bool": _bool,
}
