"""``/healthz`` touches nothing, ``/readyz`` writes to the store and asks Temporal."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response

from api.schemas import LiveAnswer, ReadyAnswer
from api.services import Services
from api.workflow_calls import is_reachable
from charging.errors import StoreUnavailable
from charging.store.engine import Database
from charging.store.leases import LeaseStore

router = APIRouter(tags=["Health"])

_PATIENCE_S: Final = 2  # who asks waits no longer; a store that hangs would have both wait for minutes


@router.get("/healthz", response_model=LiveAnswer, summary="The process runs")
async def healthz() -> dict[str, str]:
    """Touches nothing: a database that is away must not have this process killed."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    response_model=ReadyAnswer,
    summary="The store and Temporal answer",
    responses={503: {"model": ReadyAnswer, "description": "One of them does not."}},
)
async def readyz(request: Request, response: Response) -> dict[str, object]:
    """200 when both answer, else 503 and which one does not."""
    services: Services = request.app.state.services
    store, temporal = await is_writable(services.database), await is_reachable(services.temporal)
    ready = store and temporal
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not_ready", "store": store, "temporal": temporal}


async def is_writable(database: Database) -> bool:
    """Whether something can be written within 2 s: from a disk that is full, everything can still be read."""
    now = datetime.now(UTC)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await LeaseStore(database).take("readiness", now=now, until=now)
    except (StoreUnavailable, TimeoutError):
        return False
    return True
