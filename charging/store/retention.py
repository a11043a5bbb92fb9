"""What the outbox need not keep for ever: events, and what was delivered of them. A batch at a time.

Receipts, CDRs and the ledger are not touched: they stay. So does the newest event of each session, whose ``seq`` and
``position`` the next ones count on from.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, and_, delete, exists, or_, select

from charging.store.engine import Database
from charging.store.tables import events, job_reports, webhook_deliveries, webhooks

BATCH: Final = 500
_newer = events.alias("newer")
_HAS_NEWER: Final = exists().where(_newer.c.session_id == events.c.session_id, _newer.c.seq > events.c.seq)
_IS_DELIVERED_FROM: Final = or_(
    exists().where(webhook_deliveries.c.event_id == events.c.id),
    exists().where(job_reports.c.event_id == events.c.id),
)


class RetentionStore:
    """Deletes what is old and owed to nobody. Every call is safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prune_deliveries(self, before: datetime) -> bool:
        """Delete a batch of deliveries that were last due before then; whether there may be more.

        What a disabled webhook never got will never be delivered.
        """
        of = webhook_deliveries.c
        is_disabled = exists().where(webhooks.c.id == of.webhook_id, webhooks.c.disabled_at.is_not(None))
        is_old = and_(of.due_at < before, or_(of.state.in_(("delivered", "failed")), is_disabled))
        return await self._prune(webhook_deliveries, is_old, of.due_at)

    async def prune_reports(self, before: datetime) -> bool:
        """Delete a batch of reports to Robot Jobs that were last due before then; whether there may be more."""
        of = job_reports.c
        return await self._prune(job_reports, and_(of.due_at < before, of.state != "waiting"), of.place)

    async def prune_events(self, before: datetime, after: int) -> int | None:
        """Delete, of the batch of events behind the place ``after``, those that happened before then.

        Kept are the newest event of each session and those of which a delivery is kept. Answers the place up to
        which was looked; None behind the last batch with anything old, as places rise with time.
        """
        of = events.c
        query = select(of.id, of.position, of.at).where(of.position > after).order_by(of.position).limit(BATCH)
        async with self._database.write(many=True) as store:
            looked_at = (await store.execute(query)).all()
            old = [row.id for row in looked_at if row.at < before]
            if old:
                await store.execute(delete(events).where(of.id.in_(old), _HAS_NEWER, ~_IS_DELIVERED_FROM))
        return int(looked_at[-1].position) if old and len(looked_at) == BATCH else None

    async def _prune(self, table: Table, is_old: ColumnElement[bool], order: Column[Any]) -> bool:
        (key,) = table.primary_key
        async with self._database.write(many=True) as store:
            keys = (await store.scalars(select(key).where(is_old).order_by(order).limit(BATCH))).all()
            if keys:
                await store.execute(delete(table).where(key.in_(keys), is_old))
        return len(keys) == BATCH
