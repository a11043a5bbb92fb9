"""Sessions, receiver interface: a CPO tells of its Sessions (OCPI 2.2.1 §9.2.2)."""

from fastapi import Request, Response

from api.ocpi.exchange import module_router, not_found, read_object, reply, require_owner, shown
from api.ocpi.taking import Peer, receiver, taken
from charging.ocpi.wire import Party
from charging.receiver import Outcome

router = module_router("sessions")

_PATH = "/{country_code}/{party_id}/{session_id}"


@router.get(_PATH)
async def get_session(
    request: Request, connection: Peer, country_code: str, party_id: str, session_id: str
) -> Response:
    """The Session as we have it, all charging periods included (§9.2.2.1)."""
    require_owner(connection, country_code, party_id)
    body = await receiver(request).get_session(connection, country_code, party_id, session_id)
    if body is None:
        raise not_found("no such Session")
    return reply(shown(request, "session", body))


@router.put(_PATH)
async def put_session(
    request: Request, connection: Peer, country_code: str, party_id: str, session_id: str
) -> Response:
    """A new or replaced Session (§9.2.2.2). One that belongs to no session of ours is kept and acknowledged too."""
    require_owner(connection, country_code, party_id)
    body = await read_object(request, connection, "session", Party(country_code, party_id))
    storing = receiver(request).put_session(connection, country_code, party_id, session_id, body)
    outcome = await taken(request, connection, storing)
    return reply(http_status=201 if outcome is Outcome.CREATED else 200)


@router.patch(_PATH)
async def patch_session(
    request: Request, connection: Peer, country_code: str, party_id: str, session_id: str
) -> Response:
    """Changed fields of a Session; its charging periods are appended (§9.2.2.3). 404: PUT it whole, please."""
    require_owner(connection, country_code, party_id)
    body = await read_object(request, connection, "session", Party(country_code, party_id))
    storing = receiver(request).patch_session(connection, country_code, party_id, session_id, body)
    if await taken(request, connection, storing) is Outcome.UNKNOWN:
        raise not_found("no such Session")
    return reply()
