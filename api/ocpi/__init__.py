"""What CPOs call (OCPI 2.2.1): one file per module, all under ``/ocpi``."""

from fastapi import APIRouter

from api.ocpi import (
    cdrs,
    chargingprofiles,
    commands,
    credentials,
    hubclientinfo,
    locations,
    sessions,
    tariffs,
    tokens,
    versions,
)
from api.ocpi.exchange import OcpiRefusal, caller, peer, reply

__all__ = ["OcpiRefusal", "caller", "peer", "reply", "router"]

router = APIRouter(prefix="/ocpi")
for _module in (
    versions,
    credentials,
    locations,
    tariffs,
    tokens,
    commands,
    sessions,
    cdrs,
    chargingprofiles,
    hubclientinfo,
):
    router.include_router(_module.router)
