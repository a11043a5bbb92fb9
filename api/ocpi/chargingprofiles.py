"""Charging profiles, sender interface: results, and profiles that changed by themselves (OCPI 2.2.1 §14.2.2)."""

from fastapi import Request, Response

from api.ocpi.exchange import module_router, not_found, read_object, reply
from api.ocpi.taking import Peer, receiver, taken

router = module_router("chargingprofiles")


@router.post("/{kind}/{command_id}")
async def profile_result(request: Request, connection: Peer, kind: str, command_id: str) -> Response:
    """The result of setting, clearing or asking for a profile (§14.2.2.1). The bodies look the same: the URL tells.

    404 unless that request went to this peer.
    """
    body = await read_object(request, connection)
    storing = receiver(request).command_result(connection, kind, command_id, body)
    if not await taken(request, connection, storing):
        raise not_found("no such request")
    return reply()


@router.put("/{session_id}")
async def active_profile(request: Request, connection: Peer, session_id: str) -> Response:
    """The profile in force has changed at the charge point (§14.2.2.2); ``session_id`` is the CPO's."""
    storing = receiver(request).active_profile(connection, session_id, await read_object(request, connection))
    if not await taken(request, connection, storing):
        raise not_found("no such Session")
    return reply()
