"""Tells Robot Jobs how the charging of its jobs goes (docs/neighbours.md). Runs in the API's process.

What is owed lies in the store, so a crash or an absent neighbour only delays it: at least once, in order per session.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from charging.errors import NeighbourRefused, NeighbourUnavailable, StoreUnavailable
from charging.neighbours.call import Neighbour
from charging.settings import Settings
from charging.store.engine import Database
from charging.store.job_reports import JobReportStore, Report
from charging.store.leases import LeaseStore

LOOK_EVERY_S: Final = 0.5
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 600
AT_ONCE: Final = 16
_LEASE: Final = "robot-jobs"
_ABOUT_US: Final = (401, 403)  # our key: people will put it right, and then all of it is to be told

logger = logging.getLogger(__name__)


class JobReporter:
    """Reports what is due. Of several processes one does, by a lease, so that the order is kept."""

    def __init__(self, neighbour: Neighbour, database: Database, timeout_s: float) -> None:
        self._neighbour = neighbour
        self._reports = JobReportStore(database)
        self._leases = LeaseStore(database)
        self._lease = timedelta(seconds=timeout_s + 5)  # longer than a round

    async def run(self) -> None:
        """For ever. Cancel to stop."""
        while True:
            try:
                await self.look()
            except StoreUnavailable:
                logger.warning("the job reporter cannot use the store")
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Report one change of each session that has something due."""
        now = datetime.now(UTC)
        if not await self._reports.due(now, 1):
            return
        if not await self._leases.take(_LEASE, now=now, until=now + self._lease):
            return
        try:
            # Read again under the lease: another process may have reported meanwhile.
            due = await self._reports.due(datetime.now(UTC), AT_ONCE)
            await asyncio.gather(*(self._report(report) for report in due))
        finally:
            await self._leases.give_back(_LEASE, datetime.now(UTC))

    async def _report(self, report: Report) -> None:
        try:
            await self._neighbour.post("/v1/charging-events", _body(report), key=report.event_id)
        except NeighbourRefused as error:
            if error.http_status in _ABOUT_US:
                await self._postpone(report, error)
                return
            logger.warning("Robot Jobs refuses a report: %s", error, extra={"session_id": report.session_id})
            await self._reports.settle(report, problem=str(error))
        except NeighbourUnavailable as error:
            await self._postpone(report, error)
        else:
            await self._reports.settle(report, problem=None)

    async def _postpone(self, report: Report, error: Exception) -> None:
        delay = min(FIRST_DELAY_S * 2 ** min(report.attempts, 20), LONGEST_DELAY_S)
        await self._reports.postpone(report, datetime.now(UTC) + timedelta(seconds=delay), str(error))


def job_reporter(settings: Settings, database: Database) -> JobReporter | None:
    """The reporter, where Robot Jobs is a neighbour."""
    if settings.robot_jobs_url is None:
        return None
    timeout_s = settings.neighbour_timeout_s
    neighbour = Neighbour("Robot Jobs", settings.robot_jobs_url, settings.robot_jobs_key, timeout_s)
    return JobReporter(neighbour, database, timeout_s)


def _body(report: Report) -> dict[str, object]:
    return {
        "id": report.event_id,
        "type": "session.status",
        "job_id": report.job_id,
        "robot_id": report.robot_id,
        "session_id": report.session_id,
        "at": report.at,
        "seq": report.seq,
        "data": report.data,
    }
