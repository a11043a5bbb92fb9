"""The timetable: one Temporal Schedule per connected CPO, by which its objects are pulled. Runs in the API's process.

Whoever registers or parts from a CPO writes only the connection; the timetable follows within ``sweep_s``. Several
processes may run it, for everything it does may be done twice.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from charging.errors import StoreUnavailable
from charging.pulling import Module, Synchronisation, is_fresh
from charging.settings import Settings
from charging.store.connections import Connection, ConnectionStore
from charging.store.sync_states import SyncStateStore
from charging.temporal import drop_sync_schedule, keep_sync_schedule, synchronise

logger = logging.getLogger(__name__)


class Timetable:
    """Keeps the schedules equal to the connections, and has pulled at once what a start of ours may have missed."""

    def __init__(
        self, connections: ConnectionStore, states: SyncStateStore, client: Client, settings: Settings
    ) -> None:
        self._connections = connections
        self._states = states
        self._client = client
        self._every = timedelta(seconds=settings.sync_s)
        self._look_s = settings.sweep_s
        self._known: dict[str, bool] = {}  # connections as this process has seen them last: whether active

    async def run(self) -> None:
        """Look every ``sweep_s``, for ever. Cancel to stop."""
        while True:
            try:
                await self.look()
            except (RPCError, RuntimeError, StoreUnavailable) as error:  # RuntimeError: the first connection failed
                logger.warning("the timetable cannot be kept", extra={"why": str(error)})
            await asyncio.sleep(self._look_s)

    async def look(self) -> None:
        """Write the schedules of connections that have changed since the last look. At the first look, of all."""
        for connection in await self._connections.list():
            if self._known.get(connection.id) is connection.is_active:
                continue
            if connection.is_active:
                await keep_sync_schedule(self._client, connection.id, connection.name, connection.network, self._every)
                await self._catch_up(connection)
            else:
                await drop_sync_schedule(self._client, connection.id)
            self._known[connection.id] = connection.is_active

    async def _catch_up(self, connection: Connection) -> None:
        """A CPO may have pushed while no process of ours was there to hear it."""
        states, now = await self._states.of(connection.id), datetime.now(UTC)
        offered = [module for module in Module if connection.endpoint(module, "SENDER")]
        stale = [module for module in offered if not is_fresh(states.get(module), now)]
        if stale:
            wish = Synchronisation(connection_id=connection.id, modules=stale)
            await synchronise(self._client, wish, connection.name)
