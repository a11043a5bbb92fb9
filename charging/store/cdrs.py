"""The stored CDRs of a session, as settlement sees them. The receiver inserts them; here they get their states."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.wire import VERSION
from charging.payments.bill import CdrState, Dispute, StoredCdr
from charging.store.exact_json import to_json
from charging.store.tables import cdrs
from charging.tariffs.audit import CdrAudit


async def of_session(connection: AsyncConnection, session_id: str) -> list[StoredCdr]:
    """All CDRs of a session in any state, exactly as received; those of other versions as OCPI 2.2.1 has them."""
    rows = await connection.execute(select(cdrs).where(cdrs.c.session_id == session_id))
    return [
        StoredCdr(
            key=(row.connection_id, row.country_code, row.party_id, row.folded_id),
            id=row.id,
            raw=row.raw if row.version == VERSION else to_json(row.body),
            state=CdrState(row.state),
            problem=row.problem,
            received_at=row.received_at,
            audit=None if row.audit is None else CdrAudit.model_validate(row.audit),
            dispute=None if row.dispute is None else Dispute(row.dispute),
            due_minor=row.due_minor,
        )
        for row in rows
    ]


async def mark(connection: AsyncConnection, cdr: StoredCdr) -> None:
    """Write what became of a CDR: state, problem, audit, dispute, and what it adds to what is owed."""
    connection_id, country_code, party_id, folded_id = cdr.key
    await connection.execute(
        update(cdrs)
        .where(
            cdrs.c.connection_id == connection_id,
            cdrs.c.country_code == country_code,
            cdrs.c.party_id == party_id,
            cdrs.c.folded_id == folded_id,
        )
        .values(
            state=cdr.state,
            problem=cdr.problem,
            audit=None if cdr.audit is None else cdr.audit.model_dump(mode="json"),
            dispute=cdr.dispute,
            due_minor=cdr.due_minor,
        )
    )
