"""Making and unmaking a connection: the credentials handshake in both directions (OCPI 2.2.1 §7).

We start it with a TOKEN_A that the CPO gave us (``Registrar.register``), or the CPO starts it with one that our admin
gave out (``Registrar.accept``). Either way each side asks the other for its versions, checks that it finds what it
needs, and only then trusts the tokens exchanged.
"""

import logging
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from charging.errors import ChargingError, PeerError, PeerNotReached, PeerRefused
from charging.ocpi import our_urls
from charging.ocpi.models import Credentials, CredentialsRole, Endpoint, Version, VersionDetail, to_wire
from charging.ocpi.peer_url import UnusablePeerUrl, check_peer_url, same_host
from charging.ocpi.peers import Peers
from charging.ocpi.transport import PeerForbidden, Transport
from charging.ocpi.versions import DIALECTS, Body, Dialect, Kind
from charging.ocpi.wire import TokenForm, fold
from charging.settings import Settings
from charging.store.connections import Caller, Connection, ConnectionStore, form_of, new_token

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Without these no session can be started, let alone found again.
REQUIRED: Final = (("locations", "SENDER"), ("commands", "RECEIVER"))


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
    return our_urls.versions_url(settings.public_url)


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

    def __init__(self, connections: ConnectionStore, peers: Peers, settings: Settings) -> None:
        self._connections = connections
        self._peers = peers
        self._settings = settings

    async def register(self, name: str, versions_url: str, token: str, *, power_factor: int = 1) -> Connection:
        """We start the handshake with ``token`` (TOKEN_A, §7.1.1).

        A connection of that name which is active stays as it is until the new handshake is done.
        """
        self.check_power_factor(power_factor)
        handshake = _Handshake(self._peers.transport, self._settings, versions_url, token)
        offer = await handshake.offer()
        # Accepted by our server before the POST: the CPO calls back with it while we wait for the answer.
        _, token_b = await self._connections.begin(name, versions_url, power_factor=power_factor)
        try:
            theirs = await handshake.exchange("POST", offer, our_credentials(self._settings, token_b))
        except HandshakeFailed:
            await self._connections.abandon(name)
            raise
        return await self._connections.activate(
            name,
            theirs,
            version=offer.dialect.version,
            endpoints=offer.endpoints,
            server_token=token_b,
            power_factor=power_factor,
            token_form=handshake.form_in(offer.dialect),
        )

    async def rotate(self, connection: Connection) -> Connection:
        """New tokens both ways, and the highest version that both sides speak by now (§7.2.3).

        Both of the CPO's tokens are good until it first uses the new one. ``connection`` must be active.
        """
        if connection.client_token is None:
            raise HandshakeFailed(Failure.REFUSED, "there is no token to call the CPO with")
        handshake = _Handshake(
            self._peers.transport,
            self._settings,
            connection.versions_url,
            connection.client_token,
            connection.client_token_form,
        )
        offer = await handshake.offer()
        _, token_b = await self._connections.begin(
            connection.name, connection.versions_url, power_factor=connection.power_factor
        )
        try:
            theirs = await handshake.exchange("PUT", offer, our_credentials(self._settings, token_b))
        except HandshakeFailed as error:
            # Where it is not known what became of it, the CPO may call with the new token from now on.
            if isinstance(error.__cause__, PeerRefused | PeerNotReached):
                await self._connections.abandon(connection.name)
            raise
        return await self._connections.activate(
            connection.name,
            theirs,
            version=offer.dialect.version,
            endpoints=offer.endpoints,
            server_token=token_b,
            replaces_at_once=False,
            token_form=handshake.form_in(offer.dialect),
        )

    async def accept(self, caller: Caller, theirs: Credentials, version: str) -> Credentials:
        """The CPO starts the handshake, or renews it (PUT): our side of the exchange (§7.2.2, §7.2.3).

        ``version`` is the one whose endpoint it called: it is spoken from now on. The token in the answer is new each
        time. At a renewal the CPO's former one is good until it uses the new one.
        """
        form = caller.connection.sends_token_form or form_of(DIALECTS[version])
        handshake = _Handshake(self._peers.transport, self._settings, theirs.url, theirs.token, form)
        offer = await handshake.offer(version)
        server_token = new_token()
        await self._connections.activate(
            caller.connection.name,
            theirs,
            version=version,
            endpoints=offer.endpoints,
            server_token=server_token,
            replaces_at_once=not caller.connection.is_active,
            token_form=handshake.form_in(offer.dialect),
        )
        return our_credentials(self._settings, server_token)

    async def unregister(self, connection: Connection) -> None:
        """Undo the registration at both sides; ours also when the CPO cannot be told (§7.2.4)."""
        url = connection.endpoint("credentials")
        if connection.is_active and connection.client_token and url:
            try:
                await self._peers.transport.call(
                    "DELETE",
                    url,
                    connection.client_token,
                    form=connection.client_token_form,
                    with_ids=connection.dialect.has_routing,
                    about={"module": "credentials", "connection_id": connection.id},
                )
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


