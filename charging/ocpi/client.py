"""What we call at a CPO: commands, charging profiles, and the lists of its objects.

Here all is OCPI 2.2.1; what crosses the wire is in the CPO's version. Section numbers are those of 2.2.1.
"""

import logging
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import urljoin

from pydantic import ValidationError

from charging.errors import PeerNotReached, PeerOutcomeUnknown, PeerRefused
from charging.ocpi.models import (
    ChargingProfileResponse,
    CommandResponse,
    OcpiModel,
    SetChargingProfile,
    StartSession,
    StopSession,
    to_wire,
)
from charging.ocpi.peer_url import same_host
from charging.ocpi.transport import Answer, Transport
from charging.ocpi.versions import Kind
from charging.ocpi.wire import NO_MATCHING_ENDPOINTS, Party, format_datetime, join_url, next_link, routing_headers
from charging.store.connections import Connection

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=OcpiModel)

PAGE_LIMIT: Final = 100
MAX_PAGES: Final = 1000


class CpoClient:
    """One CPO, as the eMSP calls it. Every method raises ``PeerNotReached``, ``PeerOutcomeUnknown``, ``PeerRefused``.

    ``party`` is the CPO addressed in the routing headers, where the platform speaks for several.
    """

    def __init__(self, transport: Transport, connection: Connection, us: Party, party: Party | None = None) -> None:
        self.connection = connection
        self._transport = transport
        self._dialect = connection.dialect
        receiver = party or connection.party
        self._owner = receiver
        is_routed = receiver is not None and self._dialect.has_routing
        self._routing = routing_headers(us, receiver) if receiver is not None and is_routed else {}

    @property
    def version(self) -> str:
        """The version of OCPI that the CPO speaks with us."""
        return self._dialect.version

    async def start_session(self, command: StartSession) -> CommandResponse:
        """START_SESSION (§13.2.1). The answer only says that the CPO understood; the Session comes later, or not."""
        return await self._command("START_SESSION", "start_session", command)

    async def stop_session(self, command: StopSession) -> CommandResponse:
        """STOP_SESSION (§13.2.1). Safe to repeat."""
        return await self._command("STOP_SESSION", "stop_session", command)

    async def _command(self, name: str, kind: Kind, command: OcpiModel) -> CommandResponse:
        url = join_url(self._endpoint("commands", "RECEIVER"), name)
        data = (await self._call("POST", url, body=self._dialect.write(kind, to_wire(command)))).envelope.data
        return _parsed(
            self._dialect.read("command_response", data) if isinstance(data, dict) else data, CommandResponse
        )

    async def set_charging_profile(self, ocpi_session_id: str, profile: SetChargingProfile) -> ChargingProfileResponse:
        """PUT a profile (§14.2.1): it replaces the one before. The charge point's word comes to ``response_url``."""
        url = self._profile_url(ocpi_session_id)
        answer = await self._call("PUT", url, body=to_wire(profile))
        return _parsed(answer.envelope.data, ChargingProfileResponse)

    async def clear_charging_profile(self, ocpi_session_id: str, response_url: str) -> ChargingProfileResponse:
        """DELETE the profile (§14.2.1): full power again."""
        answer = await self._call("DELETE", self._profile_url(ocpi_session_id), params={"response_url": response_url})
        return _parsed(answer.envelope.data, ChargingProfileResponse)

    async def active_charging_profile(
        self, ocpi_session_id: str, duration_s: int, response_url: str
    ) -> ChargingProfileResponse:
        """Ask for the profile in force over the next ``duration_s`` seconds (§14.2.1)."""
        params = {"duration": str(duration_s), "response_url": response_url}
        answer = await self._call("GET", self._profile_url(ocpi_session_id), params=params)
        return _parsed(answer.envelope.data, ChargingProfileResponse)

    def _profile_url(self, ocpi_session_id: str) -> str:
        return join_url(self._endpoint("chargingprofiles", "RECEIVER"), ocpi_session_id)

    def sessions(self, date_from: datetime, date_to: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
        """Sessions last updated in [``date_from``, ``date_to``) (§9.2.1). There is no get-by-id in OCPI."""
        return self._objects("sessions", "session", date_from, date_to)

    def cdrs(self, date_from: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
        """CDRs last updated since ``date_from`` (§10.2.1), as received: a CDR is kept so (``Receiver.cdr_object``)."""
        return self._objects("cdrs", None, date_from)

    def locations(self, date_from: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
        """Locations last updated since ``date_from`` (§8.2.1)."""
        return self._objects("locations", "location", date_from)

    def tariffs(self, date_from: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
        """Tariffs last updated since ``date_from`` (§11.2.1)."""
        return self._objects("tariffs", "tariff", date_from)

    async def _objects(
        self, module: str, kind: Kind | None, date_from: datetime | None, date_to: datetime | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Every object of every page; ``kind`` None: as received. The ``Link`` is followed as it stands (§4.1.4)."""
        url: str | None = self._endpoint(module, "SENDER")
        bounds = {"date_from": date_from, "date_to": date_to}
        given = {name: format_datetime(moment) for name, moment in bounds.items() if moment is not None}
        params: dict[str, str] | None = {**given, "limit": str(PAGE_LIMIT)}
        correlation_id = str(uuid.uuid4())
        seen: set[str] = set()
        while url is not None and len(seen) < MAX_PAGES:
            seen.add(url)
            answer = await self._call("GET", url, params=params, correlation_id=correlation_id, may_be_bare=True)
            for item in _list(answer):
                yield item if kind is None else self._dialect.read(kind, item, self._owner)
            url, params = self._next(url, answer, seen), None

    def _next(self, url: str, answer: Answer, seen: set[str]) -> str | None:
        link = next_link(answer.headers.get("Link"))
        if link is None:
            return None
        target = urljoin(url, link)
        if not same_host(target, url):
            # The request carries our token: it goes to the peer that was registered and to nobody else.
            raise PeerRefused("the next page is on another host", http_status=200, status_code=None)
        if target in seen:
            logger.warning("a Link leads back to a page already read", extra={"cpo": self.connection.name})
            return None
        return target

    def _endpoint(self, module: str, role: str) -> str:
        url = self.connection.endpoint(module, role) if module in self._dialect.modules else None
        if url is None:
            raise PeerRefused(f"the CPO offers no {module}", http_status=404, status_code=NO_MATCHING_ENDPOINTS)
        return url

    async def _call(self, method: str, url: str, **options: Any) -> Answer:
        if not self.connection.is_active or self.connection.client_token is None:
            raise PeerNotReached("the connection is not active")
        return await self._transport.call(
            method,
            url,
            self.connection.client_token,
            headers=self._routing,
            form=self.connection.client_token_form,
            with_ids=self._dialect.has_routing,
            **options,
        )


def _parsed(data: Any, model: type[Model]) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # The CPO said success in words that we do not understand: it may have done it.
        raise PeerOutcomeUnknown(f"an answer that is no {model.__name__}") from error


def _list(answer: Answer) -> list[dict[str, Any]]:
    data = answer.envelope.data
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
