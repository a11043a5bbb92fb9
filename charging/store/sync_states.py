"""What is known of former pulls, per connection and module."""

from typing import Any

from sqlalchemy import Row, select

from charging.pulling import Counts, Module, Pull, SyncState, ended
from charging.store.engine import Database
from charging.store.tables import sync_state
from charging.store.upsert import upsert


class SyncStateStore:
    """Reads and writes ``SyncState``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, dict[Module, SyncState]]:
        """Of every connection, by its id."""
        async with self._database.read() as store:
            rows = (await store.execute(select(sync_state))).all()
        found: dict[str, dict[Module, SyncState]] = {}
        for row in rows:
            found.setdefault(row.connection_id, {})[Module(row.module)] = _state(row)
        return found

    async def of(self, connection_id: str) -> dict[Module, SyncState]:
        """Of one connection; modules that were never pulled are left out."""
        async with self._database.read() as store:
            rows = await store.execute(select(sync_state).where(sync_state.c.connection_id == connection_id))
            return {Module(row.module): _state(row) for row in rows}

    async def record(self, pull: Pull) -> None:
        """A pull is over, or was given up."""
        state = ended(pull, (await self.of(pull.connection_id)).get(pull.module))
        row = state.model_dump(exclude={"counts"}) | {"counts": pull.counts.model_dump()}
        async with self._database.write() as store:
            key = {"connection_id": pull.connection_id, "module": pull.module.value}
            await upsert(store, sync_state, key | row)


def _state(row: Row[Any]) -> SyncState:
    values = dict(row._mapping)
    counts = values.pop("counts")
    return SyncState.model_validate({**values, "counts": None if counts is None else Counts.model_validate(counts)})
