"""The commands that we send to CPOs: written before they leave, so that no crash can send START_SESSION twice."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Row, and_, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.errors import PeerNotReached
from charging.ocpi.wire import Party
from charging.session.answers import StartAnswer
from charging.session.model import SessionSpec
from charging.store.connections import Connection, ConnectionStore
from charging.store.engine import Database
from charging.store.evse_turns import HELD_FOR, turn_of
from charging.store.leases import end_lease, take_lease
from charging.store.tables import commands, sessions, tokens


@dataclass(frozen=True)
class PreparedStart:
    """The START_SESSION of a session, whole, as POST /v1/sessions/start has stored it.

    ``turn``: the lease on its EVSE, taken when it begins. ``was_sending``: an earlier attempt had begun to send.
    ``answer``: what it heard, where it heard something.
    """

    command_id: str
    turn: str
    connection_id: str
    party: Party
    location_id: str
    evse_uid: str
    connector_id: str
    authorization_reference: str
    token: dict[str, Any]
    was_sending: bool
    answer: StartAnswer | None


_START_OF: Final = (
    select(commands, sessions.c.spec, tokens.c.body.label("token"))
    .join(sessions, sessions.c.id == commands.c.session_id)
    .join(tokens, and_(tokens.c.uid == sessions.c.token_uid, tokens.c.type == sessions.c.token_type))
    .where(commands.c.session_id == bindparam("of"), commands.c.command == "START_SESSION")
)


class CommandStore:
    """Rows of ``commands``: ready → sending → answered."""

    def __init__(self, database: Database, connections: ConnectionStore) -> None:
        self._database = database
        self._connections = connections

    async def start_of(self, session_id: str) -> PreparedStart:
        """The session's START_SESSION as it stands; nothing is changed."""
        async with self._database.read() as connection:
            row = (await connection.execute(_START_OF, {"of": session_id})).one()
        return _prepared(row, SessionSpec.model_validate(row.spec))

    async def begin_start(self, session_id: str) -> PreparedStart:
        """Mark the session's START_SESSION as ``sending``, committed before this returns.

        Raises ``PeerNotReached`` while another command to its EVSE is under way.
        """
        now = datetime.now(UTC)
        async with self._database.write() as connection:
            # Of two attempts at once (the first one stalled) the second must see that the first one sends.
            locked = _START_OF.with_for_update(of=commands)
            row = (await connection.execute(locked, {"of": session_id})).one()
            spec = SessionSpec.model_validate(row.spec)
            turn = turn_of(spec)
            if row.state == "ready" and not await take_lease(connection, turn, now=now, until=now + HELD_FOR):
                raise PeerNotReached("another command to this EVSE is under way")
            await connection.execute(
                update(commands)
                .where(commands.c.id == row.id, commands.c.state == "ready")
                .values(state="sending", sent_at=now)
            )
        return _prepared(row, spec)

    async def not_sent(self, start: PreparedStart) -> None:
        """The CPO has taken nothing: the command may be sent after all."""
        async with self._database.write() as connection:
            await connection.execute(update(commands).where(commands.c.id == start.command_id).values(state="ready"))
            await end_lease(connection, start.turn, datetime.now(UTC))

    async def started(self, start: PreparedStart, answer: StartAnswer) -> None:
        """Keep what came of START_SESSION."""
        async with self._database.write() as connection:
            await _answered(connection, start.command_id, answer)
            await end_lease(connection, start.turn, datetime.now(UTC))

    async def responded(self, command_id: str, response: BaseModel) -> None:
        """Keep a CommandResponse or ChargingProfileResponse."""
        async with self._database.write() as connection:
            await _answered(connection, command_id, response)

    async def note(
        self,
        command_id: str,
        session_id: str | None,
        connection_id: str,
        command: str,
        *,
        reservation_id: str | None = None,
    ) -> None:
        """Store a repeatable command before it leaves, so that its result is known when it comes."""
        now = datetime.now(UTC)
        row = {
            "id": command_id,
            "session_id": session_id,
            "reservation_id": reservation_id,
            "connection_id": connection_id,
            "command": command,
            "state": "sending",
            "created_at": now,
            "sent_at": now,
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(commands).values(row))
        except IntegrityError:
            return  # a second attempt of the same activity

    async def result(self, command_id: str) -> str | None:
        """The first CommandResult that has come for a command."""
        async with self._database.read() as connection:
            stored = await connection.scalar(select(commands.c.result).where(commands.c.id == command_id))
        return None if stored is None else str(stored["result"])

    async def spec_of(self, session_id: str) -> SessionSpec:
        """The fixed facts of a session: the CPO and the EVSE that a command about it goes to."""
        async with self._database.read() as connection:
            stored = await connection.scalar(select(sessions.c.spec).where(sessions.c.id == session_id))
        return SessionSpec.model_validate(stored)

    async def connection_of(self, session_id: str) -> tuple[Connection, datetime]:
        """The connection of a session, and when the session was created."""
        async with self._database.read() as connection:
            row = (
                await connection.execute(
                    select(sessions.c.connection_id, sessions.c.created_at).where(sessions.c.id == session_id)
                )
            ).one()
        if (peer := await self._connections.get(row.connection_id)) is None:
            raise LookupError("a session without its connection")  # a foreign key forbids it
        return peer, row.created_at


def _prepared(row: Row[Any], spec: SessionSpec) -> PreparedStart:
    return PreparedStart(
        command_id=row.id,
        turn=turn_of(spec),
        connection_id=row.connection_id,
        party=Party(spec.country_code, spec.party_id),
        location_id=spec.location_id,
        evse_uid=spec.evse_uid,
        connector_id=spec.connector_id,
        authorization_reference=spec.authorization_reference,
        token=row.token,
        was_sending=row.state == "sending",
        answer=StartAnswer.model_validate(row.response) if row.state == "answered" else None,
    )


async def _answered(connection: AsyncConnection, command_id: str, answer: BaseModel) -> None:
    await connection.execute(
        update(commands)
        .where(commands.c.id == command_id)
        .values(state="answered", response=answer.model_dump(mode="json"))
    )
