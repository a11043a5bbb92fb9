"""HubClientInfo, receiver interface: a hub tells which parties are behind it, and who is away (OCPI 2.2.1 §15.2.2)."""

import logging
from datetime import UTC, datetime

from fastapi import Request, Response

from api.ocpi.exchange import module_router, not_found, odd, read_valid, reply, services
from api.ocpi.taking import Peer
from charging.ocpi.models import ClientInfo
from charging.ocpi.wire import Party
from charging.store.client_infos import ClientInfoStore
from charging.store.watch import WatchStore

logger = logging.getLogger(__name__)

router = module_router("hubclientinfo")

_PATH = "/{country_code}/{party_id}"


@router.get(_PATH)
async def get_client_info(request: Request, connection: Peer, country_code: str, party_id: str) -> Response:
    """The ClientInfo as we have it (§15.2.2.1)."""
    body = await ClientInfoStore(services(request).database).get(connection.id, country_code, party_id)
    if body is None:
        raise not_found("no such ClientInfo")
    return reply(body)


@router.put(_PATH)
async def put_client_info(request: Request, connection: Peer, country_code: str, party_id: str) -> Response:
    """A new or changed ClientInfo (§15.2.2.2). Of a hub only: else any CPO could make other parties its own.

    What a party that is back has not been able to tell is asked for.
    """
    info = ClientInfo.model_validate(await read_valid(request, connection, ClientInfo))
    if connection.hub is None:
        raise await odd(request, connection, "only a hub has clients")
    if not Party(country_code, party_id).is_same(info.country_code, info.party_id):
        raise await odd(request, connection, "country_code and party_id in the URL are not those in the body")
    parts = services(request)
    is_back = await ClientInfoStore(parts.database).put(connection.id, info)
    parts.connections.forget()
    if is_back:
        logger.info("a party behind a hub is back", extra={"cpo": connection.name})
        await WatchStore(parts.database).ask_all(datetime.now(UTC), connection.id)
    return reply()
