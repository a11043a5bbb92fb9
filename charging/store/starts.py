"""Starting a session once: the one transaction behind ``POST /v1/sessions/start`` (docs/adr/0005).

Truth for "once" are two unique rows: the idempotency key of a user, and the claim on an EVSE. Workflow ids are
forgotten after Temporal's retention; these rows are not.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.errors import Problem
from charging.session.model import Phase, SessionSpec, StartOutcome, Status
from charging.store.engine import Database
from charging.store.tables import commands, evse_claims, idempotency_keys, sessions, tokens

START_SESSION = "START_SESSION"


@dataclass(frozen=True)
class NewSession:
    """A session as ordered. ``token`` is the one-time OCPI Token, ``tariff`` the connector's at this time."""

    spec: SessionSpec
    user_id: str
    metadata: dict[str, str]
    target_kwh: Decimal | None
    tariff: dict[str, Any] | None
    time_zone: str | None
    token: dict[str, Any]


@dataclass(frozen=True)
class Started:
    """A session that was started, now or before (``repeated``). ``admission``: accepted, running or abandoned."""

    spec: SessionSpec
    status: Status
    admission: str
    repeated: bool


class StartStore:
    """Writes what a start needs, all or nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def repeat_of(self, user_id: str, key: str, body_hash: str) -> Started | None:
        """The session that this key has started. Raises ``Problem`` 422 when it came with another body."""
        query = (
            _started_query(idempotency_keys.c.body_hash)
            .join(idempotency_keys, idempotency_keys.c.session_id == sessions.c.id)
            .where(idempotency_keys.c.user_id == user_id, idempotency_keys.c.key == key)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        if row.body_hash != body_hash:
            raise Problem(422, "idempotency_key_reused", "This Idempotency-Key was used with another request.")
        return _started(row)

    async def begin(self, new: NewSession, key: str | None, body_hash: str) -> Started:
        """Store the session under the user's Idempotency-Key, or find the one that the same key stored a moment ago.

        Raises ``Problem`` 409 ``evse_busy`` when another session has the EVSE.
        """
        try:
            async with self._database.write() as connection:
                await _insert(connection, new, key, body_hash)
        except IntegrityError:
            # Whoever was first has committed by now: it was this key, or somebody else has the EVSE.
            first = await self.repeat_of(new.user_id, key, body_hash) if key else None
            if first is None:
                raise Problem(409, "evse_busy", "Another session has this EVSE.") from None
            return first
        return Started(new.spec, Status.PENDING, "accepted", repeated=False)

    async def admission(self, session_id: str) -> str | None:
        """accepted, running or abandoned."""
        async with self._database.read() as connection:
            return await connection.scalar(select(sessions.c.admission).where(sessions.c.id == session_id))

    async def abandon(self, session_id: str) -> bool:
        """Take back a session whose workflow never began, its EVSE claim and its key; False when it runs already.

        The workflow's first step is the opposite turn, ``accepted`` to ``running``; whichever comes first wins.
        """
        async with self._database.write() as connection:
            abandoned = await connection.execute(
                update(sessions)
                .where(sessions.c.id == session_id, sessions.c.admission == "accepted")
                .values(admission="abandoned")
            )
            if abandoned.rowcount == 0:
                return False
            await connection.execute(delete(evse_claims).where(evse_claims.c.session_id == session_id))
            await connection.execute(delete(idempotency_keys).where(idempotency_keys.c.session_id == session_id))
            await connection.execute(update(tokens).where(tokens.c.session_id == session_id).values(valid=False))
        return True


def _started_query(*more: Any) -> Select[Any]:
    return select(sessions.c.spec, sessions.c.status, sessions.c.admission, *more).select_from(sessions)


def _started(row: Any) -> Started:
    return Started(SessionSpec.model_validate(row.spec), Status(row.status), row.admission, repeated=True)


async def _insert(connection: AsyncConnection, new: NewSession, key: str | None, body_hash: str) -> None:
    """Session, key, claim, token, command: in this order, so that a second start waits at the first row it shares."""
    spec, now = new.spec, new.spec.created_at
    await connection.execute(insert(sessions).values(_session_row(new)))
    if key is not None:
        await connection.execute(
            insert(idempotency_keys).values(
                user_id=new.user_id,
                key=key,
                body_hash=body_hash,
                session_id=spec.session_id,
                created_at=now,
            )
        )
    await connection.execute(
        insert(evse_claims).values(
            connection_id=spec.connection_id,
            location_id=spec.location_id,
            evse_uid=spec.evse_uid,
            session_id=spec.session_id,
            claimed_at=now,
        )
    )
    await connection.execute(insert(tokens).values(_token_row(new, now)))
    await connection.execute(
        insert(commands).values(
            id=secrets.token_urlsafe(24),
            session_id=spec.session_id,
            connection_id=spec.connection_id,
            command=START_SESSION,
            state="ready",
            created_at=now,
        )
    )


def _session_row(new: NewSession) -> dict[str, Any]:
    spec = new.spec
    return {
        "id": spec.session_id,
        "user_id": new.user_id,
        "evse_id": spec.evse_id,
        "network": spec.network,
        "robot_id": spec.robot_id,
        "job_id": spec.job_id,
        "metadata": new.metadata,
        "target_kwh": new.target_kwh,
        "connection_id": spec.connection_id,
        "authorization_reference": spec.authorization_reference.upper(),
        "token_uid": new.token["uid"],
        "currency": spec.currency,
        "tariff": new.tariff,
        "time_zone": new.time_zone,
        "spec": spec.model_dump(mode="json"),
        "created_at": spec.created_at,
        "admission": "accepted",
        "status": Status.PENDING.value,
        "phase": Phase.RESERVING_FUNDS.value,
        "start_outcome": StartOutcome.NOT_SENT.value,
        "updated_at": spec.created_at,
    }


def _token_row(new: NewSession, now: datetime) -> dict[str, Any]:
    return {
        "uid": new.token["uid"],
        "type": new.token["type"],
        "session_id": new.spec.session_id,
        "valid": True,
        "body": new.token,
        "last_updated": now,
    }
