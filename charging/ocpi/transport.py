"""One OCPI request over HTTP, and what became of it.

The outcome decides whether a command may be sent again, so every failure is one of three:
``PeerNotReached`` before a byte left, or turned away by 429, ``PeerRefused`` when the peer's answer is no,
``PeerOutcomeUnknown`` otherwise.
"""

import asyncio
import logging
import ssl
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final

import httpx
from httpx_secure import SSRFProtectionError, httpx_ssrf_protection

from charging import tracing
from charging.errors import PeerError, PeerNotReached, PeerOutcomeUnknown, PeerRefused
from charging.ocpi.call_lines import our_call
from charging.ocpi.peer_url import may_be_private_peer
from charging.ocpi.wire import (
    AUTHORIZATION,
    CORRELATION_ID,
    HUB_TIMEOUT,
    REQUEST_ID,
    SUCCESS,
    Envelope,
    MalformedJson,
    TokenForm,
    dumps,
    encode_token,
    loads,
    read_envelope,
)

logger = logging.getLogger(__name__)

MAX_RESPONSE_BYTES: Final = 10 * 1024 * 1024
# Shorter than the five seconds after which common servers drop an idle connection: a request on one that is just
# being closed has an unknown outcome, and START is never sent twice.
KEEPALIVE_S: Final = 3


class PeerForbidden(PeerNotReached):
    """The URL leads to a loopback, private or otherwise not public address; nothing was sent."""


