"""Asks CPOs for their newest Locations when somebody names an EVSE that nobody knows.

Whoever asks waits a few seconds at most, and a stranger who makes ids up cannot make us hammer a CPO: each is asked
by one pull at a time, and not again for a while, however many ids are unknown.
"""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from charging.errors import PeerError, StoreUnavailable
from charging.ocpi.evse_id import operator_prefix
from charging.ocpi.peers import Peers
from charging.ocpi.wire import dumps
from charging.store.connections import Connection, ConnectionStore
from charging.store.engine import Database
from charging.store.evse_index import EvseIndex, Place
from charging.store.evse_match import EvseMatch
from charging.store.locations import LocationStore
from charging.store.odd import store_odd_message

logger = logging.getLogger(__name__)

PULL_S: Final = 3.0
ASK_EVERY_S: Final = 60.0
FEW: Final = 5  # so many CPOs are all asked where the id does not tell whose it may be
_BATCH: Final = 100
_OVERLAP: Final = timedelta(minutes=5)  # clocks differ


class EvseRefresh:
    """One per process. ``aclose()`` before the database is closed."""

    def __init__(
        self,
        database: Database,
        connections: ConnectionStore,
        index: EvseIndex,
        peers: Peers,
    ) -> None:
        self._database = database
        self._connections = connections
        self._index = index
        self._locations = LocationStore(database)
        self._peers = peers
        self._pulls: dict[str, asyncio.Task[None]] = {}
        self._asked_at: dict[str, float] = {}
        self._answered_at: dict[str, float] = {}

    async def find(self, evse_id: str, place: Place | None = None) -> EvseMatch | None:
        """As ``EvseIndex.find``; where nobody has it, also among what is new at those who may have it."""
        began = time.monotonic()
        match = await self._index.find(evse_id, place)
        if match is None and await self._news_since(began, evse_id):
            match = await self._index.find(evse_id, place)
        return match

    async def look_for(self, evse_id: str) -> bool:
        """Ask the CPOs that may have ``evse_id`` what is new; True where one has answered or failed since, and a second
        look may help.

        Takes ``PULL_S`` at most. Raises nothing for a CPO that fails.
        """
        return await self._news_since(time.monotonic(), evse_id)

    async def _news_since(self, began: float, evse_id: str) -> bool:
        if operator_prefix(evse_id) is None:
            return False
        candidates = await self._candidates(evse_id)
        pulls = [self._pull_of(connection) for connection in candidates]
        running = [pull for pull in pulls if pull is not None]
        if running:
            # Not gathered: a caller who leaves must not take the pull from the others who wait for it.
            await asyncio.wait(running)
        return any(self._answered_at.get(connection.id, -math.inf) >= began for connection in candidates)

    async def _candidates(self, evse_id: str) -> Sequence[Connection]:
        active = [connection for connection in await self._connections.list() if connection.is_active]
        alike = await self._index.connections_like(evse_id)
        if alike:
            return [connection for connection in active if connection.id in alike]
        return active if len(active) <= FEW else []

    def _pull_of(self, connection: Connection) -> asyncio.Task[None] | None:
        """The pull that is running, or a new one; None where the CPO was asked a short while ago."""
        running = self._pulls.get(connection.id)
        if running is not None:
            return running
        now = time.monotonic()
        if now - self._asked_at.get(connection.id, -ASK_EVERY_S) < ASK_EVERY_S:
            return None
        self._asked_at[connection.id] = now
        pull = asyncio.create_task(self._pull(connection))
        self._pulls[connection.id] = pull
        pull.add_done_callback(lambda _: self._ended(connection.id))
        return pull

    def _ended(self, connection_id: str) -> None:
        del self._pulls[connection_id]
        self._answered_at[connection_id] = time.monotonic()

    async def _pull(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(PULL_S):
                await self._store_news(connection)
        except (PeerError, StoreUnavailable, TimeoutError) as error:
            why = str(error) or type(error).__name__
            logger.warning("a CPO was asked for an unknown EVSE in vain", extra={"cpo": connection.name, "why": why})

    async def _store_news(self, connection: Connection) -> None:
        since = connection.locations_synced_at
        batch: list[dict[str, Any]] = []
        async for body in self._peers.of(connection).locations(since and since - _OVERLAP):
            batch.append(body)
            if len(batch) == _BATCH:
                await self._put(connection, batch)
                batch = []
        await self._put(connection, batch)

    async def _put(self, connection: Connection, bodies: list[dict[str, Any]]) -> None:
        own = [body for body in bodies if _is_own(connection, body)]
        foreign = [(body, "not of the peer's roles") for body in bodies if not _is_own(connection, body)]
        written = await self._locations.put_locations(connection.id, own)
        for body, problem in [*foreign, *written.broken]:
            await store_odd_message(
                self._database,
                connection_id=connection.id,
                method="GET",
                path="locations",
                body=dumps(body),
                problem=problem,
            )

    async def aclose(self) -> None:
        """End the pulls that run."""
        pulls = list(self._pulls.values())
        for pull in pulls:
            pull.cancel()
        await asyncio.gather(*pulls, return_exceptions=True)


def _is_own(connection: Connection, body: dict[str, Any]) -> bool:
    return connection.owns(str(body.get("country_code")), str(body.get("party_id")))
