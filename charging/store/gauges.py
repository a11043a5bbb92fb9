"""What operators watch of the store: how many there are of each, and for how long the oldest has waited."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Executable, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.store.engine import Database
from charging.store.tables import cdrs, events, inbox, job_reports, sessions, webhook_deliveries, webhooks


@dataclass(frozen=True)
class Queue:
    """``waiting`` rows, the oldest of them for ``oldest_s`` seconds; ``lost``: those that nobody tries any more."""

    waiting: int
    oldest_s: float
    lost: int = 0


@dataclass(frozen=True)
class Gauges:
    """``open_sessions`` by (network, status, phase), ``disputes`` that a person has to decide, and what waits:

    ``inbox``: messages of CPOs for workflows; ``settlement``: CDRs; ``events``: those without a place in the stream;
    ``webhooks``: deliveries, but to no webhook that wants no more; ``job_reports``: what Robot Jobs has not heard of.
    The last two wait from when they were owed, not from their last attempt: that each failed attempt moves.
    """

    open_sessions: Mapping[tuple[str, str, str], int]
    disputes: int
    queues: Mapping[str, Queue]


# The very words of the partial index ``ix_sessions_open``: SQLite takes an index only for the same condition.
_IS_OPEN: Final = text("status IN ('pending', 'active', 'stopping')")
_OPEN: Final = (
    select(sessions.c.network, sessions.c.status, func.coalesce(sessions.c.phase, ""), func.count())
    .where(_IS_OPEN)
    .group_by(sessions.c.network, sessions.c.status, sessions.c.phase)
)
_DISPUTES: Final = select(func.count()).where(cdrs.c.dispute == "open")
_IS_UNTOLD: Final = job_reports.c.state == "waiting"
_FIRST_UNTOLD: Final = select(func.min(job_reports.c.place)).where(_IS_UNTOLD).scalar_subquery()
_QUEUES: Final[dict[str, tuple[Executable, Executable | None]]] = {
    "inbox": (
        select(func.count(), func.min(inbox.c.received_at)).where(inbox.c.state == "waiting"),
        select(func.count()).where(inbox.c.state == "dead"),
    ),
    "settlement": (select(func.count(), func.min(cdrs.c.received_at)).where(text("cdrs.state = 'received'")), None),
    "events": (select(func.count(), func.min(events.c.at)).where(events.c.position.is_(None)), None),
    "webhooks": (
        select(func.count(), func.min(webhook_deliveries.c.created_at)).where(
            webhook_deliveries.c.state == "waiting",
            webhook_deliveries.c.webhook_id.in_(select(webhooks.c.id).where(webhooks.c.disabled_at.is_(None))),
        ),
        select(func.count()).where(webhook_deliveries.c.state == "failed"),
    ),
    "job_reports": (
        select(func.count(), select(events.c.at).where(events.c.position == _FIRST_UNTOLD).scalar_subquery()).where(
            _IS_UNTOLD
        ),
        select(func.count()).where(job_reports.c.state == "refused"),
    ),
}


async def read_gauges(database: Database, now: datetime) -> Gauges:
    """What there is at ``now``. Raises ``StoreUnavailable``."""
    async with database.read() as connection:
        rows = (await connection.execute(_OPEN)).all()
        disputes = await connection.scalar(_DISPUTES)
        queues = {name: await _queue(connection, *queries, now) for name, queries in _QUEUES.items()}
    open_sessions = {(network, status, phase): count for network, status, phase, count in rows}
    return Gauges(open_sessions, disputes or 0, queues)


async def _queue(connection: AsyncConnection, waiting: Executable, lost: Executable | None, now: datetime) -> Queue:
    count, oldest = (await connection.execute(waiting)).one()
    oldest_s = max((now - oldest).total_seconds(), 0) if oldest else 0
    return Queue(count, oldest_s, (await connection.scalar(lost) or 0) if lost is not None else 0)
