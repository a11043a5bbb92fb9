"""What CPOs call: one file per module, all under ``/ocpi``, mounted once for each version of OCPI."""

from typing import Final

from fastapi import APIRouter, Depends

from api.ocpi import (
    cdrs,
    chargingprofiles,
    commands,
    credentials,
    hubclientinfo,
    invoicereconciliation,
    locations,
    sessions,
    tariffs,
    tokens,
    versions,
)
from api.ocpi.exchange import OcpiRefusal, caller, peer, reply, speaks
from api.ocpi.unknown import add_unknown
from charging.ocpi.versions import DIALECTS

__all__ = ["OcpiRefusal", "caller", "peer", "reply", "router"]

_MODULES = (
    credentials,
    locations,
    tariffs,
    tokens,
    commands,
    sessions,
    cdrs,
    chargingprofiles,
    hubclientinfo,
    invoicereconciliation,
)

router = APIRouter(prefix="/ocpi")
router.include_router(versions.router)
SERVED: Final[dict[str, APIRouter]] = {}  # the functional modules, by the path that they are mounted at
for _version, _dialect in DIALECTS.items():
    _in_version = [Depends(speaks(_version))]
    _served = SERVED[f"/ocpi/emsp/{_version}"] = APIRouter(dependencies=_in_version)
    for _module in _MODULES:
        if _module.router.prefix.strip("/") in _dialect.modules:
            _served.include_router(_module.router)
    if _version in tariffs.PATCHED_IN:
        _served.include_router(tariffs.patches)
    add_unknown(_served)
    router.include_router(versions.details, prefix=f"/{_version}", dependencies=_in_version)
for _prefix in ("emsp", "versions", *DIALECTS):
    add_unknown(router, f"/{_prefix}")