@dataclass(frozen=True)
class Answer:
    """A successful answer: its envelope and headers."""

    envelope: Envelope
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Exchange:
    """One request and its answer as they were on the wire, for whoever looks at peers. Headers in lower case.

    ``sent`` holds no token.
    """

    method: str
    url: str
    sent: Mapping[str, str]
    http_status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """The shared HTTP client to all peers. Follows no redirect, reads no proxy variables, cuts endless bodies.

    The address is checked at connection level, so a DNS answer that changes between check and use gains nothing:
    unless ``allow_private`` it must be a public one, and in no case one where no peer can be. ``timeout_s`` is for one
    whole request, slow bodies included.
    """

    def __init__(self, *, timeout_s: float, allow_private: bool) -> None:
        self.timeout_s = timeout_s
        self._http = guarded_client(timeout_s, allow_private=allow_private, most=500)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def call(
        self,
        method: str,
        url: str,
        token: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        correlation_id: str | None = None,
        form: TokenForm = "base64",
        with_ids: bool = True,
        may_be_bare: bool = False,
        seen: Callable[[Exchange], None] | None = None,
        about: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; the answer is a success. Raises ``PeerError``'s three kinds.

        ``with_ids`` False leaves out the request and correlation ids, which 2.1.1 does not know. ``may_be_bare``: a
        2xx without an envelope is taken as its data, as it is safe for what only reads. ``seen`` is told of every
        answer, also of one that is none of OCPI. ``about``: what the line in the log says besides.
        """
        ids = {
            REQUEST_ID: str(uuid.uuid4()),
            CORRELATION_ID: correlation_id or tracing.correlation_id() or str(uuid.uuid4()),
        }
        sent = {
            AUTHORIZATION: encode_token(token, form),
            **(ids if with_ids else {}),
            "Accept": "application/json",
            **({} if body is None else {"Content-Type": "application/json"}),
            **(headers or {}),
        }
        content = None if body is None else dumps(body)
        with our_call(method, about or {}, sent) as ended:
            status, received, raw = await self._exchange(method, url, content, params, sent)
            envelope = _envelope(raw)
            ended.http_status, ended.ocpi_status = status, envelope.status_code if envelope else None
            if seen is not None:
                told = {name.lower(): value for name, value in sent.items() if name != AUTHORIZATION}
                whole = str(httpx.URL(url).copy_merge_params(params or {}))
                seen(Exchange(method, whole, told, status, received, raw))
            bare = _bare(status, raw) if may_be_bare and envelope is None else None
            try:
                return Answer(bare or _judge(status, envelope), received)
            except PeerError as error:
                if status in (429, 503):
                    error.retry_after_s = retry_after(received.get("Retry-After"), datetime.now(UTC))
                raise

    async def fetch(self, url: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """GET what is not OCPI, with all that holds for peers: status, headers and body, whatever they are.

        Raises ``PeerNotReached`` or ``PeerOutcomeUnknown``.
        """
        return await self._exchange("GET", url, None, None, dict(headers))

    async def _exchange(
        self, method: str, url: str, content: bytes | None, params: Mapping[str, str] | None, headers: dict[str, str]
    ) -> tuple[int, httpx.Headers, bytes]:
        about = {"http.request.method": method}
        if CORRELATION_ID in headers:
            about |= {"ocpi.correlation_id": headers[CORRELATION_ID], "ocpi.request_id": headers[REQUEST_ID]}
        with tracing.called(f"OCPI {method}", about):
            return await self._sent(method, url, content, params, headers)

    async def _sent(
        self, method: str, url: str, content: bytes | None, params: Mapping[str, str] | None, headers: dict[str, str]
    ) -> tuple[int, httpx.Headers, bytes]:
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                self._http.stream(method, url, content=content, params=params, headers=headers) as response,
            ):
                return response.status_code, response.headers, await _read(response)
        except SSRFProtectionError as error:
            raise PeerForbidden("the address is not one that a peer may have") from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise PeerNotReached(f"no connection: {type(error).__name__}") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise PeerNotReached("not a URL that can be called") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise PeerOutcomeUnknown(f"no answer: {type(error).__name__}") from error


def guarded_client(timeout_s: float, *, allow_private: bool, most: int) -> httpx.AsyncClient:
    """A client for URLs that strangers gave us, with ``most`` connections: what ``Transport`` says of itself."""
    timeout = httpx.Timeout(timeout_s, connect=min(5.0, timeout_s / 2), pool=min(5.0, timeout_s / 2))
    limits = httpx.Limits(max_connections=most, keepalive_expiry=KEEPALIVE_S)
    client = httpx.AsyncClient(timeout=timeout, limits=limits, verify=_tls(), follow_redirects=False, trust_env=False)
    if allow_private:
        httpx_ssrf_protection(
            client,
            dns_cache_ttl=60,
            check_globally_reachable=False,
            custom_validator=lambda host, address, port: may_be_private_peer(address),
        )
    else:
        httpx_ssrf_protection(client, dns_cache_ttl=60)
    return client


@lru_cache
def _tls() -> ssl.SSLContext:
    # Reading the certificate bundle takes longer than all the rest of making a client.
    return httpx.create_ssl_context(trust_env=False)


async def _read(response: httpx.Response) -> bytes:
    chunks, size = [], 0
    async for chunk in response.aiter_bytes():  # decompressed: a bomb is cut, too
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            raise PeerOutcomeUnknown("the answer has no end")
        chunks.append(chunk)
    return b"".join(chunks)


def _judge(http_status: int, envelope: Envelope | None) -> Envelope:
    """The envelope of a success: HTTP 2xx and OCPI 1xxx. Envelopes count on any HTTP status (docs/ocpi.md, Q32)."""
    code = None if envelope is None else envelope.status_code
    if envelope is not None and envelope.is_success and 200 <= http_status < 300:
        return envelope
    words = _words(http_status, envelope)
    if http_status == 429:
        raise PeerNotReached(words)  # turned away before anybody looked at it
    is_definite = code is not None and 2000 <= code < 3000  # the peer understood us and says no, even with a 5xx
    is_vague = http_status >= 500 or http_status == 408 or code == HUB_TIMEOUT
    is_unreadable = 200 <= http_status < 300 and code is None
    if not is_definite and (is_vague or is_unreadable):
        raise PeerOutcomeUnknown(words)
    raise PeerRefused(words, http_status=http_status, status_code=code)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from a ``Retry-After`` header: a number of them, or an HTTP date (RFC 9110 §10.2.3)."""
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()


def _bare(http_status: int, raw: bytes) -> Envelope | None:
    """The envelope that a peer forgot around its list or object; None where there is nothing to use."""
    try:
        body = loads(raw) if 200 <= http_status < 300 else None
    except MalformedJson:
        return None
    if not isinstance(body, dict | list):
        return None
    logger.warning("an answer without an OCPI envelope is taken as it is")
    return Envelope(SUCCESS, body.get("data", body) if isinstance(body, dict) else body)


def _envelope(raw: bytes) -> Envelope | None:
    try:
        return read_envelope(loads(raw))
    except MalformedJson:
        return None


def _words(http_status: int, envelope: Envelope | None) -> str:
    if envelope is None:
        return f"HTTP {http_status} without an OCPI envelope"
    message = f": {envelope.status_message[:200]}" if envelope.status_message else ""
    return f"HTTP {http_status}, OCPI {envelope.status_code}{message}"
