"""Invoice reconciliation, receiver interface: a CPO says which CDRs an invoice is about (OCPI 2.3.0 only)."""

from typing import Annotated

from fastapi import Depends, Request, Response

from api.ocpi.exchange import (
    module_router,
    not_found,
    read_valid,
    reply,
    require_owner,
    require_same_id,
    require_same_owner,
    services,
)
from api.ocpi.taking import Peer
from charging.ocpi.models import InvoiceReconciliationRecord
from charging.store.invoices import InvoiceStore
from charging.store.objects import ObjectKey

router = module_router("invoicereconciliation")

RECORD = "/{country_code}/{party_id}/{record_id}"


async def own_record(connection: Peer, country_code: str, party_id: str, record_id: str) -> ObjectKey:
    """The key of the record in the path, which must be one of the peer's parties'."""
    require_owner(connection, country_code, party_id)
    return ObjectKey(connection.id, country_code, party_id, record_id)


Key = Annotated[ObjectKey, Depends(own_record)]


@router.post("")
async def post_record(request: Request, connection: Peer) -> Response:
    """A new record."""
    body = await read_valid(request, connection, InvoiceReconciliationRecord)
    require_owner(connection, str(body["country_code"]), str(body["party_id"]))
    return reply(http_status=201 if await _store(request).put(connection.id, body) else 200)


@router.get(RECORD)
async def get_record(request: Request, key: Key) -> Response:
    """The record as we have it."""
    body = await _store(request).get(key)
    if body is None:
        raise not_found("no such record")
    return reply(body)


@router.put(RECORD)
async def put_record(request: Request, connection: Peer, key: Key) -> Response:
    """A new or replaced record."""
    body = await read_valid(request, connection, InvoiceReconciliationRecord)
    require_same_id(key.id, body["id"])
    require_same_owner(key, body)
    return reply(http_status=201 if await _store(request).put(connection.id, body) else 200)


@router.delete(RECORD)
async def delete_record(request: Request, key: Key) -> Response:
    """A record that was wrong."""
    if not await _store(request).delete(key):
        raise not_found("no such record")
    return reply()


def _store(request: Request) -> InvoiceStore:
    return InvoiceStore(services(request).database)
