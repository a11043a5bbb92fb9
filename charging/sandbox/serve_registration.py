"""Versions and credentials, the server side (OCPI 2.2.1 §6, §7)."""

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.ocpi.models import Credentials
from charging.sandbox.registration import HandshakeFailed, Peer, handshake, our_credentials
from charging.sandbox.speaking import Refusal, bears_token_a, body_of, caller, cpo_of, reply

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
)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _check(request: Request) -> None:
    if not bears_token_a(request):
        caller(request)


@router.get("/ocpi/versions")
async def versions(request: Request) -> Response:
    """The versions that we speak: one."""
    _check(request)
    return reply(request, [{"version": wire.VERSION, "url": f"{_base(request)}/ocpi/{wire.VERSION}"}])


@router.get(f"/ocpi/{wire.VERSION}")
async def version_details(request: Request) -> Response:
    """The endpoints of 2.2.1."""
    _check(request)
    base = f"{_base(request)}/ocpi/cpo/{wire.VERSION}"
    endpoints = [{"identifier": module, "role": role, "url": f"{base}/{module}"} for module, role in MODULES]
    return reply(request, {"version": wire.VERSION, "endpoints": endpoints})


@router.post(f"/ocpi/cpo/{wire.VERSION}/credentials")
async def register(request: Request) -> Response:
    """An eMSP registers. 405 for one that is registered already."""
    if not bears_token_a(request):
        caller(request)
        raise Refusal(405, wire.CLIENT_ERROR, "already registered")
    return await _shake_hands(request)


@router.put(f"/ocpi/cpo/{wire.VERSION}/credentials")
async def renew(request: Request) -> Response:
    """New tokens and endpoints. 405 before registration."""
    peer = _registered(request)
    return await _shake_hands(request, replacing=peer)


@router.get(f"/ocpi/cpo/{wire.VERSION}/credentials")
async def show(request: Request) -> Response:
    """Our credentials as the caller knows them."""
    peer = _registered(request)
    return reply(request, our_credentials(peer.server_token, f"{_base(request)}/ocpi/versions"))


@router.delete(f"/ocpi/cpo/{wire.VERSION}/credentials")
async def unregister(request: Request) -> Response:
    """Forget the caller. 405 before registration."""
    cpo_of(request).forget_peer(_registered(request))
    return reply(request)


def _registered(request: Request) -> Peer:
    if bears_token_a(request):
        raise Refusal(405, wire.CLIENT_ERROR, "not registered")
    return caller(request)


async def _shake_hands(request: Request, replacing: Peer | None = None) -> Response:
    credentials = await body_of(request, Credentials)
    try:
        peer = await handshake(request.app.state.client, credentials)
    except HandshakeFailed as failure:
        raise Refusal(200, failure.status_code, str(failure)) from failure
    cpo = cpo_of(request)
    if replacing is not None and replacing.key != peer.key:
        cpo.forget_peer(replacing)
    cpo.save_peer(peer)
    return reply(request, our_credentials(peer.server_token, f"{_base(request)}/ocpi/versions"))
