"""What Robot Jobs is owed: each change of status of a session that has a ``job_id``, in order within the session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.session.events import EventType
from charging.store.engine import Database
from charging.store.outbox import PlacedEvent
from charging.store.tables import events, job_reports, sessions

_R = job_reports.c


@dataclass(frozen=True)
class Report:
    """One change of status that is to be reported. ``event_id`` is the same for ever."""

    event_id: str
    session_id: str
    job_id: str
    robot_id: str | None
    at: datetime
    seq: int
    data: dict[str, Any]
    attempts: int


async def owe(store: AsyncConnection, placed: Sequence[PlacedEvent], now: datetime) -> None:
    """Write the reports of events that were numbered just now, in that transaction."""
    changes = [each for each in placed if each.event.type is EventType.STATUS]
    if not changes:
        return
    ids = sorted({each.event.session_id for each in changes})
    with_job = select(sessions.c.id).where(sessions.c.id.in_(ids), sessions.c.job_id.is_not(None))
    of_jobs = set((await store.scalars(with_job)).all())
    owed = [_owed(each, now) for each in changes if each.event.session_id in of_jobs]
    if owed:
        await store.execute(insert(job_reports), owed)


def _owed(placed: PlacedEvent, now: datetime) -> dict[str, Any]:
    return {
        "event_id": placed.event.id,
        "session_id": placed.event.session_id,
        "place": placed.place,
        "state": "waiting",
        "attempts": 0,
        "due_at": now,
    }


class JobReportStore:
    """Rows of ``job_reports``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, now: datetime, most: int) -> list[Report]:
        """The oldest report of each session that waits, where it is due: a later one never overtakes it."""
        oldest = select(func.min(_R.place)).where(_R.state == "waiting").group_by(_R.session_id)
        query = (
            select(
                _R.event_id,
                _R.session_id,
                sessions.c.job_id,
                sessions.c.robot_id,
                events.c.at,
                events.c.seq,
                events.c.data,
                _R.attempts,
            )
            .join(events, events.c.id == _R.event_id)
            .join(sessions, sessions.c.id == _R.session_id)
            .where(_R.place.in_(oldest), _R.due_at <= now)
            .order_by(_R.place)
            .limit(most)
        )
        async with self._database.read() as store:
            return [Report(*row) for row in (await store.execute(query)).all()]

    async def settle(self, report: Report, *, problem: str | None) -> None:
        """It is delivered, or with a ``problem`` refused for good."""
        await self._update(report, state="delivered" if problem is None else "refused", problem=problem)

    async def postpone(self, report: Report, until: datetime, problem: str) -> None:
        """It is tried again."""
        await self._update(report, due_at=until, problem=problem)

    async def _update(self, report: Report, **values: Any) -> None:
        async with self._database.write() as store:
            await store.execute(
                update(job_reports).where(_R.event_id == report.event_id).values(**values, attempts=report.attempts + 1)
            )
