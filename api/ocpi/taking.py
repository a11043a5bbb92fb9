"""How the endpoints that take what CPOs push hand it to the receiver."""

from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from api.ocpi.exchange import OcpiRefusal, odd, peer, services
from charging.errors import UnusableMessage
from charging.ocpi.wire import INVALID_PARAMETERS, MalformedJson
from charging.receiver import Receiver
from charging.store.connections import Connection

T = TypeVar("T")

Peer = Annotated[Connection, Depends(peer)]


def receiver(request: Request) -> Receiver:
    """The receiver of this process."""
    return services(request).receiver


async def taken(request: Request, connection: Connection, storing: Awaitable[T]) -> T:
    """What the receiver answers, once it is stored. A message that it cannot use is kept whole for people.

    Malformed JSON is HTTP 400; JSON that is no usable object is OCPI 2001 (ocpi.md §2.3).
    """
    try:
        return await storing
    except MalformedJson as error:
        refusal = await odd(request, connection, str(error))
        raise OcpiRefusal(INVALID_PARAMETERS, str(refusal.detail), http_status=400) from error
    except UnusableMessage as error:
        raise await odd(request, connection, str(error)) from error
