"""What each process knows of the health of each peer (``charging.ocpi.health``), for the others to read."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import bindparam, select

from charging.store.engine import Database
from charging.store.quick import QuickRead
from charging.store.tables import peer_health
from charging.store.upsert import upsert

Process = Literal["api", "worker"]

_OPEN_UNTIL: Final = select(peer_health.c.retry_at).where(
    peer_health.c.connection_id == bindparam("wanted"), peer_health.c.process == "worker", peer_health.c.state == "open"
)


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
        self._open_until = QuickRead(database, _OPEN_UNTIL)

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
        """When workers will call this peer again, where they leave it alone now."""
        found = await self._open_until.one(wanted=connection_id)
        until = found[0] if found else None
        return until if until is not None and until > now else None
