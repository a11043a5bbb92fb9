"""``POST /ocpi/connections/{name}/sync``: what a CPO has, pulled now."""

from typing import Annotated, Literal

from fastapi import Depends, Request
from pydantic import BaseModel

from api import documentation as doc
from api import workflow_calls
from api.admin import AdminRequest, named, require_admin, services_of
from api.branch import Branch
from api.strict_json import strict_body
from charging.errors import Problem
from charging.pulling import Module, Pull, Synchronisation

router = Branch(
    prefix="/ocpi",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    responses=doc.problems("unauthorized", "service_unavailable"),
)


class SyncOrder(AdminRequest):
    """Which module, or all; everything (``full``) or only what is new since the last pull."""

    module: Literal["sessions", "cdrs", "tariffs", "locations"] | None = None
    full: bool = False


class PullView(BaseModel):
    """What became of one module's objects. ``error``: why the pull was given up; what it had read by then is kept.

    ``missing``: stored, but not in a full list any more. ``broken``: kept as odd messages.
    """

    module: Module
    full: bool
    pages: int
    seen: int
    created: int
    changed: int
    unchanged: int
    broken: int
    missing: int
    error: str | None


class SyncReport(BaseModel):
    """What a synchronisation changed, module by module."""

    connection: str
    pulls: list[PullView]


@router.post(
    "/connections/{name}/sync",
    responses=doc.problems(
        *doc.BODY_CODES,
        "connection_not_found",
        "connection_not_active",
        "module_not_offered",
        "sync_failed",
        "sync_still_running",
    ),
    openapi_extra=doc.body(SyncOrder),
)
async def synchronise_connection(
    request: Request, name: str, wanted: Annotated[SyncOrder, Depends(strict_body(SyncOrder))]
) -> SyncReport:
    """Pull what a CPO has, now, and say what that changed. Joins a run of the same order that is under way.

    Waits for it for ten minutes; then it goes on alone, and the same order joins it again.
    """
    parts = services_of(request)
    connection = await named(parts.connections, name)
    if not connection.is_active:
        raise Problem(409, "connection_not_active", "The CPO is not connected.")
    offered = [module for module in Module if connection.endpoint(module, "SENDER")]
    modules = [module for module in offered if wanted.module in (None, module.value)]
    if not modules:
        raise Problem(422, "module_not_offered", "The CPO does not offer that module.")
    wish = Synchronisation(connection_id=connection.id, modules=modules, full=wanted.full)
    pulls = await workflow_calls.synchronise(parts.temporal, wish, connection.name)
    return SyncReport(connection=connection.name, pulls=[_pull_view(pull) for pull in pulls])


def _pull_view(pull: Pull) -> PullView:
    return PullView(module=pull.module, full=pull.full, pages=pull.pages, error=pull.error, **pull.counts.model_dump())
