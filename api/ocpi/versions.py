"""Versions: which OCPI we speak and where its modules are (OCPI 2.2.1 §6). Hubs call it to see whether we live."""

from fastapi import APIRouter, Depends, Request, Response

from api.ocpi.exchange import OcpiRoute, caller, reply, services
from charging.ocpi.wire import VERSION, join_url

router = APIRouter(route_class=OcpiRoute, include_in_schema=False, dependencies=[Depends(caller)])

MODULES = (
    ("credentials", "SENDER"),  # its role has no meaning (§6.2.2)
    ("locations", "RECEIVER"),
    ("tariffs", "RECEIVER"),
    ("sessions", "RECEIVER"),
    ("cdrs", "RECEIVER"),
    ("tokens", "SENDER"),
    ("commands", "SENDER"),
    ("chargingprofiles", "SENDER"),
    ("hubclientinfo", "RECEIVER"),
)


@router.get("/versions")
async def get_versions(request: Request) -> Response:
    """All versions that we speak (§6.1)."""
    base = services(request).settings.public_url
    return reply([{"version": VERSION, "url": join_url(base, "ocpi", VERSION)}])


@router.get(f"/{VERSION}")
async def get_version(request: Request) -> Response:
    """The endpoints of OCPI 2.2.1 (§6.2)."""
    base = services(request).settings.public_url
    endpoints = [
        {"identifier": module, "role": role, "url": join_url(base, "ocpi", "emsp", VERSION, module)}
        for module, role in MODULES
    ]
    return reply({"version": VERSION, "endpoints": endpoints})
