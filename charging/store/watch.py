"""What the sweeper looks at: silent CPOs, starts that never began, claims that outlived their session."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, exists, or_, select, update

from charging.session.model import CpoStatus, Status
from charging.session.polling import Watched
from charging.store.engine import Database
from charging.store.tables import cdrs, evse_claims, sessions

CLAIMS_AT_ONCE = 50
BATCH = 500
_LIVE = (Status.PENDING, Status.ACTIVE, Status.STOPPING)
_BILLED = exists().where(cdrs.c.session_id == sessions.c.id)


_COLUMNS: tuple[ColumnElement[Any], ...] = (
    sessions.c.id,
    sessions.c.connection_id,
    sessions.c.status,
    sessions.c.cpo_status,
    sessions.c.ocpi_session_id,
    sessions.c.created_at,
    sessions.c.meter_updated_at,
    sessions.c.cpo_ended_at,
    sessions.c.ended_at,
    sessions.c.watch_until,
    _BILLED.label("is_billed"),
)


class WatchStore:
    """Reads and dates the sweeper's work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def silent(self, now: datetime, *, of: str | None = None, but: Collection[str] = ()) -> list[Watched]:
        """The sessions whose CPO is to be asked by now, of one connection or of all ``but`` some: the longest silent
        first, 500 at most."""
        of_whom = sessions.c.connection_id.not_in(but) if of is None else sessions.c.connection_id == of
        query = select(*_COLUMNS).where(sessions.c.poll_at <= now, of_whom).order_by(sessions.c.poll_at).limit(BATCH)
        async with self._database.read() as connection:
            return [_watched(row) for row in await connection.execute(query)]

    async def watched(self, session_id: str) -> Watched:
        """One session as it stands."""
        async with self._database.read() as connection:
            return _watched((await connection.execute(select(*_COLUMNS).where(sessions.c.id == session_id))).one())

    async def ask_again(self, dates: Mapping[str, datetime | None], asked_at: datetime) -> None:
        """When to ask next about each session; None: never. One that was heard of since ``asked_at`` has its date."""
        rows = [{"key_id": session_id, "next": at} for session_id, at in sorted(dates.items())]
        statement = (
            update(sessions)
            .where(sessions.c.id == bindparam("key_id"), sessions.c.poll_at <= asked_at)
            .values(poll_at=bindparam("next", type_=sessions.c.poll_at.type))
        )
        if rows:
            async with self._database.write() as connection:
                await connection.execute(statement, rows)

    async def ask_all(self, now: datetime, connection_id: str | None = None) -> None:
        """Pushes may have been lost: ask about every session that is not over, or about those of one connection."""
        watched = or_(sessions.c.poll_at.is_not(None), sessions.c.status.in_(_LIVE) & ~_BILLED)
        which = [watched, sessions.c.admission == "running"]
        which += [] if connection_id is None else [sessions.c.connection_id == connection_id]
        async with self._database.write(many=True) as connection:
            await connection.execute(update(sessions).where(*which).values(poll_at=now))

    async def arm(self, now: datetime, silence: timedelta) -> None:
        """Ask about sessions of which no push has come since they were started, within the last hour."""
        started = sessions.c.created_at.between(now - silence - timedelta(hours=1), now - silence)
        unheard = (sessions.c.poll_at.is_(None), sessions.c.status.in_(_LIVE), ~_BILLED)
        async with self._database.write(many=True) as connection:
            await connection.execute(
                update(sessions).where(sessions.c.admission == "running", started, *unheard).values(poll_at=now)
            )

    async def never_begun(self, before: datetime) -> list[str]:
        """Sessions accepted before ``before`` that no workflow has taken up."""
        query = select(sessions.c.id).where(sessions.c.admission == "accepted", sessions.c.created_at < before)
        async with self._database.read() as connection:
            return list((await connection.scalars(query.limit(BATCH))).all())

    async def quiet_claims(self, before: datetime, after: str = "") -> list[Watched]:
        """Sessions that hold an EVSE and have not changed since ``before``: the next ones by id ``after`` one."""
        query = (
            select(*_COLUMNS)
            .join(evse_claims, evse_claims.c.session_id == sessions.c.id)
            .where(sessions.c.admission == "running", sessions.c.updated_at < before, sessions.c.id > after)
            .order_by(sessions.c.id)
            .limit(CLAIMS_AT_ONCE)
        )
        async with self._database.read() as connection:
            return [_watched(row) for row in await connection.execute(query)]

    async def free_claim(self, session_id: str) -> None:
        """The EVSE may be used by others."""
        async with self._database.write() as connection:
            await connection.execute(delete(evse_claims).where(evse_claims.c.session_id == session_id))


def _watched(row: Row[Any]) -> Watched:
    return Watched(
        id=row.id,
        connection_id=row.connection_id,
        status=Status(row.status),
        cpo_status=CpoStatus(row.cpo_status) if row.cpo_status else None,
        ocpi_session_id=row.ocpi_session_id,
        created_at=row.created_at,
        heard_at=row.meter_updated_at,
        cpo_ended_at=row.cpo_ended_at,
        ended_at=row.ended_at,
        watch_until=row.watch_until,
        is_billed=row.is_billed,
    )
