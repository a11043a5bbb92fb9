"""What eMSPs pull and push as objects: locations, tariffs, sessions, cdrs, invoices (SENDER), tokens (RECEIVER)."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.ocpi.models import Token
from charging.ocpi.versions import Body, Kind
from charging.sandbox import accents, clock, messages
from charging.sandbox.cpo import PushedToken
from charging.sandbox.locations import BUILT, COUNTRY_CODE, PARTY_ID, TARIFFS, location_object
from charging.sandbox.pricing import tariff_object
from charging.sandbox.quirks import Quirk
from charging.sandbox.speaking import Refusal, body_of, caller, cpo_of, dialect_of, json_of, reply, say

router = APIRouter(prefix="/ocpi/cpo/{version}")

Objects = list[Body]


@router.get("/locations")
async def locations(request: Request) -> Response:
    """Our one location, and with a quirk a second."""
    caller(request)
    return _page(request, "location", _locations(request))


@router.get("/locations/{location_id}")
@router.get("/locations/{location_id}/{evse_uid}")
@router.get("/locations/{location_id}/{evse_uid}/{connector_id}")
async def location(
    request: Request, location_id: str, evse_uid: str | None = None, connector_id: str | None = None
) -> Response:
    """A location, an EVSE or a connector."""
    caller(request)
    whole = next((one for one in _locations(request) if one["id"] == location_id), None)
    found = say(request, "location", whole) if whole is not None else None
    if found is not None and evse_uid is not None:
        found = next((evse for evse in found["evses"] if evse["uid"] == evse_uid), None)
    if found is not None and connector_id is not None:
        found = next((connector for connector in found["connectors"] if connector["id"] == connector_id), None)
    if found is None:
        raise Refusal(404, wire.UNKNOWN_LOCATION, "no such location, EVSE or connector")
    return reply(request, found)


def _locations(request: Request) -> Objects:
    cpo = cpo_of(request)
    location = location_object({bay.uid: (bay.shown, bay.since) for bay in cpo.bays.values()})
    return [location, accents.second_location(location)] if Quirk.TWO_LOCATIONS in cpo.quirks else [location]


@router.get("/tariffs")
async def tariffs(request: Request) -> Response:
    """Day and night, DC and AC."""
    caller(request)
    objects = [tariff_object(tariff, COUNTRY_CODE, PARTY_ID, BUILT) for tariff in TARIFFS.values()]
    return _page(request, "tariff", objects)


@router.get("/sessions")
async def sessions(request: Request) -> Response:
    """The caller's sessions, brought up to date. ``date_from`` is required (OCPI 2.2.1 §9.2.1.1)."""
    peer, cpo = caller(request), cpo_of(request)
    if "date_from" not in request.query_params:
        raise Refusal(200, wire.INVALID_PARAMETERS, "date_from is missing")
    now = clock.now()
    mine = [s for s in cpo.sessions.values() if s.emsp == peer.key and s.is_listed(now)]
    present = [cpo.advance(session.id, now) if session.is_live else session for session in mine]
    return _page(request, "session", [messages.session_object(session) for session in present if session.is_public])


@router.get("/cdrs")
async def cdrs(request: Request) -> Response:
    """The caller's CDRs."""
    peer = caller(request)
    issued = [cdr for cdr in cpo_of(request).cdrs.values() if cdr.emsp == peer.key and cdr.issued]
    changes = {cdr.id: cdr.changes for cdr in issued}
    return _page(request, "cdr", [wire.loads(cdr.body) for cdr in issued], changes)


@router.get("/invoicereconciliation")
async def invoices(request: Request) -> Response:
    """Which CDRs the caller's invoices are about (OCPI 2.3.0)."""
    peer = caller(request)
    mine = [invoice for invoice in cpo_of(request).invoices.values() if invoice.emsp == peer.key]
    return _page(request, "invoice_reconciliation", [messages.invoice_object(invoice) for invoice in mine])


# ---- Tokens, which belong to the eMSP -----------------------------------------------------------------------------


