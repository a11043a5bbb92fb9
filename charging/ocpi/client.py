"""What we call at a CPO: commands, charging profiles, and the lists of its objects.

Here all is OCPI 2.2.1; what crosses the wire is in the CPO's version. Section numbers are those of 2.2.1.
"""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urljoin

from pydantic import ValidationError

from charging.errors import PeerNotReached, PeerOutcomeUnknown, PeerRefused
from charging.ocpi.findings import Answered
from charging.ocpi.health import PeerHealth
from charging.ocpi.models import (
    CancelReservation,
    ChargingPreferences,
    ChargingProfileResponse,
    CommandResponse,
    OcpiModel,
    ReserveNow,
    SetChargingProfile,
    StartSession,
    StopSession,
    UnlockConnector,
    to_wire,
)
from charging.ocpi.peer_url import same_host
from charging.ocpi.transport import Answer, Exchange, Transport
from charging.ocpi.versions import Kind
from charging.ocpi.versions.v211 import V211
from charging.ocpi.wire import (
    NO_MATCHING_ENDPOINTS,
    TOTAL_COUNT,
    VERSION,
    Party,
    format_datetime,
    join_url,
    next_link,
    routing_headers,
)
from charging.store.connections import Connection

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=OcpiModel)

PAGE_LIMIT: Final = 100
MAX_PAGES: Final = 1000
PAGE_RETRIES: Final = 2
_MAX_TOTAL: Final = 18  # digits of a count that is worth reading
_KINDS: Final[dict[str, Kind]] = {"sessions": "session", "locations": "location", "tariffs": "tariff"}


@dataclass(frozen=True)
class Page:
    """One page of a list. ``objects`` as received; ``is_list`` False where the answer was no list at all.

    ``next_url`` None: the last page. ``total``: ``X-Total-Count``, where it is a number.
    """

    url: str
    objects: list[dict[str, Any]]
    next_url: str | None
    total: int | None
    is_list: bool


class Observer(Protocol):
    """Whoever looks at a peer's answers: ``charging.ocpi.doctor``, or a check."""

    def wants(self, connection_id: str, module: str, size: int) -> bool:
        """Whether to look at this one."""
        ...

    def answered(self, connection_id: str, answer: Answered) -> None:
        """Look at an answer."""
        ...


