"""What each process knows of the health of each peer (``charging.ocpi.health``), for the others to read."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from charging.store.engine import Database
from charging.store.tables import peer_health
from charging.store.upsert import upsert

Process = Literal["api", "worker"]


@dataclass(frozen=True)
class HealthRecord:
    """``state``: closed, open or probing. ``failures``: calls that failed in a row. ``retry_at``: the next try."""

    connection_id: str
    process: str
    state: str
    failures: int
    opened_at: datetime | None
    retry_at: datetime | None
    last_error: str | None
    last_ok_at: datetime | None


class HealthStore:
    """One row for each peer and kind of process; of several workers the last one to write is seen."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, record: HealthRecord) -> None:
        """Write what a process knows."""
        async with self._database.write() as store:
            await upsert(store, peer_health, asdict(record))

    async def all(self) -> list[HealthRecord]:
        """What all processes know."""
        query = select(peer_health).order_by(peer_health.c.connection_id, peer_health.c.process)
        async with self._database.read() as store:
            return [HealthRecord(**row._mapping) for row in await store.execute(query)]
