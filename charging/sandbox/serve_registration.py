"""Versions and credentials, the server side (OCPI 2.2.1 §6, §7), in each version that is offered."""

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.ocpi.models import Credentials
from charging.ocpi.versions import Dialect
from charging.sandbox.quirks import Quirk
from charging.sandbox.registration import HandshakeFailed, Peer, handshake, our_credentials
from charging.sandbox.speaking import Refusal, bears_token_a, body_of, cpo_of, dialect_of, known_peer, reply

router = APIRouter()

MODULES = (
    ("credentials", "SENDER"),
    ("locations", "SENDER"),
    ("tariffs", "SENDER"),
    ("sessions", "SENDER"),
    ("cdrs", "SENDER"),
    ("tokens", "RECEIVER"),
    ("commands", "RECEIVER"),
    ("chargingprofiles", "RECEIVER"),
    ("invoicereconciliation", "SENDER"),
)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _versions_url(request: Request) -> str:
    return f"{_base(request)}/ocpi/versions"


def _check(request: Request) -> None:
    if not bears_token_a(request):
        known_peer(request)


def _offered(request: Request) -> Dialect:
    """The version of the URL, if it is on offer. Raises ``Refusal`` 404."""
    theirs = dialect_of(request)
    if theirs.version not in cpo_of(request).versions:
        raise Refusal(404, wire.UNSUPPORTED_VERSION, "this version is not offered")
    return theirs


@router.get("/ocpi/versions")
async def versions(request: Request) -> Response:
    """The versions that we offer."""
    _check(request)
    offered = cpo_of(request).versions
    return reply(request, [{"version": number, "url": f"{_base(request)}/ocpi/{number}"} for number in offered])


@router.get("/ocpi/{version}")
async def version_details(request: Request) -> Response:
    """The endpoints of a version."""
    _check(request)
    theirs = _offered(request)
    base, slash = f"{_base(request)}/ocpi/cpo/{theirs.version}", _slash(request)
    endpoints = [
        {"identifier": module, "role": role, "url": f"{base}/{module}{slash}"}
        for module, role in MODULES
        if module in theirs.modules
    ]
    return reply(request, theirs.write("version_detail", {"version": theirs.version, "endpoints": endpoints}))


def _slash(request: Request) -> str:
    return "/" if Quirk.TRAILING_SLASH in cpo_of(request).quirks else ""


@router.post("/ocpi/cpo/{version}/credentials")
async def register(request: Request) -> Response:
    """An eMSP registers. 405 for one that is registered already."""
    if not bears_token_a(request):
        known_peer(request)
        raise Refusal(405, wire.CLIENT_ERROR, "already registered")
    return await _shake_hands(request)


@router.put("/ocpi/cpo/{version}/credentials")
async def renew(request: Request) -> Response:
    """New tokens and endpoints, perhaps another version. 405 before registration."""
    peer = _registered(request)
    return await _shake_hands(request, replacing=peer)


@router.get("/ocpi/cpo/{version}/credentials")
async def show(request: Request) -> Response:
    """Our credentials as the caller knows them."""
    peer = _registered(request)
    return reply(request, our_credentials(peer.server_token, _versions_url(request), dialect_of(request)))


@router.delete("/ocpi/cpo/{version}/credentials")
async def unregister(request: Request) -> Response:
    """Forget the caller. 405 before registration."""
    cpo_of(request).forget_peer(_registered(request))
    return reply(request)


def _registered(request: Request) -> Peer:
    if bears_token_a(request):
        raise Refusal(405, wire.CLIENT_ERROR, "not registered")
    return known_peer(request)


async def _shake_hands(request: Request, replacing: Peer | None = None) -> Response:
    theirs, cpo = _offered(request), cpo_of(request)
    credentials = await body_of(request, Credentials, "credentials")
    try:
        peer = await handshake(request.app.state.client, credentials, theirs, raw=cpo.quirks.sends_raw_tokens)
    except HandshakeFailed as failure:
        raise Refusal(200, failure.status_code, str(failure)) from failure
    if replacing is not None and replacing.key != peer.key:
        cpo.forget_peer(replacing)
    cpo.save_peer(peer)
    return reply(request, our_credentials(peer.server_token, _versions_url(request), theirs))
