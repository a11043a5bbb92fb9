"""The timetable: a Temporal Schedule for each connected CPO, whose objects are pulled, and for each published curve.

Runs in the API's process. Whoever registers or parts from a CPO writes only the connection, and whoever has a curve
fetched only the curve; the timetable follows within ``sweep_s``. Several processes may run it, for everything it does
may be done twice.
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
from charging.store.curves import CurveStore
from charging.store.sync_states import SyncStateStore
from charging.temporal import drop_sync_schedule, keep_curve_schedule, keep_sync_schedule, synchronise

logger = logging.getLogger(__name__)


class Timetable:
    """Keeps the schedules equal to connections and curves; what a start of ours may have missed is pulled at once."""

    def __init__(
        self,
        connections: ConnectionStore,
        states: SyncStateStore,
        curves: CurveStore,
        client: Client,
        settings: Settings,
    ) -> None:
        self._connections = connections
        self._states = states
        self._curves = curves
        self._client = client
        self._every = timedelta(seconds=settings.sync_s)
        self._look_s = settings.sweep_s
        self._known: dict[str, bool] = {}  # connections as this process has seen them last: whether active
        self._fetched: set[str] = set()  # curves that this process has scheduled

    async def run(self) -> None:
        """Look every ``sweep_s``, for ever. Cancel to stop."""
        while True:
            try:
                await self.look()
            except (RPCError, RuntimeError, StoreUnavailable) as error:  # RuntimeError: the first connection failed
                logger.warning("the timetable cannot be kept", extra={"why": str(error)})
            await asyncio.sleep(self._look_s)

    async def look(self) -> None:
        """Write the schedules of what has changed since the last look. At the first look, of all."""
        await self._look_at_connections()
        await self._look_at_curves()

    async def _look_at_connections(self) -> None:
        for connection in await self._connections.list():
            if self._known.get(connection.id) is connection.is_active:
                continue
            if connection.is_active:
                await keep_sync_schedule(self._client, connection.id, connection.name, connection.network, self._every)
                await self._catch_up(connection)
            else:
                await drop_sync_schedule(self._client, connection.id)
            self._known[connection.id] = connection.is_active

    async def _look_at_curves(self) -> None:
        """Schedule new ones. The schedule of one that is gone ends itself (``activities.curves``)."""
        published = {curve.name for curve in await self._curves.all() if curve.url is not None}
        for name in sorted(published - self._fetched):
            await keep_curve_schedule(self._client, name)
        self._fetched = published

    async def _catch_up(self, connection: Connection) -> None:
        """A CPO may have pushed while no process of ours was there to hear it."""
        states, now = await self._states.of(connection.id), datetime.now(UTC)
        offered = [module for module in Module if connection.endpoint(module, "SENDER")]
        stale = [module for module in offered if not is_fresh(states.get(module), now)]
        if stale:
            wish = Synchronisation(connection_id=connection.id, modules=stale)
            await synchronise(self._client, wish, connection.name)
