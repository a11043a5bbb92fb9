"""Versions and credentials (OCPI 2.2.1 §6, §7; 2.1.1 and 2.3.0 alike): how an eMSP becomes a peer of this CPO.

An eMSP POSTs its credentials with TOKEN_A; while it waits we call its versions back; it gets TOKEN_C. TOKEN_A opens
versions and credentials only. Unlike a real one it stays good for registering again, which replaces the party's
older registration: an engine whose store was thrown away can come back.
"""

import secrets
from typing import Any

import httpx
from pydantic import BaseModel

from charging.ocpi import wire
from charging.ocpi.models import Credentials, Version, VersionDetail
from charging.ocpi.versions import Body, Dialect
from charging.sandbox.locations import BUSINESS_NAME, COUNTRY_CODE, PARTY_ID


class HandshakeFailed(Exception):
    """The eMSP's own API cannot be used; ``status_code`` says why (OCPI 2.2.1 §7.2)."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


class Peer(BaseModel):
    """A registered eMSP. ``server_token`` is what it calls us with, ``client_token`` what we call it with.

    ``version``: the one that it registered at, and in which it is spoken to.
    """

    country_code: str
    party_id: str
    name: str
    version: str = wire.VERSION
    server_token: str
    client_token: str
    versions_url: str
    endpoints: dict[str, str]  # "sessions RECEIVER" → URL

    @property
    def key(self) -> str:
        """Its name among the peers."""
        return f"{self.country_code}*{self.party_id}".upper()

    @property
    def party(self) -> wire.Party:
        """Its party."""
        return wire.Party(self.country_code, self.party_id)

    def endpoint(self, module: str) -> str | None:
        """The URL to which we push objects of ``module``."""
        return self.endpoints.get(f"{module} RECEIVER")

    @property
    def tokens_url(self) -> str | None:
        """Where its tokens can be asked for. An endpoint of 2.1.1 has no role: it is known as a RECEIVER's."""
        return self.endpoints.get("tokens SENDER") or self.endpoints.get("tokens RECEIVER")


async def handshake(client: httpx.AsyncClient, credentials: Credentials, theirs: Dialect, *, raw: bool = False) -> Peer:
    """Call the eMSP back and make a peer of it, with a new token. ``theirs``: the version that it chose.

    ``raw``: call it without Base64. Raises ``HandshakeFailed``.
    """
    authorization = authorization_of(credentials.token, raw=raw or not theirs.encodes_token)
    versions = await _get(client, credentials.url, authorization)
    url = _url_of(theirs.version, versions)
    detail = await _get(client, url, authorization)
    known = _endpoints(detail, theirs)
    if "sessions RECEIVER" not in known:
        raise HandshakeFailed(wire.NO_MATCHING_ENDPOINTS, "sessions RECEIVER is needed")
    role = credentials.roles[0]
    return Peer(
        country_code=role.country_code,
        party_id=role.party_id,
        name=role.business_details.name,
        version=theirs.version,
        server_token=secrets.token_urlsafe(32),
        client_token=credentials.token,
        versions_url=credentials.url,
        endpoints=known,
    )


def authorization_of(token: str, *, raw: bool) -> str:
    """The ``Authorization`` header of ``token``: Base64, or ``raw`` as in 2.1.1."""
    return f"Token {token}" if raw else wire.encode_token(token)


def _endpoints(detail: Any, theirs: Dialect) -> dict[str, str]:
    """Where the eMSP takes what. Without interface roles (2.1.1), an eMSP's endpoint is the one that receives."""
    try:
        endpoints = VersionDetail.model_validate(detail).endpoints
    except ValueError as error:
        raise HandshakeFailed(wire.CANNOT_USE_CLIENT_API, "no version details") from error
    return {f"{one.identifier} {one.role if theirs.has_roles else 'RECEIVER'}": one.url for one in endpoints}


def _url_of(wanted: str, versions: Any) -> str:
    try:
        offered = [Version.model_validate(version) for version in versions]
    except (TypeError, ValueError) as error:
        raise HandshakeFailed(wire.CANNOT_USE_CLIENT_API, "no list of versions") from error
    for version in offered:
        if version.version == wanted:
            return version.url
    raise HandshakeFailed(wire.UNSUPPORTED_VERSION, f"{wanted} is needed")


async def _get(client: httpx.AsyncClient, url: str, authorization: str) -> Any:
    headers = {wire.AUTHORIZATION: authorization, wire.REQUEST_ID: secrets.token_hex(16)}
    try:
        response = await client.get(url, headers={**headers, wire.CORRELATION_ID: secrets.token_hex(16)})
        envelope = wire.read_envelope(wire.loads(response.content))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise HandshakeFailed(wire.CANNOT_USE_CLIENT_API, "your versions cannot be read") from error
    if not response.is_success or envelope is None or not envelope.is_success:
        raise HandshakeFailed(wire.CANNOT_USE_CLIENT_API, "your versions cannot be read")
    return envelope.data


def our_credentials(token: str, versions_url: str, theirs: Dialect) -> Body:
    """Our Credentials object (§7.3.1) with the token for one peer, in its version."""
    role = {
        "role": "CPO",
        "business_details": {"name": BUSINESS_NAME},
        "party_id": PARTY_ID,
        "country_code": COUNTRY_CODE,
    }
    return theirs.write("credentials", {"token": token, "url": versions_url, "roles": [role]})
