"""What is kept on disk: rows and bytes of the engine's store, bytes of Temporal's file. Free pages do not count."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from sqlalchemy import func, select, text

from charging.store.engine import Database
from charging.store.tables import metadata

_SQLITE = (
    "SELECT (page_count - freelist_count) * page_size "
    "FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()"
)


async def store_bytes(database: Database) -> int:
    """Bytes of everything in ``database``, indexes too."""
    query = _SQLITE if database.is_sqlite else "SELECT pg_database_size(current_database())"
    async with database.read() as connection:
        return int(await connection.scalar(text(query)) or 0)


def temporal_bytes(directory: Path) -> int:
    """Bytes of the newest Temporal server's file below ``directory``: histories, tasks and visibility."""
    newest = max(directory.glob("temporal-*.db"), key=lambda path: path.stat().st_mtime)
    with closing(sqlite3.connect(f"file:{newest}?mode=ro", uri=True)) as connection:
        return int(connection.execute(_SQLITE).fetchone()[0])


async def store_rows(database: Database) -> Counter[str]:
    """Rows of each table that has any."""
    async with database.read() as connection:
        tables = metadata.sorted_tables
        return Counter({t.name: await connection.scalar(select(func.count()).select_from(t)) or 0 for t in tables})


async def table_bytes(database: Database) -> Counter[str]:
    """Bytes of each table with its indexes; PostgreSQL only."""
    query = text(
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relname = ANY(:known)"
    )
    async with database.read() as connection:
        return Counter(dict((await connection.execute(query, {"known": list(metadata.tables)})).tuples().all()))
