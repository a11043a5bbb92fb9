"""The pruner: once a day old events and their deliveries are deleted, in small batches. Runs in the API's process.

Several processes may run it: a lease lets one a day do it, and what that one leaves undone is done on the next day.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from charging.errors import StoreUnavailable
from charging.settings import Settings
from charging.store.engine import Database
from charging.store.leases import LeaseStore
from charging.store.retention import RetentionStore

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 600
PRUNE_EVERY: Final = timedelta(days=1)
PAUSE_S: Final = 0.05  # between two batches: others write, too
_LEASE: Final = "prune"


class Pruner:
    """Deletes deliveries after ``keep_deliveries_days``, events after ``keep_events_days``."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._store = RetentionStore(database)
        self._leases = LeaseStore(database)
        self._keep_events = timedelta(days=settings.keep_events_days)
        self._keep_deliveries = timedelta(days=settings.keep_deliveries_days)

    async def run(self) -> None:
        """Prune once a day, for ever. Cancel to stop."""
        while True:
            now = datetime.now(UTC)
            try:
                if await self._leases.take(_LEASE, now=now, until=now + PRUNE_EVERY):
                    await self.prune(now)
            except StoreUnavailable:
                logger.warning("the pruner cannot use the store")
            await asyncio.sleep(LOOK_EVERY_S)

    async def prune(self, now: datetime) -> None:
        """Delete all that is too old at ``now``. What is still owed to somebody stays, however old."""
        for prune in (self._store.prune_deliveries, self._store.prune_reports):
            more = True
            while more:
                more = await prune(now - self._keep_deliveries)
                await asyncio.sleep(PAUSE_S)
        place: int | None = 0
        while place is not None:
            place = await self._store.prune_events(now - self._keep_events, place)
            await asyncio.sleep(PAUSE_S)