@dataclass(frozen=True)
class _Offer:
    """A version that both sides speak, and where the peer has its modules in it."""

    dialect: Dialect
    endpoints: list[Endpoint]


class _Handshake:
    """What both directions share: the peer's versions, its endpoints, the exchange of credentials.

    ``form`` is how the peer wants our token: what is given, until a 401 to a GET says that it is the other one.
    """

    def __init__(
        self, transport: Transport, settings: Settings, versions_url: str, token: str, form: TokenForm = "base64"
    ) -> None:
        self._transport = transport
        self._allow_private = settings.allow_private_peers
        self._versions_url = versions_url
        self._token = token
        self._form = form
        self._with_ids = True

    async def offer(self, version: str | None = None) -> _Offer:
        """The peer's endpoints in ``version``, else in the highest that both speak; all on its own host, those that
        we need among them.
        """
        await self._check(self._versions_url)
        theirs = await self._get(self._versions_url, TypeAdapter(list[Version]))
        urls = {offered.version.strip(): offered.url for offered in reversed(theirs)}
        chosen = next((v for v in DIALECTS if v in urls and version in (None, v)), None)
        if chosen is None:
            raise HandshakeFailed(Failure.VERSION, f"the CPO does not offer OCPI {version or ', '.join(DIALECTS)}")
        await self._check(urls[chosen])
        spoken = DIALECTS[chosen]
        self._with_ids = spoken.has_routing
        if version is None and not spoken.encodes_token:
            self._form = form_of(spoken)
        detail = await self._get(urls[chosen], TypeAdapter(VersionDetail), spoken, "version_detail")
        for endpoint in detail.endpoints:
            self._check_host(endpoint.url)
        self._require(detail.endpoints)
        return _Offer(spoken, detail.endpoints)

    async def exchange(self, method: Literal["POST", "PUT"], offer: _Offer, ours: Credentials) -> Credentials:
        """Send our credentials; the CPO's own are the answer."""
        url = next(endpoint.url for endpoint in offer.endpoints if fold(endpoint.identifier) == "CREDENTIALS")
        body = offer.dialect.write("credentials", to_wire(ours))
        data = await self._call(method, url, body)
        theirs = _shaped(data, TypeAdapter(Credentials), offer.dialect, "credentials")
        self._check_host(theirs.url)
        return theirs

    def form_in(self, spoken: Dialect) -> TokenForm | None:
        """The form that the peer has taken our token in; None where that is the one of its version."""
        return None if self._form == form_of(spoken) else self._form

    async def _get(self, url: str, shape: TypeAdapter[T], spoken: Dialect | None = None, kind: Kind | None = None) -> T:
        try:
            data = await self._call("GET", url)
        except HandshakeFailed as error:
            if not isinstance(error.__cause__, PeerRefused) or error.__cause__.http_status != 401:
                raise
            self._form = "raw" if self._form == "base64" else "base64"
            data = await self._call("GET", url)
        return _shaped(data, shape, spoken, kind)

    async def _call(self, method: str, url: str, body: Body | None = None) -> Any:
        try:
            answer = await self._transport.call(
                method,
                url,
                self._token,
                body=body,
                form=self._form,
                with_ids=self._with_ids,
                may_be_bare=method == "GET",
                about={"module": "versions" if body is None else "credentials"},
            )
        except PeerForbidden as error:
            raise HandshakeFailed(Failure.URL_REFUSED, str(error)) from error
        except PeerRefused as error:
            if 300 <= error.http_status < 400:
                raise HandshakeFailed(Failure.URL_REFUSED, "the URL redirects: give the one it leads to") from error
            raise HandshakeFailed(Failure.REFUSED, str(error)) from error
        except PeerError as error:
            raise HandshakeFailed(Failure.UNREACHABLE, str(error)) from error
        return answer.envelope.data

    def _require(self, endpoints: list[Endpoint]) -> None:
        # An endpoint of 2.1.1 has no role.
        offered = {(fold(endpoint.identifier), role) for endpoint in endpoints for role in _roles(endpoint)}
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


def _roles(endpoint: Endpoint) -> tuple[str, ...]:
    return ("SENDER", "RECEIVER") if endpoint.role is None else (endpoint.role,)


def _shaped(data: Any, shape: TypeAdapter[T], spoken: Dialect | None, kind: Kind | None) -> T:
    """``data`` of a peer as what it should be; read in its version, where that is known."""
    if spoken is not None and kind is not None and isinstance(data, dict):
        data = spoken.read(kind, data)
    try:
        return shape.validate_python(data)
    except ValidationError as error:
        raise HandshakeFailed(Failure.UNREADABLE, "the answer is not what OCPI asks for") from error
