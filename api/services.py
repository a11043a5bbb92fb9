"""What the API's process is made of: built once in the lifespan, found at ``request.app.state.services``."""

from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client

from charging.ocpi.peers import Peers
from charging.receiver import Receiver
from charging.settings import Settings
from charging.store.connections import ConnectionStore
from charging.store.engine import Database
from charging.synchroniser import Synchroniser
from charging.temporal import connect


@dataclass(frozen=True)
class Services:
    """The shared parts of the API, one of each per process."""

    settings: Settings
    database: Database
    temporal: Client
    connections: ConnectionStore
    peers: Peers
    receiver: Receiver
    started_at: datetime

    @property
    def synchroniser(self) -> Synchroniser:
        """What pulls from CPOs; the worker has one of its own."""
        return Synchroniser(self.database, self.connections, self.peers, self.receiver, self.settings)

    async def close(self) -> None:
        """Close what holds sockets: calls to CPOs first, the database last."""
        await self.peers.aclose()
        await self.database.close()


async def build_services(settings: Settings) -> Services:
    """All parts, wired. Does not need Temporal or a CPO to be there: the client connects at its first call."""
    database = Database(settings.database_url)
    return Services(
        settings=settings,
        database=database,
        temporal=await connect(settings, lazy=True),
        connections=ConnectionStore(database, settings.secret_keys),
        peers=Peers(database, settings, "api"),
        receiver=Receiver(database, settings),
        started_at=datetime.now(UTC),
    )
