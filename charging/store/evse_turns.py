"""One command at a time to an EVSE: commands have no ids, and CPOs confuse two at once (docs/ocpi.md, Q42)."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from charging.errors import PeerNotReached
from charging.session.model import SessionSpec
from charging.store.engine import Database
from charging.store.leases import LeaseStore

HELD_FOR: Final = timedelta(seconds=60)  # longer than any call; whoever dies half-way loses its turn by then
_LOOK_EVERY_S: Final = 0.2


def turn_name(connection_id: str, location_id: str, evse_uid: str) -> str:
    """The name of the lease on an EVSE."""
    return "evse/" + hashlib.sha256(f"{connection_id}/{location_id}/{evse_uid}".encode()).hexdigest()[:40]


def turn_of(spec: SessionSpec) -> str:
    """The name of the lease on the EVSE of a session."""
    return turn_name(spec.connection_id, spec.location_id, spec.evse_uid)


class EvseTurns:
    """Turns at EVSEs, across all processes."""

    def __init__(self, database: Database) -> None:
        self._leases = LeaseStore(database)

    @asynccontextmanager
    async def turn(self, name: str, *, wait_s: float = 5, goes_anyway: bool = False) -> AsyncIterator[None]:
        """Around one command to the EVSE of ``turn_name``; waits for the one under way.

        Raises ``PeerNotReached`` where that takes longer than ``wait_s``; with ``goes_anyway`` the command is sent
        beside it, for a car must not go on charging because another command hangs.
        """
        is_ours = await self._take(name, time.monotonic() + wait_s)
        if not (is_ours or goes_anyway):
            raise PeerNotReached("another command to this EVSE is under way")
        try:
            yield
        finally:
            if is_ours:
                await self._leases.give_back(name, datetime.now(UTC))

    async def _take(self, name: str, until: float) -> bool:
        while True:
            now = datetime.now(UTC)
            if await self._leases.take(name, now=now, until=now + HELD_FOR):
                return True
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(_LOOK_EVERY_S)
