"""What eMSPs pull and push as objects: locations, tariffs, sessions, cdrs (SENDER) and tokens (RECEIVER)."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.ocpi.models import Token
from charging.sandbox import clock, messages
from charging.sandbox.cpo import PushedToken
from charging.sandbox.locations import BUILT, COUNTRY_CODE, LOCATION_ID, PARTY_ID, TARIFFS, location_object
from charging.sandbox.pricing import tariff_object
from charging.sandbox.speaking import Refusal, body_of, caller, cpo_of, json_of, reply

router = APIRouter(prefix=f"/ocpi/cpo/{wire.VERSION}")

Objects = list[dict[str, Any]]


@router.get("/locations")
async def locations(request: Request) -> Response:
    """Our one location."""
    caller(request)
    return _page(request, [_location(request)])


@router.get("/locations/{location_id}")
@router.get("/locations/{location_id}/{evse_uid}")
@router.get("/locations/{location_id}/{evse_uid}/{connector_id}")
async def location(
    request: Request, location_id: str, evse_uid: str | None = None, connector_id: str | None = None
) -> Response:
    """A location, an EVSE or a connector."""
    caller(request)
    found: dict[str, Any] | None = _location(request) if location_id == LOCATION_ID else None
    if found is not None and evse_uid is not None:
        found = next((evse for evse in found["evses"] if evse["uid"] == evse_uid), None)
    if found is not None and connector_id is not None:
        found = next((connector for connector in found["connectors"] if connector["id"] == connector_id), None)
    if found is None:
        raise Refusal(404, wire.UNKNOWN_LOCATION, "no such location, EVSE or connector")
    return reply(request, found)


def _location(request: Request) -> dict[str, Any]:
    return location_object({bay.uid: (bay.shown, bay.since) for bay in cpo_of(request).bays.values()})


@router.get("/tariffs")
async def tariffs(request: Request) -> Response:
    """Day and night, DC and AC."""
    caller(request)
    return _page(request, [tariff_object(tariff, COUNTRY_CODE, PARTY_ID, BUILT) for tariff in TARIFFS.values()])


@router.get("/sessions")
async def sessions(request: Request) -> Response:
    """The caller's sessions, brought up to date. ``date_from`` is required (OCPI 2.2.1 §9.2.1.1)."""
    peer, cpo = caller(request), cpo_of(request)
    if "date_from" not in request.query_params:
        raise Refusal(200, wire.INVALID_PARAMETERS, "date_from is missing")
    mine = [s for s in cpo.sessions.values() if s.emsp == peer.key and not s.script.hidden]
    now = clock.now()
    present = [cpo.advance(session.id, now) if session.is_live else session for session in mine]
    return _page(request, [messages.session_object(session) for session in present if session.is_public])


@router.get("/cdrs")
async def cdrs(request: Request) -> Response:
    """The caller's CDRs."""
    peer = caller(request)
    return _page(
        request, [wire.loads(c.body) for c in cpo_of(request).cdrs.values() if c.emsp == peer.key and c.issued]
    )


# ---- Tokens, which belong to the eMSP -----------------------------------------------------------------------------


@router.put("/tokens/{country_code}/{party_id}/{uid}")
async def put_token(request: Request, country_code: str, party_id: str, uid: str) -> Response:
    """An eMSP tells us about a token."""
    key = _token_key(request, country_code, party_id, uid)
    token = await body_of(request, Token)
    if wire.fold(token.uid) != wire.fold(uid):
        raise Refusal(200, wire.INVALID_PARAMETERS, "uid differs from the URL's")
    known = key in cpo_of(request).tokens
    _store(request, key, token.model_dump(mode="json", exclude_none=True))
    return reply(request, http_status=200 if known else 201)


@router.patch("/tokens/{country_code}/{party_id}/{uid}")
async def patch_token(request: Request, country_code: str, party_id: str, uid: str) -> Response:
    """Some of it changed; ``last_updated`` is required (OCPI 2.2.1 §12.2.2.3)."""
    key = _token_key(request, country_code, party_id, uid)
    changes = wire.plain(await json_of(request))
    if key not in cpo_of(request).tokens:
        raise Refusal(404, wire.UNKNOWN_TOKEN, "no such token")
    if not isinstance(changes, dict) or "last_updated" not in changes:
        raise Refusal(200, wire.INVALID_PARAMETERS, "last_updated is missing")
    _store(request, key, cpo_of(request).tokens[key].body | changes)
    return reply(request)


@router.get("/tokens/{country_code}/{party_id}/{uid}")
async def get_token(request: Request, country_code: str, party_id: str, uid: str) -> Response:
    """What we know about a token."""
    token = cpo_of(request).tokens.get(_token_key(request, country_code, party_id, uid))
    if token is None:
        raise Refusal(404, wire.UNKNOWN_TOKEN, "no such token")
    return reply(request, token.body)


def _token_key(request: Request, country_code: str, party_id: str, uid: str) -> str:
    if not caller(request).party.is_same(country_code, party_id):
        raise Refusal(404, wire.CLIENT_ERROR, "not your party")
    return wire.fold(f"{country_code}*{party_id}*{uid}*{request.query_params.get('type', 'RFID')}")


def _store(request: Request, key: str, body: dict[str, Any]) -> None:
    cpo_of(request).save_token(key, PushedToken(emsp=caller(request).key, body=body))


# ---- Pages (OCPI 2.2.1 §4.1.4) ------------------------------------------------------------------------------------


def _page(request: Request, objects: Objects) -> Response:
    """One page of ``objects``, with ``Link`` to the next, which keeps the filters."""
    query = dict(request.query_params)
    matching = _between(objects, _moment(query, "date_from"), _moment(query, "date_to"))
    largest = cpo_of(request).settings.page_size
    offset, limit = _number(query, "offset", 0), max(1, min(_number(query, "limit", largest), largest))
    headers = {wire.TOTAL_COUNT: str(len(matching)), wire.LIMIT: str(largest)}
    following = offset + limit
    if following < len(matching):
        url = request.url.replace(query=urlencode({**query, "offset": following, "limit": limit}))
        headers["Link"] = f'<{url}>; rel="next"'
    return reply(request, matching[offset:following], headers=headers)


def _between(objects: Objects, begin: datetime | None, end: datetime | None) -> Objects:
    """Those last updated from ``begin`` (inclusive) to ``end`` (exclusive)."""

    def fits(thing: dict[str, Any]) -> bool:
        updated = wire.parse_datetime(thing["last_updated"])
        return (begin is None or updated >= begin) and (end is None or updated < end)

    return [thing for thing in objects if fits(thing)]


def _moment(query: dict[str, str], name: str) -> datetime | None:
    try:
        return wire.parse_datetime(query[name]) if name in query else None
    except ValueError as error:
        raise Refusal(200, wire.INVALID_PARAMETERS, f"{name} is no DateTime") from error


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise Refusal(200, wire.INVALID_PARAMETERS, f"{name} is no number")
    return int(text)
