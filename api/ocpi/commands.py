"""Commands, sender interface: the asynchronous result of a command that we sent (OCPI 2.2.1 §13.2.2)."""

from fastapi import Request, Response

from api.ocpi.exchange import module_router, not_found, read_object, reply
from api.ocpi.taking import Peer, receiver, taken

router = module_router("commands")


@router.post("/{command}/{command_id}")
async def command_result(request: Request, connection: Peer, command: str, command_id: str) -> Response:
    """A CommandResult at the ``response_url`` of one command; 404 unless that command went to this peer.

    It may come before our command is answered, and again: the first one counts.
    """
    body = await read_object(request, connection, "command_result")
    storing = receiver(request).command_result(connection, command, command_id, body)
    if not await taken(request, connection, storing):
        raise not_found("no such command")
    return reply()
