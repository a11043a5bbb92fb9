"""Locations, receiver interface: a CPO tells of its Locations, EVSEs and Connectors (OCPI 2.2.1 §8.2.2)."""

from collections.abc import Awaitable
from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import Field, ValidationError

from api.ocpi.exchange import (
    module_router,
    not_found,
    odd,
    peer,
    read_valid,
    reply,
    require_owner,
    require_same_id,
    require_same_owner,
    services,
    shown,
)
from charging.ocpi.location_object import Body, connector_of
from charging.ocpi.models import Connector, DateTime, Evse, Id, Location, Many, OcpiModel
from charging.ocpi.wire import UNKNOWN_LOCATION
from charging.store.connections import Connection
from charging.store.locations import LocationStore
from charging.store.objects import ObjectKey

router = module_router("locations")

LOCATION = "/{country_code}/{party_id}/{location_id}"
EVSE = LOCATION + "/{evse_uid}"
CONNECTOR = EVSE + "/{connector_id}"

Peer = Annotated[Connection, Depends(peer)]


class _Patch(OcpiModel):
    """What every PATCH must say (§8.2.2.3). The object that it leads to is checked when it is merged."""

    last_updated: DateTime


class _EvseOfPatch(OcpiModel):
    uid: Id


class _LocationPatch(_Patch):
    evses: Many[_EvseOfPatch] = Field(default_factory=list)


async def own_location(connection: Peer, country_code: str, party_id: str, location_id: str) -> ObjectKey:
    """The key of the Location in the path, which must be one of the peer's parties'."""
    require_owner(connection, country_code, party_id)
    return ObjectKey(connection.id, country_code, party_id, location_id)


Key = Annotated[ObjectKey, Depends(own_location)]


def _store(request: Request) -> LocationStore:
    return LocationStore(services(request).database)


# ---- GET: what we have of the CPO's (§8.2.2.1) --------------------------------------------------------------------


@router.get(LOCATION)
async def get_location(request: Request, key: Key) -> Response:
    """The Location, its EVSEs included."""
    return reply(shown(request, "location", _found(await _store(request).get_location(key))))


@router.get(EVSE)
async def get_evse(request: Request, key: Key, evse_uid: str) -> Response:
    """One EVSE."""
    return reply(shown(request, "evse", _found(await _store(request).get_evse_body(key, evse_uid))))


@router.get(CONNECTOR)
async def get_connector(request: Request, key: Key, evse_uid: str, connector_id: str) -> Response:
    """One Connector."""
    evse = _found(await _store(request).get_evse_body(key, evse_uid))
    return reply(shown(request, "connector", _found(connector_of(evse, connector_id))))


# ---- PUT: new or replaced (§8.2.2.2) ------------------------------------------------------------------------------


@router.put(LOCATION)
async def put_location(request: Request, connection: Peer, key: Key) -> Response:
    """A whole Location."""
    body = await read_valid(request, connection, Location, "location", key.party)
    require_same_id(key.id, body["id"])
    require_same_owner(key, body)
    return _stored(await _store(request).put_location(connection.id, body))


@router.put(EVSE)
async def put_evse(request: Request, connection: Peer, key: Key, evse_uid: str) -> Response:
    """A whole EVSE of a Location that we know."""
    body = await read_valid(request, connection, Evse, "evse", key.party)
    require_same_id(evse_uid, body["uid"])
    return _stored(await _store(request).put_evse(key, body))


@router.put(CONNECTOR)
async def put_connector(request: Request, connection: Peer, key: Key, evse_uid: str, connector_id: str) -> Response:
    """A whole Connector of an EVSE that we know."""
    body = await read_valid(request, connection, Connector, "connector", key.party)
    require_same_id(connector_id, body["id"])
    return _stored(await _store(request).put_connector(key, evse_uid, body))


# ---- PATCH: changed fields; last_updated is mandatory (§8.2.2.3) --------------------------------------------------


@router.patch(LOCATION)
async def patch_location(request: Request, connection: Peer, key: Key) -> Response:
    """Changed fields of a Location; ``evses`` are put in by uid, none is taken away (ocpi#540)."""
    changes = await read_valid(request, connection, _LocationPatch, "location", key.party)
    return await _patched(request, connection, _store(request).patch_location(key, changes))


@router.patch(EVSE)
async def patch_evse(request: Request, connection: Peer, key: Key, evse_uid: str) -> Response:
    """Changed fields of an EVSE: most often its status."""
    changes = await read_valid(request, connection, _Patch, "evse", key.party)
    return await _patched(request, connection, _store(request).patch_evse(key, evse_uid, changes))


@router.patch(CONNECTOR)
async def patch_connector(request: Request, connection: Peer, key: Key, evse_uid: str, connector_id: str) -> Response:
    """Changed fields of a Connector."""
    changes = await read_valid(request, connection, _Patch, "connector", key.party)
    patching = _store(request).patch_connector(key, evse_uid, connector_id, changes)
    return await _patched(request, connection, patching)


async def _patched(request: Request, connection: Connection, patching: Awaitable[bool]) -> Response:
    try:
        is_known = await patching
    except ValidationError as error:
        raise await odd(request, connection, error) from error
    if not is_known:
        raise not_found("unknown object: PUT it whole", status_code=UNKNOWN_LOCATION)
    return reply()


def _stored(is_new: bool | None) -> Response:
    if is_new is None:
        raise not_found("the object that this belongs to is not known", status_code=UNKNOWN_LOCATION)
    return reply(http_status=201 if is_new else 200)


def _found(body: Body | None) -> Body:
    if body is None:
        raise not_found("no such object", status_code=UNKNOWN_LOCATION)
    return body
