"""Robot Jobs: hears how the charging of its jobs goes.

- ``POST /v1/charging-events`` with Idempotency-Key  a session's change of status, kept once
- ``GET /admin/jobs?job_id=``  what it has heard of a job, in the order in which it came
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request

from charging.sandbox.neighbours.doors import known_caller

router = APIRouter()


@router.post("/v1/charging-events", dependencies=[Depends(known_caller)])
async def hear(
    request: Request, event: dict[str, Any], key: Annotated[str, Header(alias="Idempotency-Key")]
) -> dict[str, bool]:
    """One event; a repeat changes nothing."""
    heard: dict[str, dict[str, Any]] = request.app.state.jobs.setdefault(event["job_id"], {})
    is_new = key not in heard
    heard.setdefault(key, event)
    return {"new": is_new}


@router.get("/admin/jobs")
async def job(request: Request, job_id: str) -> list[dict[str, Any]]:
    """All that was heard of a job."""
    return list(request.app.state.jobs.get(job_id, {}).values())
