"""Starting a session once: the one transaction behind ``POST /v1/sessions/start`` (docs/adr/0005).

Truth for "once" are two unique rows: the idempotency key of a user, and the claim on an EVSE. Workflow ids are
forgotten after Temporal's retention; these rows are not.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, select, update

from charging.errors import NotUnique, Problem
from charging.ocpi.own_tokens import ONE_TIME
from charging.ocpi.wire import fold
from charging.session.model import Phase, SessionSpec, StartOutcome, Status
from charging.store.engine import Database
from charging.store.quick import QuickRead, QuickWrite, write_at_once
from charging.store.reservations import give_back
from charging.store.tables import commands, evse_claims, idempotency_keys, reservations, sessions, tokens

START_SESSION = "START_SESSION"

_REPEAT = (
    select(sessions.c.spec, sessions.c.status, sessions.c.admission, idempotency_keys.c.body_hash)
    .join(idempotency_keys, idempotency_keys.c.session_id == sessions.c.id)
    .where(idempotency_keys.c.user_id == bindparam("user_id"), idempotency_keys.c.key == bindparam("key"))
)
_USE = (
    update(reservations)
    .where(reservations.c.id == bindparam("reservation_id"))
    .values(
        status="used",
        session_id=bindparam("used_by"),
        updated_at=bindparam("used_at", type_=reservations.c.updated_at.type),
    )
)
_COMMAND = ("id", "session_id", "connection_id", "command", "state", "created_at")
_SESSION = (
    "id user_id evse_id network robot_id job_id metadata target_kwh connection_id authorization_reference token_uid "
    "token_type token_contract currency tariff time_zone spec created_at admission status phase start_outcome "
    "updated_at"
).split()


def _insert(database: Database, table: Table, columns: Sequence[str] = ()) -> QuickWrite:
    return QuickWrite(database, insert(table), columns or table.columns.keys())


@dataclass(frozen=True)
class NewSession:
    """A session as ordered. ``token`` is the OCPI Token to start it with, ``tariff`` the connector's at this time."""

    spec: SessionSpec
    user_id: str
    metadata: dict[str, str]
    target_kwh: Decimal | None
    tariff: dict[str, Any] | None
    time_zone: str | None
    token: dict[str, Any]
    reservation_id: str | None = None  # the user's own of this EVSE: the session uses it up


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
        self._repeat = QuickRead(database, _REPEAT)
        self._session = _insert(database, sessions, _SESSION)
        self._key = _insert(database, idempotency_keys)
        self._claim = _insert(database, evse_claims)
        self._token = _insert(database, tokens)
        self._command = _insert(database, commands, _COMMAND)
        self._use = QuickWrite(database, _USE)

    async def repeat_of(self, user_id: str, key: str, body_hash: str) -> Started | None:
        """The session that this key has started. Raises ``Problem`` 422 when it came with another body."""
        row = await self._repeat.one(user_id=user_id, key=key)
        if row is None:
            return None
        spec, status, admission, stored_hash = row
        if stored_hash != body_hash:
            raise Problem(422, "idempotency_key_reused", "This Idempotency-Key was used with another request.")
        return Started(SessionSpec.model_validate(spec), Status(status), admission, repeated=True)

    async def begin(self, new: NewSession, key: str | None, body_hash: str) -> Started:
        """Store the session under the user's Idempotency-Key, or find the one that the same key stored a moment ago.

        Raises ``Problem`` 409 ``evse_busy`` when another session has the EVSE.
        """
        try:
            await write_at_once(self._database, self._inserts(new, key, body_hash))
        except NotUnique:
            # Whoever was first has committed by now: it was this key, or somebody else has the EVSE.
            first = await self.repeat_of(new.user_id, key, body_hash) if key else None
            if first is None:
                raise Problem(409, "evse_busy", "Another session has this EVSE.") from None
            return first
        return Started(new.spec, Status.PENDING, "accepted", repeated=False)

    def _inserts(self, new: NewSession, key: str | None, body_hash: str) -> list[tuple[str, Any]]:
        """Session, key, claim, token, command: in this order, so a second start waits at the first row it shares."""
        spec = new.spec
        inserts = [self._session.of(_session_row(new))]
        if key is not None:
            row = {"user_id": new.user_id, "key": key, "body_hash": body_hash, "session_id": spec.session_id}
            inserts.append(self._key.of({**row, "created_at": spec.created_at}))
        inserts.append(self._claim.of(_claim_row(spec)))
        if new.token["type"] == ONE_TIME:
            inserts.append(self._token.of(_token_row(new)))
        inserts.append(self._command.of(_command_row(spec)))
        if new.reservation_id is not None:
            used = {"reservation_id": new.reservation_id, "used_by": spec.session_id, "used_at": spec.created_at}
            inserts.append(self._use.of(used))
        return inserts

    async def abandon(self, session_id: str) -> bool:
        """Take back a session whose workflow never began, with all that ``begin`` wrote; False when it runs already.

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
            # Gone, not invalid: it may be a reservation's, which the next start shows again.
            await connection.execute(delete(tokens).where(tokens.c.session_id == session_id))
            await give_back(connection, session_id, datetime.now(UTC))
        return True


def _command_row(spec: SessionSpec) -> dict[str, Any]:
    return {
        "id": secrets.token_urlsafe(24),
        "session_id": spec.session_id,
        "connection_id": spec.connection_id,
        "command": START_SESSION,
        "state": "ready",
        "created_at": spec.created_at,
    }


def _claim_row(spec: SessionSpec) -> dict[str, Any]:
    return {
        "connection_id": spec.connection_id,
        "location_id": spec.location_id,
        "evse_uid": spec.evse_uid,
        "session_id": spec.session_id,
        "claimed_at": spec.created_at,
    }


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
        "token_type": new.token["type"],
        "token_contract": fold(new.token["contract_id"]) if "contract_id" in new.token else None,
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


def _token_row(new: NewSession) -> dict[str, Any]:
    return {
        "uid": new.token["uid"],
        "type": new.token["type"],
        "session_id": new.spec.session_id,
        "user_id": None,
        "valid": True,
        "body": new.token,
        "last_updated": new.spec.created_at,
    }
