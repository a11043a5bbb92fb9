"""Disputes: the CDRs about which a person decides. A decision is stored here, and settled by the settlement."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.payments.bill import CdrKey, CdrState, Dispute, judge
from charging.store.cdrs import of_session
from charging.store.engine import Database
from charging.store.events import add_event
from charging.store.inbox import Kind, add_message
from charging.store.settlements import billed_session
from charging.store.tables import cdrs, connections
from charging.tariffs.audit import CdrAudit


@dataclass(frozen=True)
class DisputedCdr:
    """A CDR with its dispute. ``problem`` is why it is in quarantine; ``connection`` the CPO's name."""

    id: str
    key: CdrKey
    cdr_id: str
    session_id: str | None
    connection: str
    dispute: Dispute
    state: CdrState
    problem: str | None
    audit: CdrAudit | None
    body: dict[str, Any]
    received_at: datetime
    decided_at: datetime | None


class CannotAccept(Exception):
    """What the person wants paid cannot be paid; the text says why."""


class DisputeStore:
    """Reads disputes and writes decisions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, dispute: Dispute, limit: int) -> list[DisputedCdr]:
        """The newest CDRs whose dispute stands so."""
        query = _DISPUTED.where(cdrs.c.dispute == dispute).order_by(cdrs.c.received_at.desc()).limit(limit)
        async with self._database.read() as connection:
            return [_disputed(row) for row in await connection.execute(query)]

    async def decide(self, dispute_id: str, decision: Dispute, now: datetime) -> DisputedCdr:
        """Accept or reject a disputed CDR and have its session settled again. A repeat changes nothing.

        Raises ``LookupError`` where there is no such dispute, ``CannotAccept``.
        """
        async with self._database.write() as connection:
            found = await _read(connection, dispute_id)
            if found.dispute is not decision:
                await self._decide(connection, found, decision, now)
            return await _read(connection, dispute_id)

    async def _decide(self, connection: AsyncConnection, found: DisputedCdr, decision: Dispute, now: datetime) -> None:
        session_id = found.session_id
        if session_id is None:
            if decision is Dispute.ACCEPTED:
                raise CannotAccept("it bills no session of ours")
            await _write(connection, found, dispute=decision, decided_at=now, state=CdrState.REJECTED)
            return
        session = await billed_session(connection, session_id, lock=True)
        stored = await of_session(connection, session_id)
        bill = judge([replace(s, dispute=decision) if s.key == found.key else s for s in stored], session)
        if decision is Dispute.ACCEPTED and (why := bill.problems.get(found.key)):
            raise CannotAccept(why)
        await _write(connection, found, dispute=decision, decided_at=now)
        await add_event(connection, session_id, f"dispute_{decision}", {"detail": found.cdr_id}, now)
        await add_message(connection, session_id, Kind.CDR, {"public_id": found.id}, now)


_DISPUTED = select(cdrs, connections.c.name).join(connections, connections.c.id == cdrs.c.connection_id)


async def _read(connection: AsyncConnection, dispute_id: str) -> DisputedCdr:
    query = _DISPUTED.where(cdrs.c.public_id == dispute_id, cdrs.c.dispute.is_not(None))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise LookupError(f"no dispute {dispute_id}")
    return _disputed(row)


async def _write(connection: AsyncConnection, found: DisputedCdr, **values: Any) -> None:
    await connection.execute(update(cdrs).where(cdrs.c.public_id == found.id).values(values))


def _disputed(row: Row[Any]) -> DisputedCdr:
    return DisputedCdr(
        id=row.public_id,
        key=(row.connection_id, row.country_code, row.party_id, row.folded_id),
        cdr_id=row.id,
        session_id=row.session_id,
        connection=row.name,
        dispute=Dispute(row.dispute),
        state=CdrState(row.state),
        problem=row.problem,
        audit=None if row.audit is None else CdrAudit.model_validate(row.audit),
        body=row.body,
        received_at=row.received_at,
        decided_at=row.decided_at,
    )
