"""The workflow's columns of a session: its decisions, with events and profile answers, in one transaction."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.session.answers import Publication
from charging.session.model import Meter
from charging.store.engine import Database
from charging.store.meter_row import METER_COLUMNS, meter_of
from charging.store.tables import events, evse_claims, ocpi_sessions, profile_requests, sessions


class DecisionStore:
    """What the workflow writes, and the one thing that it reads: the meter."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def admit(self, session_id: str) -> bool:
        """Turn ``accepted`` into ``running``, once; True also when it runs already, False when it was abandoned."""
        async with self._database.write() as connection:
            await connection.execute(
                update(sessions)
                .where(sessions.c.id == session_id, sessions.c.admission == "accepted")
                .values(admission="running")
            )
            admission = await connection.scalar(select(sessions.c.admission).where(sessions.c.id == session_id))
        return admission == "running"

    async def publish(self, publication: Publication) -> None:
        """Write the decisions unless newer ones are stored; events and answers are written once, whatever the order."""
        now = datetime.now(UTC)
        async with self._database.write() as connection:
            await _write_decisions(connection, publication, now)
            await _write_events(connection, publication)
            for answer in publication.answers:
                await connection.execute(
                    update(profile_requests)
                    .where(profile_requests.c.id == answer.request_id, profile_requests.c.state == "open")
                    .values(state=answer.state, result=answer.result, answered_at=now)
                )
            if publication.closed_at:
                await connection.execute(delete(evse_claims).where(evse_claims.c.session_id == publication.session_id))

    async def meter(self, session_id: str) -> Meter:
        """The stored meter."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(*METER_COLUMNS).where(sessions.c.id == session_id))).one()
        return meter_of(row)

    async def ocpi_session_is_over(self, connection_id: str, ocpi_session_id: str) -> bool:
        """Whether the CPO's Session is COMPLETED or INVALID in the store."""
        query = select(ocpi_sessions.c.status).where(
            ocpi_sessions.c.connection_id == connection_id, ocpi_sessions.c.id == ocpi_session_id
        )
        async with self._database.read() as connection:
            statuses = (await connection.scalars(query)).all()
        return any(status in ("COMPLETED", "INVALID") for status in statuses)


async def _write_decisions(connection: AsyncConnection, publication: Publication, now: datetime) -> None:
    stored = tuple_(sessions.c.decided_run, sessions.c.decided_length, sessions.c.decided_n)
    values: dict[str, Any] = {
        "status": publication.status,
        "phase": publication.phase,
        "reason": publication.reason.model_dump(mode="json") if publication.reason else None,
        "start_outcome": publication.start_outcome,
        "stop_sent_at": publication.stop_sent_at,
        "stop_accepted_at": publication.stop_accepted_at,
        "closed_at": publication.closed_at,
        "watch_until": publication.watch_until,
        "wake_kwh": publication.wake_kwh,
        "wake_cost": publication.wake_cost,
        "profile": publication.profile.model_dump(mode="json") if publication.profile else None,
        "ended_at": publication.ended_at,
        "decided_run": publication.run,
        "decided_length": publication.length,
        "decided_n": publication.n,
        "revision": sessions.c.revision + 1,
        "updated_at": now,
    }
    if publication.ask_cpo:
        values["poll_at"] = now
    newer = stored < tuple_(publication.run, publication.length, publication.n)
    await connection.execute(update(sessions).where(sessions.c.id == publication.session_id, newer).values(values))


async def _write_events(connection: AsyncConnection, publication: Publication) -> None:
    """Append the entries that are not there yet. An entry's id follows from its count, so a repeat is known."""
    if not publication.entries:
        return
    session_id = publication.session_id
    ids = {str(uuid.uuid5(uuid.UUID(session_id), f"workflow/{entry.n}")): entry for entry in publication.entries}
    known = set((await connection.scalars(select(events.c.id).where(events.c.id.in_(ids)))).all())
    last = await connection.scalar(select(func.max(events.c.seq)).where(events.c.session_id == session_id))
    fresh = [(event_id, entry) for event_id, entry in ids.items() if event_id not in known]
    rows = [
        {
            "session_id": session_id,
            "seq": seq,
            "id": event_id,
            "type": entry.type,
            "data": {"detail": entry.detail},
            "at": entry.at,
        }
        for seq, (event_id, entry) in enumerate(fresh, start=(last or 0) + 1)
    ]
    if rows:
        await connection.execute(insert(events), rows)
