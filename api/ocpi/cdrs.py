"""CDRs, receiver interface: the CPO's bills (OCPI 2.2.1 §10.2.2). Stored and acknowledged; settled later."""

from fastapi import Request, Response

from api.ocpi.exchange import module_router, not_found, read_object, reply, services, spoken
from api.ocpi.taking import Peer, receiver, taken
from charging.ocpi.our_urls import module_url
from charging.ocpi.wire import INVALID_PARAMETERS

router = module_router("cdrs")


@router.post("")
async def post_cdr(request: Request, connection: Peer) -> Response:
    """A CDR, answered with the URL under which its sender finds it (§10.2.2.2).

    The same again gets the same answer; another one under the same id is refused, and people are told.
    """
    version, body = spoken(request).version, await read_object(request, connection, "cdr")
    storing = receiver(request).cdr(connection, await request.body(), body, version)
    stored = await taken(request, connection, storing)
    base = services(request).settings.public_url
    headers = {"Location": module_url(base, version, "cdrs", stored.public_id)}
    if stored.differs:
        return reply(status_code=INVALID_PARAMETERS, message="another CDR has this id", headers=headers)
    return reply(http_status=201 if stored.created else 200, headers=headers)


@router.get("/{public_id}")
async def get_cdr(request: Request, connection: Peer, public_id: str) -> Response:
    """A CDR at the URL that its POST was answered with (§10.2.2.1)."""
    body = await receiver(request).get_cdr(connection, public_id, spoken(request).version)
    if body is None:
        raise not_found("no such CDR")
    return reply(body)