class CpoClient:
    """One CPO, as the eMSP calls it. Every method raises ``PeerNotReached``, ``PeerOutcomeUnknown``, ``PeerRefused``.

    ``party`` is the CPO addressed in the routing headers, where the platform speaks for several. Without it, lists
    are asked of a hub as a whole, and a command leaves it to the hub to find the CPO. A CPO that its hub calls
    OFFLINE is not called.
    """

    def __init__(
        self,
        transport: Transport,
        connection: Connection,
        us: Party,
        party: Party | None = None,
        *,
        health: PeerHealth | None = None,
        doctor: Observer | None = None,
    ) -> None:
        self.connection = connection
        self._transport = transport
        self._health = health or PeerHealth()
        self._doctor = doctor
        self._us = us
        self._party = party
        self._dialect = connection.dialect

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

    async def reserve_now(self, command: ReserveNow) -> CommandResponse:
        """RESERVE_NOW (§13.2.1). Safe to repeat: the same ``reservation_id`` replaces."""
        return await self._command("RESERVE_NOW", "reserve_now", command)

    async def cancel_reservation(self, command: CancelReservation) -> CommandResponse:
        """CANCEL_RESERVATION (§13.2.1). Safe to repeat. 2.1.1 has no such command."""
        if self.version == V211.version:
            raise PeerRefused("OCPI 2.1.1 cannot cancel a reservation", http_status=404, status_code=None)
        return await self._command("CANCEL_RESERVATION", "cancel_reservation", command)

    async def unlock_connector(self, command: UnlockConnector) -> CommandResponse:
        """UNLOCK_CONNECTOR (§13.2.1). Safe to repeat."""
        return await self._command("UNLOCK_CONNECTOR", "unlock_connector", command)

    async def _command(self, name: str, kind: Kind, command: OcpiModel) -> CommandResponse:
        url, body = join_url(self._endpoint("commands", "RECEIVER"), name), self._dialect.write(kind, to_wire(command))
        data = (await self._call("POST", url, is_stop=name == "STOP_SESSION", body=body)).envelope.data
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

    async def set_charging_preferences(self, ocpi_session_id: str, preferences: ChargingPreferences) -> str:
        """PUT what the driver wants (§9.2.1.2): ACCEPTED, DEPARTURE_REQUIRED, ENERGY_NEED_REQUIRED, NOT_POSSIBLE or
        PROFILE_TYPE_NOT_SUPPORTED. The last one sent counts.
        """
        url = join_url(self._endpoint("sessions", "SENDER"), ocpi_session_id, "charging_preferences")
        response = (await self._call("PUT", url, body=to_wire(preferences))).envelope.data
        if not isinstance(response, str):
            raise PeerOutcomeUnknown("an answer that is no ChargingPreferencesResponse")
        return response

    async def put_token(self, token: dict[str, Any]) -> None:
        """PUT one of our Tokens, whole (§12.2.2.2)."""
        await self._token("PUT", token, token)

    async def patch_token(self, token: dict[str, Any], changes: dict[str, Any]) -> None:
        """PATCH what has changed of one of our Tokens (§12.2.2.3), ``last_updated`` among it."""
        await self._token("PATCH", token, changes)

    async def _token(self, method: str, token: dict[str, Any], body: dict[str, Any]) -> None:
        url = join_url(self._endpoint("tokens", "RECEIVER"), token["country_code"], token["party_id"], token["uid"])
        wire = self._dialect.write("token", body)
        await self._call(method, url, body=wire, params={"type": self._dialect.write("token", token)["type"]})

    def _profile_url(self, ocpi_session_id: str) -> str:
        return join_url(self._endpoint("chargingprofiles", "RECEIVER"), ocpi_session_id)

    def sessions(self, date_from: datetime, date_to: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
        """Sessions last updated in [``date_from``, ``date_to``) (§9.2.1). There is no get-by-id in OCPI."""
        return self._objects("sessions", date_from, date_to)

    def cdrs(self, date_from: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
        """CDRs last updated since ``date_from`` (§10.2.1), as received: a CDR is kept so (``Receiver.cdr_object``)."""
        return self._objects("cdrs", date_from)

    def locations(self, date_from: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
        """Locations last updated since ``date_from`` (§8.2.1)."""
        return self._objects("locations", date_from)

    def tariffs(self, date_from: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
        """Tariffs last updated since ``date_from`` (§11.2.1)."""
        return self._objects("tariffs", date_from)

    def client_infos(self, date_from: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
        """The parties behind a hub, as changed since ``date_from`` (§15.2.1)."""
        return self._objects("hubclientinfo", date_from)

    async def _objects(
        self, module: str, date_from: datetime | None, date_to: datetime | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Every object of every page, as ``page`` gives them."""
        correlation_id = str(uuid.uuid4())
        page = await self.page(module, date_from=date_from, date_to=date_to, correlation_id=correlation_id)
        seen = {page.url}
        while True:
            for item in page.objects:
                yield item
            if page.next_url is None or len(seen) >= MAX_PAGES:
                return
            if page.next_url in seen:
                logger.warning("a Link leads back to a page already read", extra={"cpo": self.connection.name})
                return
            seen.add(page.next_url)
            page = await self.page(module, page.next_url, correlation_id=correlation_id)

    async def page(
        self,
        module: str,
        url: str | None = None,
        *,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
        correlation_id: str | None = None,
    ) -> Page:
        """One page of a list: the first, or the one at ``url``, to which the ``Link`` before led (§4.1.4).

        A ``url`` has the bounds in it and is read as it stands.
        """
        start = self._endpoint(module, "SENDER")
        if url is not None and not same_host(url, start):
            # The request carries our token: it goes to the peer that was registered and to nobody else.
            raise PeerRefused("the next page is on another host", http_status=200, status_code=None)
        bounds = {"date_from": date_from, "date_to": date_to}
        given = {name: format_datetime(moment) for name, moment in bounds.items() if moment is not None}
        params = None if url else {**given, "limit": str(PAGE_LIMIT)}
        # Configuration modules have no routing headers (§4.1.3).
        headers = {} if module == "hubclientinfo" else self._to_all()
        answer = await self._read(url or start, headers=headers, params=params, correlation_id=correlation_id)
        total = (answer.headers.get(TOTAL_COUNT) or "").strip()
        return Page(
            url=url or start,
            objects=[self._canonical(module, item) for item in _list(answer)],
            next_url=_next(url or start, answer),
            total=int(total) if total.isdecimal() and len(total) <= _MAX_TOTAL else None,
            is_list=isinstance(answer.envelope.data, list),
        )

    async def _read(self, url: str, **options: Any) -> Answer:
        """One page. A stumble half-way must not cost a long list: tried again, within the time of one call."""
        until = time.monotonic() + self._transport.timeout_s
        for attempt in range(PAGE_RETRIES):
            try:
                return await self._call("GET", url, may_be_bare=True, **options)
            except PeerOutcomeUnknown as error:
                pause = 0.1 * 2**attempt * (1 + random.random())  # noqa: S311 - so that many do not come back as one
                if error.retry_after_s is not None or time.monotonic() + pause > until:
                    raise
                await asyncio.sleep(pause)
        return await self._call("GET", url, may_be_bare=True, **options)

    def _endpoint(self, module: str, role: str) -> str:
        url = self.connection.endpoint(module, role) if module in self._dialect.modules else None
        if url is None:
            raise PeerRefused(f"the CPO offers no {module}", http_status=404, status_code=NO_MATCHING_ENDPOINTS)
        return url

    async def _call(
        self, method: str, url: str, *, is_stop: bool = False, headers: dict[str, str] | None = None, **options: Any
    ) -> Answer:
        token = self.connection.client_token
        if not self.connection.is_active or token is None:
            raise PeerNotReached("the connection is not active")
        if self._party and self.connection.is_away(self._party.country_code, self._party.party_id):
            raise PeerNotReached("the hub says that this CPO is not connected")
        async with self._health.call(self.connection, url, is_stop=is_stop):
            routing = self._to_cpo() if headers is None else headers
            return await self._transport.call(
                method,
                url,
                token,
                headers=routing if self._dialect.has_routing else {},
                form=self.connection.client_token_form,
                with_ids=self._dialect.has_routing,
                seen=self._show_doctor,
                about={"module": self.connection.module_of(url), "connection_id": self.connection.id},
                **options,
            )

    def _show_doctor(self, exchange: Exchange) -> None:
        module = self.connection.module_of(exchange.url)
        if self._doctor is None or not self._doctor.wants(self.connection.id, module, len(exchange.body)):
            return
        self._doctor.answered(self.connection.id, answered(exchange, self.connection, module))

    def _to_cpo(self) -> dict[str, str]:
        """Routing headers of a call about one CPO; of a hub that has to find it, without a receiver (§4.2.4)."""
        if self.connection.hub is None:
            return self._to(self.connection.party)
        return routing_headers(self._us, self._party)

    def _to_all(self) -> dict[str, str]:
        """Routing headers of a list: a hub answers it for all that are behind it (§4.2.3)."""
        return self._to(self.connection.hub or self.connection.party)

    def _to(self, platform: Party | None) -> dict[str, str]:
        receiver = self._party or platform
        return {} if receiver is None else routing_headers(self._us, receiver)

    def _canonical(self, module: str, item: dict[str, Any]) -> dict[str, Any]:
        """``item`` of a list in 2.2.1; a CDR as received: it is kept so."""
        kind = _KINDS.get(module)
        return self._dialect.read(kind, item, self._party or self.connection.party) if kind else item


def answered(exchange: Exchange, connection: Connection, module: str) -> Answered:
    """One exchange as the linter looks at it."""
    return Answered(
        version=connection.version or VERSION,
        module=module,
        method=exchange.method,
        url=exchange.url,
        http_status=exchange.http_status,
        sent=exchange.sent,
        headers=exchange.headers,
        body=exchange.body,
        roles=connection.parties,
    )


def _next(url: str, answer: Answer) -> str | None:
    link = next_link(answer.headers.get("Link"))
    try:
        return None if link is None else urljoin(url, link)
    except ValueError:
        return link  # no URL: refused when it is asked for, so that the list does not seem to be whole


def _parsed(data: Any, model: type[Model]) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # The CPO said success in words that we do not understand: it may have done it.
        raise PeerOutcomeUnknown(f"an answer that is no {model.__name__}") from error


def _list(answer: Answer) -> list[dict[str, Any]]:
    data = answer.envelope.data
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
