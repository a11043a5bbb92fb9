"""Versions: which OCPI we speak and where its modules are (OCPI 2.2.1 §6). Hubs call it to see whether we live."""

from fastapi import APIRouter, Depends, Request, Response

from api.ocpi.exchange import OcpiRoute, caller, reply, services, spoken
from charging.ocpi.our_urls import module_url, version_url
from charging.ocpi.versions import DIALECTS

router = APIRouter(route_class=OcpiRoute, include_in_schema=False, dependencies=[Depends(caller)])
details = APIRouter(route_class=OcpiRoute, include_in_schema=False, dependencies=[Depends(caller)])

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
    ("invoicereconciliation", "RECEIVER"),
)


@router.get("/versions")
async def get_versions(request: Request) -> Response:
    """All versions that we speak (§6.1), highest first."""
    base = services(request).settings.public_url
    return reply([{"version": version, "url": version_url(base, version)} for version in DIALECTS])


@details.get("")
async def get_version(request: Request) -> Response:
    """The endpoints of one version (§6.2); where it has no interface roles, without them."""
    dialect, base = spoken(request), services(request).settings.public_url
    endpoints = [
        {
            "identifier": module,
            **({"role": role} if dialect.has_roles else {}),
            "url": module_url(base, dialect.version, module),
        }
        for module, role in MODULES
        if module in dialect.modules
    ]
    return reply({"version": dialect.version, "endpoints": endpoints})
