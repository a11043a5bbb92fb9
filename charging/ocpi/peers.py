"""All CPOs that can be called: one HTTP client for the process, one ``CpoClient`` per connection."""

from charging.errors import PeerNotReached
from charging.ocpi.client import CpoClient
from charging.ocpi.doctor import Doctor
from charging.ocpi.health import PeerHealth
from charging.ocpi.transport import Transport
from charging.ocpi.wire import Party
from charging.settings import Settings
from charging.store.connections import Connection, ConnectionStore
from charging.store.engine import Database
from charging.store.findings import FindingStore
from charging.store.peer_health import HealthStore, Process


class Peers:
    """Makes clients; owns the sockets. ``aclose()`` when the process ends."""

    def __init__(self, database: Database, settings: Settings, process: Process = "worker") -> None:
        self._connections = ConnectionStore(database, settings.secret_keys)
        self._us = Party(settings.country_code, settings.party_id)
        self.doctor = Doctor(FindingStore(database))
        self.health = PeerHealth(HealthStore(database).put, process)
        self.transport = Transport(timeout_s=settings.cpo_timeout_s, allow_private=settings.allow_private_peers)

    async def client(self, connection_id: str, party: Party | None = None) -> CpoClient:
        """The client of a connection; ``party`` where one platform speaks for several CPOs.

        Raises ``PeerNotReached`` where there is no such connection.
        """
        connection = await self._connections.get(connection_id)
        if connection is None:
            raise PeerNotReached("no such connection")
        return self.of(connection, party)

    def of(self, connection: Connection, party: Party | None = None) -> CpoClient:
        """The client of a connection that was already read."""
        return CpoClient(self.transport, connection, self._us, party, health=self.health, doctor=self.doctor)

    async def aclose(self) -> None:
        """Close all sockets."""
        await self.doctor.aclose()
        await self.health.aclose()
        await self.transport.aclose()
