"""How the endpoints that take what CPOs push hand it to the receiver."""

from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from api.ocpi.exchange import odd, peer, services
from charging.errors import UnusableMessage
from charging.receiver import Receiver
from charging.store.connections import Connection

T = TypeVar("T")

Peer = Annotated[Connection, Depends(peer)]


def receiver(request: Request) -> Receiver:
    """The receiver of this process."""
    return services(request).receiver


async def taken(request: Request, connection: Connection, storing: Awaitable[T]) -> T:
    """What the receiver answers, once it is stored. A message that it cannot use is kept whole for people (2001)."""
    try:
        return await storing
    except UnusableMessage as error:
        raise await odd(request, connection, str(error)) from error
