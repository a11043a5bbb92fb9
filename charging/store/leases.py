"""Leases: a name that one process holds until a moment. A process that dies loses it by the clock."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.store.engine import Database
from charging.store.tables import leases


async def take_lease(store: AsyncConnection, name: str, *, now: datetime, until: datetime) -> bool:
    """Hold ``name`` until ``until``, within the caller's transaction; False while another holds it."""
    make = sqlite.insert if store.dialect.name == "sqlite" else postgresql.insert
    # One statement, so that of two processes one wins.
    statement = (
        make(leases)
        .values(name=name, until=until)
        .on_conflict_do_update(index_elements=["name"], set_={"until": until}, where=leases.c.until <= now)
        .returning(leases.c.name)
    )
    return (await store.execute(statement)).first() is not None


async def end_lease(store: AsyncConnection, name: str, until: datetime) -> None:
    """Others may take ``name`` from ``until`` on, once the caller's transaction is committed."""
    await store.execute(update(leases).where(leases.c.name == name).values(until=until))


class LeaseStore:
    """Takes and returns leases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, *, now: datetime, until: datetime) -> bool:
        """Hold ``name`` until ``until``; False while another holds it."""
        async with self._database.write() as store:
            return await take_lease(store, name, now=now, until=until)

    async def keep(self, name: str, until: datetime) -> None:
        """Hold ``name`` for longer. Only for whoever holds it."""
        await self.give_back(name, until)

    async def give_back(self, name: str, until: datetime) -> None:
        """Others may take ``name`` from ``until`` on."""
        async with self._database.write() as store:
            await end_lease(store, name, until)
