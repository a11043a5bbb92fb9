"""Making and unmaking a connection: the credentials handshake in both directions (OCPI 2.2.1 §7), and the first pull.

We start it with a TOKEN_A that the CPO gave us (``Registrar.register``), or the CPO starts it with one that our admin
gave out (``Registrar.accept``). Either way each side asks the other for its versions, checks that it finds what it
needs, and only then trusts the tokens exchanged.
"""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from charging.errors import ChargingError, PeerError, PeerRefused
from charging.ocpi.models import Credentials, CredentialsRole, Endpoint, OcpiModel, Version, VersionDetail, to_wire
from charging.ocpi.peer_url import UnusablePeerUrl, check_peer_url, same_host
from charging.ocpi.peers import Peers
from charging.ocpi.transport import PeerForbidden, Transport
from charging.ocpi.wire import VERSION, dumps, fold, join_url
from charging.settings import Settings
from charging.store.client_infos import ClientInfoStore
from charging.store.connections import Caller, Connection, ConnectionStore, new_token
from charging.store.engine import Database
from charging.store.locations import LocationStore
from charging.store.odd import store_odd_message
from charging.store.tariffs import TariffStore

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Without these no session can be started, let alone found again.
REQUIRED: Final = (("locations", "SENDER"), ("commands", "RECEIVER"))
BATCH: Final = 100


class Failure(Enum):
    """Why a handshake failed: a stable code, and OCPI's status code for it (§5)."""

    URL_REFUSED = ("peer_url_refused", 2001)
    UNREACHABLE = ("cpo_unreachable", 3001)
    REFUSED = ("cpo_refused", 3001)
    UNREADABLE = ("cpo_answer_unreadable", 3001)
    VERSION = ("cpo_version_unsupported", 3002)
    ENDPOINTS = ("cpo_endpoints_missing", 3003)
    FOREIGN_HOST = ("cpo_endpoint_on_another_host", 3003)
    POWER_FACTOR = ("power_factor_refused", 2001)

    def __init__(self, code: str, ocpi_status: int) -> None:
        self.code = code
        self.ocpi_status = ocpi_status


class HandshakeFailed(ChargingError):
    """The connection was not made. ``failure`` says why, the message says it to people."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure


def our_url(settings: Settings) -> str:
    """Our versions endpoint, which CPOs are given."""
    return join_url(settings.public_url, "ocpi", "versions")


def our_credentials(settings: Settings, token: str) -> Credentials:
    """Who we are to CPOs: an eMSP; ``token`` is what the peer shall send us."""
    role = CredentialsRole.model_validate(
        {
            "role": "EMSP",
            "business_details": {"name": settings.business_name},
            "party_id": settings.party_id,
            "country_code": settings.country_code,
        }
    )
    return Credentials(token=token, url=our_url(settings), roles=[role])


class Registrar:
    """Registers CPOs, and lets CPOs register. Raises ``HandshakeFailed``."""

    def __init__(self, database: Database, connections: ConnectionStore, peers: Peers, settings: Settings) -> None:
        self._database = database
        self._connections = connections
        self._peers = peers
        self._settings = settings

    async def register(self, name: str, versions_url: str, token: str, *, power_factor: int = 1) -> Connection:
        """We start the handshake with ``token`` (TOKEN_A), then pull the CPO's tariffs and locations (§7.1.1).

        A connection of that name which is active stays as it is until the new handshake is done.
        """
        self.check_power_factor(power_factor)
        handshake = _Handshake(self._peers.transport, self._settings, versions_url)
        endpoints = await handshake.endpoints(token)
        # Accepted by our server before the POST: the CPO calls back with it while we wait for the answer.
        _, token_b = await self._connections.begin(name, versions_url, power_factor=power_factor)
        try:
            theirs = await handshake.exchange(endpoints, token, our_credentials(self._settings, token_b))
        except HandshakeFailed:
            await self._connections.abandon(name)
            raise
        connection = await self._connections.activate(
            name, theirs, version=VERSION, endpoints=endpoints, server_token=token_b, power_factor=power_factor
        )
        return await self.pull(connection)

    async def accept(self, caller: Caller, theirs: Credentials) -> Credentials:
        """The CPO starts the handshake, or renews it (PUT): our side of the exchange (§7.2.2, §7.2.3).

        The token in the answer is new each time. At a renewal the CPO's former one is good until it uses the new one.
        """
        endpoints = await _Handshake(self._peers.transport, self._settings, theirs.url).endpoints(theirs.token)
        server_token = new_token()
        await self._connections.activate(
            caller.connection.name,
            theirs,
            version=VERSION,
            endpoints=endpoints,
            server_token=server_token,
            replaces_at_once=not caller.connection.is_active,
        )
        return our_credentials(self._settings, server_token)

    async def unregister(self, connection: Connection) -> None:
        """Undo the registration at both sides; ours also when the CPO cannot be told (§7.2.4)."""
        url = connection.endpoint("credentials")
        if connection.is_active and connection.client_token and url:
            try:
                await self._peers.transport.call("DELETE", url, connection.client_token)
            except PeerError as error:
                logger.warning(
                    "a CPO was not told that we unregistered", extra={"cpo": connection.name, "why": str(error)}
                )
        await self._connections.unregister(connection.id)

    def check_power_factor(self, power_factor: int) -> None:
        """Refuse a factor above what the settings allow."""
        if not 1 <= power_factor <= self._settings.max_power_factor:
            limit = self._settings.max_power_factor
            raise HandshakeFailed(Failure.POWER_FACTOR, f"power_factor must be between 1 and {limit}")

    async def pull(self, connection: Connection) -> Connection:
        """Read all tariffs and locations of a CPO. What fails is logged: the CPO pushes, too, and the next pull tries.

        ``locations_synced_at`` of the connection that is returned says whether all locations are stored.
        """
        self._peers.health.forget(connection.id)
        connection = await self._with_clients(connection)
        client = self._peers.of(connection)
        tariffs, locations = TariffStore(self._database), LocationStore(self._database)
        started_at = datetime.now(UTC)
        try:
            if connection.endpoint("tariffs", "SENDER"):
                await self._store(connection, "tariffs", client.tariffs(), tariffs.put_tariffs)
            await self._store(connection, "locations", client.locations(), locations.put_locations)
            await self._connections.locations_synced(connection.id, started_at)
        except PeerError as error:
            logger.warning("a pull failed", extra={"cpo": connection.name, "why": str(error)})
        return await self._connections.get(connection.id) or connection

    async def _with_clients(self, connection: Connection) -> Connection:
        """A hub's connection, its parties read anew: whose objects it may send depends on them."""
        if connection.hub is None or connection.endpoint("hubclientinfo", "SENDER") is None:
            return connection
        store = ClientInfoStore(self._database)
        try:
            async for batch in _batches(self._peers.of(connection).client_infos()):
                await store.put_client_infos(connection.id, batch)
        except PeerError as error:
            logger.warning("a hub did not tell of its parties", extra={"cpo": connection.name, "why": str(error)})
        self._connections.forget()
        return await self._connections.get(connection.id) or connection

    async def _store(
        self, connection: Connection, module: str, objects: AsyncIterator[dict[str, Any]], put: Any
    ) -> None:
        async for batch in _batches(objects):
            own = [body for body in batch if _is_own(connection, body)]
            foreign = [(body, "not of the peer's roles") for body in batch if not _is_own(connection, body)]
            for body, problem in [*foreign, *await put(connection.id, own)]:
                await store_odd_message(
                    self._database,
                    connection_id=connection.id,
                    method="GET",
                    path=module,
                    body=dumps(body),
                    problem=problem,
                )


