"""What this CPO sends: session updates, CDRs, results, EVSE statuses, invoices; in the version of each peer.

Each message is tried once (OCPI 2.2.1 §4.1): what a peer missed it pulls from our lists. Only a PATCH that was
refused is followed by the whole object. What it asks: whether a token may charge.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import httpx

from charging.ocpi import wire
from charging.ocpi.versions import Body, dialect
from charging.sandbox.accents import partial_location
from charging.sandbox.locations import COUNTRY_CODE, LOCATION_ID, PARTY_ID
from charging.sandbox.quirks import Quirk, QuirkBook
from charging.sandbox.registration import Peer, authorization_of
from charging.sandbox.wording import worded

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Push:
    """A session message on its way, worded for its peer: PUT of the whole object, or PATCH of what changed."""

    method: str
    session_id: str
    message: dict[str, Any]
    party_id: str = PARTY_ID

    def with_changes(self, **changes: Any) -> "Push":
        """The same with other fields in its message."""
        return replace(self, message={**self.message, **changes})


class Pusher:
    """Calls eMSPs. Nothing here raises when a peer fails: the answer is False."""

    def __init__(self, client: httpx.AsyncClient, quirks: QuirkBook) -> None:
        self._client = client
        self._quirks = quirks
        self._in_flight: set[asyncio.Task[wire.Envelope | None]] = set()

    async def aclose(self, patience_s: float = 2.0) -> None:
        """Let what is on its way arrive; then break off."""
        if not self._in_flight:
            return
        _, late = await asyncio.wait(self._in_flight, timeout=patience_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def session(self, peer: Peer, push: Push) -> bool:
        """PUT or PATCH a session (OCPI 2.2.1 §9.2.2)."""
        base = self._base(peer, "sessions")
        if base is None:
            return False
        url = wire.join_url(base, COUNTRY_CODE, push.party_id, push.session_id)
        return await self._send(peer, push.method, url, push.message)

    async def cdr(self, peer: Peer, cdr: Body) -> bool:
        """POST a CDR (OCPI 2.2.1 §10.2.2)."""
        url = self._base(peer, "cdrs")
        return url is not None and await self._send(peer, "POST", url, cdr)

    async def result(self, peer: Peer, url: str, body: dict[str, Any]) -> bool:
        """POST the asynchronous result of a command or profile call to its ``response_url``."""
        return await self._send(peer, "POST", url, body)

    async def invoice(self, peer: Peer, body: Body) -> bool:
        """POST an InvoiceReconciliationRecord (OCPI 2.3.0)."""
        url = self._base(peer, "invoicereconciliation")
        return url is not None and await self._send(peer, "POST", url, body)

    async def authorization(self, peer: Peer, uid: str, kind: str, evse_uid: str) -> Body | None:
        """Ask whether a token may charge (OCPI 2.2.1 §12.2.1.2): the AuthorizationInfo; an empty one where the peer
        does not know the token. None: it cannot be asked.
        """
        if peer.tokens_url is None:
            return None
        url = f"{wire.join_url(peer.tokens_url, uid, 'authorize')}?{urlencode({'type': kind})}"
        answer = await self._ask(peer, "POST", url, {"location_id": LOCATION_ID, "evse_uids": [evse_uid]})
        if answer is None or answer.status_code >= wire.SERVER_ERROR:
            return None
        info = answer.data if answer.is_success and isinstance(answer.data, dict) else {}
        return dialect(peer.version).read("authorization_info", info, peer.party)

    async def evse_status(self, peer: Peer, evse_uid: str, message: dict[str, Any]) -> bool:
        """PATCH an EVSE (OCPI 2.2.1 §8.2.2)."""
        base = self._base(peer, "locations")
        if base is None:
            return False
        url = wire.join_url(base, COUNTRY_CODE, PARTY_ID, LOCATION_ID)
        if Quirk.PARTIAL_EVSES in self._quirks:
            body = worded("location", partial_location(evse_uid, message), peer.version, self._quirks)
            return await self._send(peer, "PATCH", url, body)
        body = worded("evse", message, peer.version, self._quirks)
        return await self._send(peer, "PATCH", wire.join_url(url, evse_uid), body)

    def _base(self, peer: Peer, module: str) -> str | None:
        """The URL for objects of ``module``; None where nothing is pushed."""
        return None if Quirk.NO_PUSHES in self._quirks else peer.endpoint(module)

    async def _send(self, peer: Peer, method: str, url: str, body: Any) -> bool:
        answer = await self._ask(peer, method, url, body)
        return answer is not None and answer.is_success

    async def _ask(self, peer: Peer, method: str, url: str, body: Any) -> wire.Envelope | None:
        """One attempt, which goes on if the caller is cancelled: half a request is worse than one too many."""
        task = asyncio.create_task(self._request(peer, method, url, body))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        return await asyncio.shield(task)

    async def _request(self, peer: Peer, method: str, url: str, body: Any) -> wire.Envelope | None:
        """The answer, which may be a no; None where there is none."""
        headers = self._headers(peer)
        try:
            response = await self._client.request(method, url, content=wire.dumps(body), headers=headers)
            envelope = wire.read_envelope(wire.loads(response.content))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            _log.warning("%s %s: %s", method, url, type(error).__name__)
            return None
        if not response.is_success or envelope is None or not envelope.is_success:
            _log.warning("%s %s: HTTP %s", method, url, response.status_code)
        # A success by OCPI that is an error by HTTP is neither.
        return envelope if envelope is None or response.is_success or not envelope.is_success else None

    def _headers(self, peer: Peer) -> dict[str, str]:
        theirs, quirks = dialect(peer.version), self._quirks
        token = peer.server_token if Quirk.WRONG_TOKEN in quirks else peer.client_token
        raw = quirks.sends_raw_tokens or not theirs.encodes_token
        headers = {wire.AUTHORIZATION: authorization_of(token, raw=raw), "Content-Type": "application/json"}
        if not theirs.has_routing:
            return headers
        headers |= {wire.REQUEST_ID: secrets.token_hex(16), wire.CORRELATION_ID: secrets.token_hex(16)}
        sender = wire.Party("NL", "HUB") if Quirk.FOREIGN_HEADER in quirks else wire.Party(COUNTRY_CODE, PARTY_ID)
        return headers if Quirk.NO_ROUTING in quirks else headers | wire.routing_headers(sender, peer.party)
