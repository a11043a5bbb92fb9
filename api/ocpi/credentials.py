"""Credentials: a CPO registers itself, renews its registration, or ends it (OCPI 2.2.1 §7)."""

import logging
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request, Response
from pydantic import ValidationError

from api.ocpi.exchange import OcpiRefusal, caller, module_router, odd, read_object, reply, services, spoken
from charging.ocpi.models import Credentials, to_wire
from charging.ocpi.registration import HandshakeFailed, Registrar, our_credentials
from charging.ocpi.wire import CLIENT_ERROR
from charging.store.connections import Caller

logger = logging.getLogger(__name__)

router = module_router("credentials")

Who = Annotated[Caller, Depends(caller)]


@router.get("")
async def get_credentials(request: Request, who: Who) -> Response:
    """Our credentials as this peer knows them. Its token comes from its own request: we keep only a hash."""
    return _credentials(request, our_credentials(services(request).settings, who.token))


@router.post("")
async def post_credentials(request: Request, who: Who, background: BackgroundTasks) -> Response:
    """Registration with the TOKEN_A of an invitation, which is dead afterwards. 405 where it is done already."""
    if who.connection.status != "invited":
        raise _not_allowed("already registered: PUT renews a registration")
    return await _exchange(request, who, background)


@router.put("")
async def put_credentials(request: Request, who: Who, background: BackgroundTasks) -> Response:
    """New credentials of a registered peer, which so may move to this version; we give a new token.

    405 where it is not registered.
    """
    if not who.connection.is_active:
        raise _not_allowed("not registered: POST registers")
    return await _exchange(request, who, background)


@router.delete("")
async def delete_credentials(request: Request, who: Who) -> Response:
    """The peer leaves: its token is dead with this answer. 405 where it is not registered."""
    if not who.connection.is_active:
        raise _not_allowed("not registered")
    await services(request).connections.unregister(who.connection.id)
    return reply()


async def _exchange(request: Request, who: Caller, background: BackgroundTasks) -> Response:
    body = await read_object(request, who.connection, "credentials")
    try:
        theirs = Credentials.model_validate(body)
    except ValidationError as error:
        raise await odd(request, who.connection, error) from error
    registrar = registrar_of(request)
    try:
        ours = await registrar.accept(who, theirs, spoken(request).version)
    except HandshakeFailed as error:
        return reply(status_code=error.failure.ocpi_status, message=str(error))
    background.add_task(_pull, request, who.connection.id)
    return _credentials(request, ours)


def _credentials(request: Request, ours: Credentials) -> Response:
    return reply(spoken(request).write("credentials", to_wire(ours)))


async def _pull(request: Request, connection_id: str) -> None:
    # After the answer: the CPO accepts our calls only once it has our token.
    connection = await services(request).connections.get(connection_id)
    if connection is not None:
        await services(request).synchroniser.first_pull(connection)


def registrar_of(request: Request) -> Registrar:
    """The registrar of this process."""
    parts = services(request)
    return Registrar(parts.connections, parts.peers, parts.settings)


def _not_allowed(message: str) -> OcpiRefusal:
    return OcpiRefusal(CLIENT_ERROR, message, http_status=405)
