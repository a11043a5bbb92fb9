"""Many objects of a CPO, written at once: what is new or differs, and nothing else.

CPOs bump ``last_updated`` of objects that have not changed (docs/ocpi.md, Q15), so what an object says is compared by a
hash. One that says what it said is at most touched: its dates move, its body is not written again.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.wire import plain
from charging.store.objects import Body, ObjectKey
from charging.store.upsert import upsert_newer

Key = tuple[str, ...]  # the values of the primary key's columns
Values = dict[str, Any]  # of one row, by column


class Verdict(Enum):
    """What an object that was told is against the one that is stored."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    OLDER = "older"


@dataclass
class Written:
    """What became of a page of objects. ``broken`` ones were not stored; they come with what is wrong."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    broken: list[tuple[Body, str]] = field(default_factory=list)

    def count(self, verdict: Verdict) -> None:
        """One more object."""
        self.created += verdict is Verdict.NEW
        self.changed += verdict is Verdict.CHANGED
        self.unchanged += verdict in (Verdict.SAME, Verdict.OLDER)


def content_hash(body: Body) -> str:
    """What an object says, without its ``last_updated`` and those of its parts, in 32 hexadecimal digits."""
    canonical = json.dumps(plain(_undated(body)), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def _undated(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _undated(item) for name, item in value.items() if name != "last_updated"}
    return [_undated(item) for item in value] if isinstance(value, list) else value


def key_in(table: Table, values: Mapping[str, Any]) -> Key:
    """The primary key of a row of ``table``."""
    return tuple(values[column.name] for column in table.primary_key)


async def stored_rows(store: AsyncConnection, table: Table, condition: ColumnElement[bool]) -> dict[Key, Row[Any]]:
    """The rows that meet ``condition``, without their bodies; locked, in the order of their keys."""
    columns = [column for column in table.columns if column.name != "body"]
    query = select(*columns).where(condition).order_by(*table.primary_key).with_for_update()
    return {key_in(table, row._asdict()): row for row in await store.execute(query)}


def judge(row: Values, stored: Row[Any] | None) -> Verdict:
    """What ``row`` is against ``stored``. One that was missing, or whose EVSE was removed, has changed."""
    if stored is None:
        return Verdict.NEW
    if row["last_updated"] < stored.last_updated:
        return Verdict.OLDER
    before = stored._mapping
    is_same = all(row[name] == before[name] for name in ("content_hash", "status", "missing_since") if name in row)
    return Verdict.SAME if is_same else Verdict.CHANGED


async def write_rows(
    store: AsyncConnection,
    table: Table,
    rows: Mapping[Key, Values],
    stored: Mapping[Key, Row[Any]],
    *,
    touch_all: bool = False,
) -> dict[Key, Verdict]:
    """Insert and update what is new and changed; touch what is the same but newer, or ``touch_all`` of it."""
    verdicts = {key: judge(row, stored.get(key)) for key, row in rows.items()}
    written = [rows[key] for key, verdict in verdicts.items() if verdict in (Verdict.NEW, Verdict.CHANGED)]
    await upsert_newer(store, table, written)
    same = (key for key, verdict in verdicts.items() if verdict is Verdict.SAME)
    newer = [key for key in same if touch_all or rows[key]["last_updated"] > stored[key].last_updated]
    await _touch(store, table, [rows[key] for key in newer])
    return verdicts


async def _touch(store: AsyncConnection, table: Table, rows: list[Values]) -> None:
    if rows:
        await set_columns(store, table, rows, [name for name in ("last_updated", "seen_at") if name in rows[0]])


async def set_columns(store: AsyncConnection, table: Table, rows: Iterable[Values], names: Iterable[str]) -> None:
    """Write the columns ``names`` of rows that are there; the others stay."""
    keys = [column.name for column in table.primary_key]
    new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    statement = update(table).where(*(table.c[name] == bindparam(f"key_{name}") for name in keys)).values(new)
    parameters = [
        {f"key_{name}": row[name] for name in keys} | {f"new_{name}": row[name] for name in new} for row in rows
    ]
    if parameters:
        await store.execute(statement, parameters)


def named(table: Table, keys: Iterable[ObjectKey], column: str = "id") -> ColumnElement[bool]:
    """A condition that these objects of one connection meet, by indexes of both databases; others may meet it, too."""
    owners = [key.owner() for key in keys]
    condition: ColumnElement[bool] = table.c[column].in_(sorted({key.id for key in keys}))
    for name in ("connection_id", "country_code", "party_id"):
        condition &= table.c[name].in_(sorted({owner[name] for owner in owners}))
    return condition


async def mark_missing(
    store: AsyncConnection, table: Table, connection_id: str, *, unseen_since: datetime, now: datetime
) -> int:
    """A full list of a CPO is at its end: note what it has not named since it began; how many that newly are."""
    unseen = table.c.seen_at.is_(None) | (table.c.seen_at < unseen_since)
    theirs = table.c.connection_id == connection_id
    marked = await store.execute(
        update(table).where(theirs, table.c.missing_since.is_(None), unseen).values(missing_since=now)
    )
    return marked.rowcount


async def still_there(store: AsyncConnection, table: Table, keys: Iterable[ObjectKey], now: datetime) -> None:
    """These were named, if in a form that cannot be used: they are not missing."""
    await set_columns(store, table, [{**key.values(), "seen_at": now} for key in keys], ["seen_at"])
