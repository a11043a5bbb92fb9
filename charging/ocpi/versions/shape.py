"""Small steps that converters are made of. Pure; none changes its argument in place, none raises.

Bodies come from strangers: what has another type than OCPI says is passed on as it is.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from charging.ocpi import wire
from charging.ocpi.versions.dialect import Body
from charging.ocpi.wire import Party


def renamed(body: Body, names: Mapping[str, str]) -> Body:
    """``body`` with its fields renamed; a field that is already there under the new name wins."""
    moved = {new: body[old] for old, new in names.items() if old in body and new not in body}
    return {**{name: value for name, value in body.items() if name not in names}, **moved}


def without(body: Body, *names: str) -> Body:
    """``body`` without these fields."""
    return {name: value for name, value in body.items() if name not in names}


def changed(body: Body, field: str, convert: Callable[[Any], Any]) -> Body:
    """``body`` with one field converted, where it is there and not null."""
    return body if body.get(field) is None else {**body, field: convert(body[field])}


def each(body: Body, field: str, convert: Callable[[Body], Body]) -> Body:
    """``body`` with each object of a list converted."""
    items = body.get(field)
    if not isinstance(items, list):
        return body
    return {**body, field: [convert(item) if isinstance(item, dict) else item for item in items]}


def inside(body: Body, field: str, convert: Callable[[Body], Body]) -> Body:
    """``body`` with the object in one field converted."""
    return {**body, field: convert(body[field])} if isinstance(body.get(field), dict) else body


def mapped(body: Body, field: str, values: Mapping[str, str]) -> Body:
    """``body`` with the enum value of one field replaced where ``values`` says so."""
    value = body.get(field)
    return {**body, field: values[value]} if isinstance(value, str) and value in values else body


def number(value: Any) -> Decimal | None:
    """``value`` as a number that can be calculated with; None where it is none."""
    return wire.decimal(value)


def with_numbers(body: Body, *fields: str) -> Body:
    """``body`` with numbers that came as text ("2.00": the sample CDR of OCPI 2.1.1) as numbers."""
    texts = {field: number(body[field]) for field in fields if isinstance(body.get(field), str)}
    found = {field: value for field, value in texts.items() if value is not None}
    return {**body, **found} if found else body


def owned(body: Body, owner: Party | None) -> Body:
    """A whole object (one with its ``id``) with the party that owns it, where it does not say so itself."""
    if owner is None or body.get("id") is None or (body.get("country_code") and body.get("party_id")):
        return body
    return {**body, "country_code": owner.country_code, "party_id": owner.party_id}


def only_one(items: Any) -> Body | None:
    """The object of a list that has exactly one."""
    return items[0] if isinstance(items, list) and len(items) == 1 and isinstance(items[0], dict) else None