class _Handshake:
    """What both directions share: the peer's versions, its endpoints, the exchange of credentials."""

    def __init__(self, transport: Transport, settings: Settings, versions_url: str) -> None:
        self._transport = transport
        self._allow_private = settings.allow_private_peers
        self._versions_url = versions_url

    async def endpoints(self, token: str) -> list[Endpoint]:
        """The peer's endpoints for OCPI 2.2.1, all of them on its own host, those that we need among them."""
        await self._check(self._versions_url)
        versions = await self._get(self._versions_url, token, TypeAdapter(list[Version]))
        url = next((version.url for version in versions if version.version == VERSION), None)
        if url is None:
            raise HandshakeFailed(Failure.VERSION, f"the CPO does not offer OCPI {VERSION}")
        await self._check(url)
        detail = await self._get(url, token, TypeAdapter(VersionDetail))
        for endpoint in detail.endpoints:
            self._check_host(endpoint.url)
        self._require(detail.endpoints)
        return detail.endpoints

    async def exchange(self, endpoints: list[Endpoint], token: str, ours: Credentials) -> Credentials:
        """POST our credentials with TOKEN_A; the CPO's own are the answer."""
        url = next(endpoint.url for endpoint in endpoints if fold(endpoint.identifier) == "CREDENTIALS")
        theirs = await self._call("POST", url, token, TypeAdapter(Credentials), ours)
        self._check_host(theirs.url)
        return theirs

    async def _get(self, url: str, token: str, shape: TypeAdapter[T]) -> T:
        return await self._call("GET", url, token, shape)

    async def _call(self, method: str, url: str, token: str, shape: TypeAdapter[T], body: OcpiModel | None = None) -> T:
        try:
            answer = await self._transport.call(method, url, token, body=None if body is None else to_wire(body))
            return shape.validate_python(answer.envelope.data)
        except PeerForbidden as error:
            raise HandshakeFailed(Failure.URL_REFUSED, str(error)) from error
        except PeerRefused as error:
            if 300 <= error.http_status < 400:
                raise HandshakeFailed(Failure.URL_REFUSED, "the URL redirects: give the one it leads to") from error
            raise HandshakeFailed(Failure.REFUSED, str(error)) from error
        except PeerError as error:
            raise HandshakeFailed(Failure.UNREACHABLE, str(error)) from error
        except ValidationError as error:
            raise HandshakeFailed(Failure.UNREADABLE, "the answer is not what OCPI asks for") from error

    def _require(self, endpoints: list[Endpoint]) -> None:
        offered = {(fold(endpoint.identifier), endpoint.role) for endpoint in endpoints}
        missing = [module for module, role in REQUIRED if (fold(module), role) not in offered]
        if "CREDENTIALS" not in {identifier for identifier, _ in offered}:
            missing.append("credentials")
        if missing:
            raise HandshakeFailed(Failure.ENDPOINTS, f"the CPO does not offer: {', '.join(missing)}")

    async def _check(self, url: str) -> None:
        try:
            await check_peer_url(url, allow_private=self._allow_private)
        except UnusablePeerUrl as error:
            raise HandshakeFailed(Failure.URL_REFUSED, str(error)) from error
        self._check_host(url)

    def _check_host(self, url: str) -> None:
        # Every request carries the CPO's token: it goes to the host that the admin named, and to no other.
        if not same_host(url, self._versions_url):
            raise HandshakeFailed(Failure.FOREIGN_HOST, "the CPO names a URL on another host")


def _is_own(connection: Connection, body: dict[str, Any]) -> bool:
    country_code, party_id = body.get("country_code"), body.get("party_id")
    return isinstance(country_code, str) and isinstance(party_id, str) and connection.owns(country_code, party_id)


async def _batches(objects: AsyncIterator[dict[str, Any]]) -> AsyncIterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    async for body in objects:
        batch.append(body)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
