"""INSERT … ON CONFLICT DO UPDATE, which SQLite and PostgreSQL spell the same and SQLAlchemy does not."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


async def upsert(store: AsyncConnection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert ``row``, or replace the given columns of the row that has its primary key."""
    make = sqlite.insert if store.dialect.name == "sqlite" else postgresql.insert
    statement = make(table).values(**row)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in row if name not in keys}
    await store.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))


async def upsert_newer(store: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """As ``upsert``, for many rows of the same columns; a stored row whose ``last_updated`` is newer stays."""
    if not rows:
        return
    make = sqlite.insert if store.dialect.name == "sqlite" else postgresql.insert
    statement = make(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    is_newer = table.c.last_updated <= statement.excluded.last_updated
    await store.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=changed, where=is_newer), [dict(row) for row in rows]
    )
