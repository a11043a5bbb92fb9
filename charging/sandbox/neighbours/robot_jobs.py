"""Robot Jobs: hears how the charging of its jobs goes.

- ``POST /v1/charging-events`` with Idempotency-Key  a session's change of status, kept once
- ``GET /admin/jobs?job_id=``  what it has heard of a job, in the order in which it came
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel

from charging.sandbox.neighbours.doors import known_caller
from charging.sandbox.persistence import Journal

_KIND = "job-report"


class Report(BaseModel):
    """One event of a job."""

    job_id: str
    event: dict[str, Any]


class Hearsay:
    """All that was heard, each event once."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._reports = journal.load(_KIND, Report)

    def hear(self, key: str, report: Report) -> bool:
        """Keep ``report``; False where its key is known."""
        if key in self._reports:
            return False
        self._journal.put((_KIND, key, report))
        self._reports[key] = report
        return True

    def of(self, job_id: str) -> list[dict[str, Any]]:
        """All of a job, in the order in which it came."""
        return [report.event for report in self._reports.values() if report.job_id == job_id]


router = APIRouter()


@router.post("/v1/charging-events", dependencies=[Depends(known_caller)])
async def hear(
    request: Request, event: dict[str, Any], key: Annotated[str, Header(alias="Idempotency-Key")]
) -> dict[str, bool]:
    """One event; a repeat changes nothing."""
    jobs: Hearsay = request.app.state.jobs
    return {"new": jobs.hear(key, Report(job_id=event["job_id"], event=event))}


@router.get("/admin/jobs")
async def job(request: Request, job_id: str) -> list[dict[str, Any]]:
    """All that was heard of a job."""
    jobs: Hearsay = request.app.state.jobs
    return jobs.of(job_id)
