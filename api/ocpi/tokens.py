"""Tokens, sender interface: a CPO reads our tokens and asks whether one may charge (OCPI 2.2.1 §12.2.1)."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from api.ocpi.exchange import OcpiRefusal, module_router, not_found, peer, read_valid, reply, services, spoken
from charging.ocpi.models import LocationReferences
from charging.ocpi.wire import (
    INVALID_PARAMETERS,
    LIMIT,
    TOTAL_COUNT,
    UNKNOWN_TOKEN,
    fold,
    join_url,
    parse_datetime,
)
from charging.store.connections import Connection
from charging.store.tokens import KnownToken, TokenStore

router = module_router("tokens")

MAX_PAGE = 100

Peer = Annotated[Connection, Depends(peer)]


@router.get("")
async def list_tokens(
    request: Request,
    connection: Peer,
    date_from: str | None = None,
    date_to: str | None = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1)] = MAX_PAGE,
) -> Response:
    """One page of our tokens (§12.2.1.1), oldest first: stable ones, and one-time ones of the CPO's own sessions."""
    size = min(limit, MAX_PAGE)
    page, total = await TokenStore(services(request).database).page(
        connection.id, since=_moment(date_from), until=_moment(date_to), offset=offset, limit=size
    )
    headers = {TOTAL_COUNT: str(total), LIMIT: str(MAX_PAGE)}
    if offset + len(page) < total:
        headers["Link"] = f'<{_next_url(request, offset + size, size)}>; rel="next"'
    return reply([spoken(request).write("token", token) for token in page], headers=headers)


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_datetime(text.replace(" ", "+"))
    except ValueError as error:
        raise OcpiRefusal(INVALID_PARAMETERS, "date_from and date_to are DateTimes") from error


def _next_url(request: Request, offset: int, limit: int) -> str:
    # Under our public URL: what the request says of the host is what a proxy made of it.
    url = request.url.include_query_params(offset=offset, limit=limit)
    base = services(request).settings.public_url
    return join_url(base, *request.url.path.strip("/").split("/")) + f"?{url.query}"


@router.post("/{token_uid}/authorize")
async def authorize(
    request: Request, connection: Peer, token_uid: str, kind: Annotated[str, Query(alias="type")] = "RFID"
) -> Response:
    """Whether a token may charge (§12.2.1.2). Unknown: HTTP 404 and 2004. All known ones answer 200, also a no.

    A one-time token is good at the EVSE of its session and nowhere else, where the CPO says where; a stable one
    everywhere, each time under a reference of its own.
    """
    token = await TokenStore(services(request).database).find(token_uid, kind)
    if token is None or token.connection_id not in (None, connection.id):
        raise not_found("no such Token", status_code=UNKNOWN_TOKEN)
    place = await _place(request, connection)
    return reply(spoken(request).write("authorization_info", _authorization(token, place)))


async def _place(request: Request, connection: Connection) -> LocationReferences | None:
    if not (await request.body()).strip():
        return None
    body = await read_valid(request, connection, LocationReferences)
    return LocationReferences.model_validate(body)


def _authorization(token: KnownToken, place: LocationReferences | None) -> dict[str, Any]:
    allowed = _allowed(token, place)
    info: dict[str, Any] = {"allowed": allowed, "token": token.body}
    reference = uuid.uuid4().hex.upper() if token.is_stable else token.authorization_reference
    if allowed == "ALLOWED" and reference:
        info["authorization_reference"] = reference
    if allowed == "ALLOWED" and place is not None:
        evse_uids = [token.evse_uid] if token.evse_uid is not None else place.evse_uids
        info["location"] = {"location_id": place.location_id, **({"evse_uids": evse_uids} if evse_uids else {})}
    return info


def _allowed(token: KnownToken, place: LocationReferences | None) -> str:
    if not token.is_valid:
        return "BLOCKED" if token.is_stable else "EXPIRED"
    if place is None or token.location_id is None:
        return "ALLOWED"
    is_there = fold(place.location_id) == fold(token.location_id) and (
        not place.evse_uids or fold(token.evse_uid or "") in {fold(uid) for uid in place.evse_uids}
    )
    return "ALLOWED" if is_there else "NOT_ALLOWED"
