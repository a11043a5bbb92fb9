"""What was found in the traffic of peers, counted: one row per connection, rule and module."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from charging.store.engine import Database
from charging.store.tables import findings

EXAMINED: Final = "examined"
"""Counts the messages of a module that were looked at, broken or not."""


@dataclass(frozen=True)
class Counted:
    """So many messages of a module broke ``rule``. ``example``: the path of one field, without its value."""

    connection_id: str
    rule: str
    module: str
    count: int
    first_at: datetime
    last_at: datetime
    example: str


class FindingStore:
    """Adds to the counts, from any number of processes, and reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counted: Sequence[Counted]) -> None:
        """Add to the counts; the newest example is kept."""
        async with self._database.write() as store:
            make = sqlite.insert if store.dialect.name == "sqlite" else postgresql.insert
            # In one order, so that two processes do not wait for each other's rows.
            for each in sorted(counted, key=lambda c: (c.connection_id, c.rule, c.module)):
                statement = make(findings).values(**vars(each))
                new = statement.excluded
                changed = {
                    "count": findings.c.count + new["count"],
                    "last_at": new["last_at"],
                    "example": new["example"],
                }
                keys = [column.name for column in findings.primary_key]
                await store.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))

    async def of(self, connection_id: str) -> list[Counted]:
        """All counts of a connection, the largest first."""
        query = select(findings).where(findings.c.connection_id == connection_id)
        order = (findings.c.count.desc(), findings.c.rule, findings.c.module)
        async with self._database.read() as store:
            return [Counted(**row._mapping) for row in await store.execute(query.order_by(*order))]
