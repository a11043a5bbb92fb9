"""Takes events from the outbox to those who wait for them. Runs in the API's process; any number of them may.

Each looks every ``LOOK_EVERY_S``: numbers what was committed since, whoever wrote it, and tells its own listeners.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.client import Client
from temporalio.service import RPCError

from charging.errors import StoreUnavailable
from charging.feed import Feed
from charging.store import job_reports, webhooks
from charging.store.outbox import Outbox, PlacedEvent
from charging.store.webhooks import WebhookStore
from charging.temporal import deliver

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.1
WAKE_EVERY_S: Final = 0.2
FORGOTTEN_AFTER: Final = timedelta(seconds=10)
METERS_ARE_READ_FOR: Final = timedelta(minutes=15)  # after a stream was opened, and renewed while it is


class EventRelay:
    """Numbers events, hands them to those who listen, and wakes the deliveries to webhooks.

    ``reports_jobs``: changes of status are owed to Robot Jobs, too.
    """

    def __init__(
        self, outbox: Outbox, feed: Feed, webhooks: WebhookStore, temporal: Client, *, reports_jobs: bool
    ) -> None:
        self._reports_jobs = reports_jobs
        self._outbox = outbox
        self._feed = feed
        self._webhooks = webhooks
        self._temporal = temporal
        self._renewed_at = self._checked_at = datetime.min.replace(tzinfo=UTC)
        self._to_wake: set[str] = set()

    async def run(self) -> None:
        """For ever. Cancel to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again_and_again(self.look, LOOK_EVERY_S))
            # Apart from the above: Temporal may be away, and those who listen do not care.
            group.create_task(_again_and_again(self.wake, WAKE_EVERY_S))

    async def look(self) -> None:
        """One round of numbers and listeners."""
        now = datetime.now(UTC)
        self._to_wake |= await self._outbox.number(now, self._owe)
        await self._feed.hand_out()
        if now - self._renewed_at > METERS_ARE_READ_FOR / 3:
            self._renewed_at = now
            for user_id in self._feed.readers:
                await self._outbox.read_meters(user_id, now + METERS_ARE_READ_FOR)

    async def _owe(self, store: AsyncConnection, placed: Sequence[PlacedEvent], now: datetime) -> set[str]:
        if self._reports_jobs:
            await job_reports.owe(store, placed, now)
        return await webhooks.owe(store, placed, now)

    def wake_soon(self, webhook_id: str) -> None:
        """A webhook has something to deliver."""
        self._to_wake.add(webhook_id)

    async def wake(self) -> None:
        """One round of deliveries. What a process forgot that died in between is found by its age."""
        now = datetime.now(UTC)
        if now - self._checked_at > FORGOTTEN_AFTER:
            self._checked_at = now
            self._to_wake |= set(await self._webhooks.overdue(now - FORGOTTEN_AFTER))
        for webhook_id in sorted(self._to_wake):
            await deliver(self._temporal, webhook_id)
            self._to_wake.discard(webhook_id)


async def _again_and_again(look: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        try:
            await look()
        except (StoreUnavailable, RPCError) as error:
            logger.warning("the event relay waits for the store or Temporal: %s", type(error).__name__)
        await asyncio.sleep(every_s)
