"""What a restored store and a restored Temporal must be told of each other (docs/backup.md)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from charging.session.model import Meter, SessionSpec, Status
from charging.store.engine import Database
from charging.store.meter_row import METER_COLUMNS, meter_of
from charging.store.tables import commands, inbox, sessions

_LIVE = (Status.PENDING, Status.ACTIVE, Status.STOPPING)
_NEVER = 2**31 - 1  # as the run of a decision: no workflow gets so far


@dataclass(frozen=True)
class OpenSession:
    """A session that is not over in the store.

    ``is_stopping``: somebody wished it to end, or it has ended. ``is_unsent``: its START_SESSION has never left.
    """

    spec: SessionSpec
    meter: Meter
    is_stopping: bool
    is_unsent: bool


class RestoredStore:
    """Reads what is open, and lets decisions and messages be taken again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_sessions(self) -> list[OpenSession]:
        """Every session that has begun and is not over."""
        query = (
            select(sessions.c.spec, sessions.c.status, commands.c.state.label("start"), *METER_COLUMNS)
            .join(commands, commands.c.session_id == sessions.c.id)
            .where(commands.c.command == "START_SESSION")
            .where(sessions.c.admission == "running", sessions.c.status.in_(_LIVE))
            .order_by(sessions.c.created_at)
        )
        async with self._database.read() as connection:
            return [_open_session(row) for row in await connection.execute(query)]

    async def status(self, session_id: str) -> Status | None:
        """A session's status; None where the store does not know it."""
        async with self._database.read() as connection:
            found = await connection.scalar(select(sessions.c.status).where(sessions.c.id == session_id))
        return Status(found) if found else None

    async def take_any_decision(self, session_id: str) -> None:
        """The workflow is behind the store: what it says next is taken although it counts from further back."""
        await self._set_run(session_id, 0)

    async def take_no_decision(self, session_id: str) -> None:
        """The session is over, and its workflow does not know it yet: nothing that it says opens it again."""
        await self._set_run(session_id, _NEVER)

    async def redeliver(self, session_ids: Collection[str], now: datetime) -> int:
        """Have these sessions' workflows told again what CPOs said lately; how many messages.

        The inbox keeps what it has delivered for a day.
        """
        count = 0
        async with self._database.write(many=True) as connection:
            for session_id in session_ids:
                again = update(inbox).where(inbox.c.session_id == session_id, inbox.c.state == "delivered")
                count += (await connection.execute(again.values(state="waiting", due_at=now))).rowcount
        return count

    async def _set_run(self, session_id: str, run: int) -> None:
        values = {"decided_run": run, "decided_length": 0, "decided_n": 0}
        async with self._database.write() as connection:
            await connection.execute(update(sessions).where(sessions.c.id == session_id).values(values))


def _open_session(row: Row[*tuple[Any, ...]]) -> OpenSession:
    return OpenSession(
        spec=SessionSpec.model_validate(row.spec),
        meter=meter_of(row),
        is_stopping=row.status == Status.STOPPING,
        is_unsent=row.start == "ready",
    )
