"""Asynchronous results of commands and charging profiles: the first one counts (OCPI 2.2.1 §13.2, §14.2)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.wire import fold
from charging.session.model import SessionSpec
from charging.session.profile import ChargingPlan
from charging.store.tables import commands, ocpi_sessions, sessions


@dataclass(frozen=True)
class SentCommand:
    """What a command of ours is about: a session, a reservation, or neither."""

    session_id: str | None
    reservation_id: str | None


async def sent_command(
    connection: AsyncConnection, connection_id: str, kind: str, command_id: str
) -> SentCommand | None:
    """What a command to this peer is about; None where there is no such command."""
    query = select(commands.c.session_id, commands.c.reservation_id).where(
        commands.c.id == command_id, commands.c.connection_id == connection_id, commands.c.command == kind
    )
    row = (await connection.execute(query)).first()
    return None if row is None else SentCommand(*row)


async def keep_result(connection: AsyncConnection, command_id: str, result: dict[str, Any], now: datetime) -> bool:
    """Store the result if it is the command's first; whether it was."""
    stored = await connection.execute(
        update(commands)
        .where(commands.c.id == command_id, commands.c.result_at.is_(None))
        .values(result=result, result_at=now)
    )
    return stored.rowcount == 1


@dataclass(frozen=True)
class PlannedSession:
    """A session of ours and the plan in force, where there is one."""

    session_id: str
    spec: SessionSpec
    plan: ChargingPlan | None


async def session_of_profile(
    connection: AsyncConnection, connection_id: str, ocpi_session_id: str
) -> PlannedSession | None:
    """The session of ours whose CPO Session this is, locked. Its id has no owner in it: the peer tells them apart."""
    charged = select(ocpi_sessions.c.session_id).where(
        ocpi_sessions.c.connection_id == connection_id,
        ocpi_sessions.c.id == fold(ocpi_session_id),
        ocpi_sessions.c.parked.is_(False),
    )
    query = select(sessions.c.id, sessions.c.spec, sessions.c.profile).where(sessions.c.id.in_(charged))
    row = (await connection.execute(query.limit(1).with_for_update())).first()
    if row is None:
        return None
    plan = ChargingPlan.model_validate(row.profile) if row.profile else None
    return PlannedSession(row.id, SessionSpec.model_validate(row.spec), plan)
