"""What each process knows of the health of each peer (``charging.ocpi.health``), for the others to read."""

import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import select

from charging.store.engine import Database
from charging.store.tables import peer_health
from charging.store.upsert import upsert

Process = Literal["api", "worker"]

_CACHE_S: Final = 2.0


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
        self._recent: tuple[float, list[HealthRecord]] = (0.0, [])

    async def put(self, record: HealthRecord) -> None:
        """Write what a process knows."""
        async with self._database.write() as store:
            await upsert(store, peer_health, asdict(record))

    async def all(self) -> list[HealthRecord]:
        """What all processes know."""
        query = select(peer_health).order_by(peer_health.c.connection_id, peer_health.c.process)
        async with self._database.read() as store:
            return [HealthRecord(**row._mapping) for row in await store.execute(query)]

    async def left_alone_until(self, connection_id: str, now: datetime) -> datetime | None:
        """When workers will call this peer again, where they leave it alone now. Up to two seconds old."""
        expires, records = self._recent
        if expires < time.monotonic():
            records = await self.all()
            self._recent = (time.monotonic() + _CACHE_S, records)
        opened = (r for r in records if (r.connection_id, r.process, r.state) == (connection_id, "worker", "open"))
        return next((r.retry_at for r in opened if r.retry_at is not None and r.retry_at > now), None)
