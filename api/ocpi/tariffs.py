"""Tariffs, receiver interface: a CPO tells of its prices (OCPI 2.2.1 §11.2.2). Since 2.2 there is no PATCH."""

from typing import Annotated, Final

from fastapi import Depends, Request, Response
from pydantic import ValidationError

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
from charging.ocpi.models import DateTime, OcpiModel, Tariff
from charging.store.connections import Connection
from charging.store.objects import ObjectKey
from charging.store.tariffs import TariffStore

router = module_router("tariffs")
patches = module_router("tariffs")

PATCHED_IN: Final = frozenset({"2.1.1"})

TARIFF = "/{country_code}/{party_id}/{tariff_id}"

Peer = Annotated[Connection, Depends(peer)]


class _Patch(OcpiModel):
    last_updated: DateTime


async def own_tariff(connection: Peer, country_code: str, party_id: str, tariff_id: str) -> ObjectKey:
    """The key of the Tariff in the path, which must be one of the peer's parties'."""
    require_owner(connection, country_code, party_id)
    return ObjectKey(connection.id, country_code, party_id, tariff_id)


Key = Annotated[ObjectKey, Depends(own_tariff)]


@router.get(TARIFF)
async def get_tariff(request: Request, key: Key) -> Response:
    """The Tariff as we have it (§11.2.2.1)."""
    body = await _store(request).get_tariff(key)
    if body is None:
        raise not_found("no such Tariff")
    return reply(shown(request, "tariff", body))


@router.put(TARIFF)
async def put_tariff(request: Request, connection: Peer, key: Key) -> Response:
    """A new or replaced Tariff (§11.2.2.2). Sessions that have begun keep the one they began with."""
    body = await read_valid(request, connection, Tariff, "tariff", key.party)
    require_same_id(key.id, body["id"])
    require_same_owner(key, body)
    return reply(http_status=201 if await _store(request).put_tariff(connection.id, body) else 200)


@patches.patch(TARIFF)
async def patch_tariff(request: Request, connection: Peer, key: Key) -> Response:
    """Changed fields of a Tariff (OCPI 2.1.1 §11.2.2)."""
    changes = await read_valid(request, connection, _Patch, "tariff", key.party)
    try:
        is_known = await _store(request).patch_tariff(key, changes)
    except ValidationError as error:
        raise await odd(request, connection, error) from error
    if not is_known:
        raise not_found("no such Tariff: PUT it whole")
    return reply()


@router.delete(TARIFF)
async def delete_tariff(request: Request, key: Key) -> Response:
    """A Tariff that is no longer used (§11.2.2.3)."""
    if not await _store(request).delete_tariff(key):
        raise not_found("no such Tariff")
    return reply()


def _store(request: Request) -> TariffStore:
    return TariffStore(services(request).database)