@router.put("/tokens/{country_code}/{party_id}/{uid}")
async def put_token(request: Request, country_code: str, party_id: str, uid: str) -> Response:
    """An eMSP tells us about a token."""
    key = _token_key(request, country_code, party_id, uid)
    token = await body_of(request, Token, "token", caller(request).party)
    if wire.fold(token.uid) != wire.fold(uid):
        raise Refusal(200, wire.INVALID_PARAMETERS, "uid differs from the URL's")
    known = key in cpo_of(request).tokens
    _store(request, key, token.model_dump(mode="json", exclude_none=True))
    return reply(request, http_status=200 if known else 201)


@router.patch("/tokens/{country_code}/{party_id}/{uid}")
async def patch_token(request: Request, country_code: str, party_id: str, uid: str) -> Response:
    """Some of it changed; ``last_updated`` is required (OCPI 2.2.1 §12.2.2.3)."""
    key = _token_key(request, country_code, party_id, uid)
    changes = await json_of(request)
    if key not in cpo_of(request).tokens:
        raise Refusal(404, wire.UNKNOWN_TOKEN, "no such token")
    if not isinstance(changes, dict) or "last_updated" not in changes:
        raise Refusal(200, wire.INVALID_PARAMETERS, "last_updated is missing")
    canonical = wire.plain(dialect_of(request).read("token", changes, caller(request).party))
    _store(request, key, cpo_of(request).tokens[key].body | canonical)
    return reply(request)


@router.get("/tokens/{country_code}/{party_id}/{uid}")
async def get_token(request: Request, country_code: str, party_id: str, uid: str) -> Response:
    """What we know about a token."""
    token = cpo_of(request).tokens.get(_token_key(request, country_code, party_id, uid))
    if token is None:
        raise Refusal(404, wire.UNKNOWN_TOKEN, "no such token")
    return reply(request, say(request, "token", token.body))


def _token_key(request: Request, country_code: str, party_id: str, uid: str) -> str:
    if not caller(request).party.is_same(country_code, party_id):
        raise Refusal(404, wire.CLIENT_ERROR, "not your party")
    return wire.fold(f"{country_code}*{party_id}*{uid}*{request.query_params.get('type', 'RFID')}")


def _store(request: Request, key: str, body: dict[str, Any]) -> None:
    cpo_of(request).save_token(key, PushedToken(emsp=caller(request).key, body=body))


# ---- Pages (OCPI 2.2.1 §4.1.4) ------------------------------------------------------------------------------------


def _page(
    request: Request, kind: Kind, objects: Objects, changes: Mapping[str, Body] = MappingProxyType({})
) -> Response:
    """One page of ``objects``, with ``Link`` to the next, which keeps the filters. ``changes``: by id, as shown."""
    query, quirks = dict(request.query_params), cpo_of(request).quirks
    if Quirk.BUMPED in quirks:
        objects = [accents.bumped(thing, clock.now()) for thing in objects]
    matching = _between(objects, _moment(query, "date_from"), _moment(query, "date_to"))
    largest = 1 if Quirk.LINK_WITHOUT_LIMIT in quirks else cpo_of(request).settings.page_size
    offset, limit = _number(query, "offset", 0), max(1, min(_number(query, "limit", largest), largest))
    headers = {wire.TOTAL_COUNT: str(len(matching)), wire.LIMIT: str(largest)}
    following = offset + limit
    if Quirk.LINK_TO_ITSELF in quirks:
        headers["Link"] = _link(request, query)
    elif following < len(matching):
        limited = {} if Quirk.LINK_WITHOUT_LIMIT in quirks else {"limit": str(limit)}
        others = {name: value for name, value in query.items() if name != "limit"}
        headers["Link"] = _link(request, {**others, "offset": str(following), **limited})
    shown = [say(request, kind, thing) | changes.get(thing["id"], {}) for thing in matching[offset:following]]
    return reply(request, shown, headers=headers)


def _link(request: Request, query: dict[str, str]) -> str:
    return f'<{request.url.replace(query=urlencode(query))}>; rel="next"'


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
