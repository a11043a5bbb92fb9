"""Leases: a name that one process holds until a moment. A process that dies loses it by the clock."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite

from charging.store.engine import Database
from charging.store.tables import leases


class LeaseStore:
    """Takes and returns leases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, *, now: datetime, until: datetime) -> bool:
        """Hold ``name`` until ``until``; False while another holds it."""
        make = sqlite.insert if self._database.is_sqlite else postgresql.insert
        # One statement, so that of two processes one wins.
        statement = (
            make(leases)
            .values(name=name, until=until)
            .on_conflict_do_update(index_elements=["name"], set_={"until": until}, where=leases.c.until <= now)
            .returning(leases.c.name)
        )
        async with self._database.write() as connection:
            return (await connection.execute(statement)).first() is not None

    async def keep(self, name: str, until: datetime) -> None:
        """Hold ``name`` for longer. Only for whoever holds it."""
        await self.give_back(name, until)

    async def give_back(self, name: str, until: datetime) -> None:
        """Others may take ``name`` from ``until`` on."""
        async with self._database.write() as connection:
            await connection.execute(update(leases).where(leases.c.name == name).values(until=until))
