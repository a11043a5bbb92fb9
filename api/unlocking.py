"""``POST /ocpi/unlock``: the help desk frees a cable that is stuck. ``X-API-Key``."""

import asyncio
import time
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api import documentation as doc
from api.admin import require_admin
from api.branch import Branch
from api.desk import desk_of
from api.reserving import build_commander
from api.services import Services
from api.strict_json import strict_body
from charging.errors import PeerError, PeerRefused, Problem
from charging.ocpi.wire import MAX_ID
from charging.store.commands import CommandStore
from charging.store.evse_match import EvseMatch

POLL_S = 0.1

router = Branch(
    prefix="/ocpi",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    responses=doc.problems("unauthorized", "service_unavailable"),
)


class UnlockRequest(BaseModel):
    """Which connector; may be left out where the EVSE has one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    evse_id: Annotated[str, Field(min_length=1, max_length=64)]
    connector_id: Annotated[str, Field(min_length=1, max_length=MAX_ID)] | None = None


class UnlockAnswer(BaseModel):
    """``response``: the CPO's; ``result``: the charge point's, null where it has not come (OCPI 2.2.1 §13.3)."""

    evse_id: str
    connector_id: str
    response: str
    result: str | None


@router.post(
    "/unlock",
    responses=doc.problems(
        *doc.BODY_CODES, "evse_not_found", "connector_not_available", "cpo_refused", "cpo_unreachable"
    ),
    openapi_extra=doc.body(UnlockRequest),
)
async def unlock(
    request: Request, wanted: Annotated[UnlockRequest, Depends(strict_body(UnlockRequest))]
) -> UnlockAnswer:
    """Unlock a connector, and wait some seconds for the charge point's word."""
    services: Services = request.app.state.services
    match = await desk_of(request).refresh.find(wanted.evse_id)
    if match is None:
        raise Problem(404, "evse_not_found", "No connected network has this EVSE.")
    connector_id = _connector(match, wanted.connector_id)
    try:
        command_id, response = await build_commander(services).unlock(match, connector_id)
    except PeerRefused as error:
        raise Problem(502, "cpo_refused", f"{error}.") from error
    except PeerError as error:
        raise Problem(502, "cpo_unreachable", f"{error}.") from error
    patience = services.settings.profile_wait_s if response.result == "ACCEPTED" else 0
    result = await _result(CommandStore(services.database, services.connections), command_id, patience)
    return UnlockAnswer(evse_id=wanted.evse_id, connector_id=connector_id, response=response.result, result=result)


def _connector(match: EvseMatch, wanted: str | None) -> str:
    ids = [connector.id for connector in match.connectors]
    if wanted is None and len(ids) == 1:
        return ids[0]
    if wanted is None or wanted not in ids:
        raise Problem(422, "connector_not_available", "Name one of the EVSE's connectors.", connectors=ids)
    return wanted


async def _result(commands: CommandStore, command_id: str, patience: float) -> str | None:
    deadline = time.monotonic() + patience
    while True:
        result = await commands.result(command_id)
        if result is not None or time.monotonic() >= deadline:
            return result
        await asyncio.sleep(POLL_S)
