"""Reading sessions for their users: one indexed row for a status, pages for the history.

Everything is asked for with the user's id: a session of somebody else is absent. So is one that was abandoned.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, literal_column, select, tuple_

from charging.ocpi.evse_id import lookup_key
from charging.session.model import SessionSpec, Status
from charging.session.reading import StatusRow
from charging.store.engine import Database
from charging.store.quick import QuickRead
from charging.store.tables import receipts, sessions

LIVE = (Status.PENDING, Status.ACTIVE, Status.STOPPING)
ENDED = (Status.COMPLETED, Status.FAILED)

_c = sessions.c
_newest_receipt = (
    select(receipts.c.body)
    .where(receipts.c.session_id == _c.id)
    .order_by(receipts.c.version.desc())
    .limit(literal_column("1"))
    .correlate(sessions)
    .scalar_subquery()
)
# In the order of StatusRow's fields, so that a row makes one without names.
_COLUMNS = (
    _c.id,
    _c.evse_id,
    _c.network,
    _c.robot_id,
    _c.job_id,
    _c.metadata,
    _c.target_kwh,
    _c.spec,
    _c.currency,
    _c.created_at,
    _c.ocpi_session_id,
    _c.cpo_status,
    _c.kwh,
    _c.cost,
    _c.estimate,
    _c.power_kw,
    _c.state_of_charge,
    _c.started_at,
    _c.cpo_ended_at,
    _c.meter_updated_at,
    _c.meter_received_at,
    _c.kwh_changed_at,
    _c.status,
    _c.phase,
    _c.reason,
    _c.start_outcome,
    _c.stop_sent_at,
    _c.stop_accepted_at,
    _c.closed_at,
    _c.watch_until,
    _c.profile,
    _c.ended_at,
    _c.revision,
    _c.updated_at,
    _newest_receipt,
)
_READABLE = _c.admission != literal_column("'abandoned'")
_ONE = select(*_COLUMNS).where(_c.id == bindparam("session_id"), _c.user_id == bindparam("user_id"), _READABLE)
_RECEIPT = (
    select(receipts.c.body, receipts.c.payment_status)
    .where(receipts.c.session_id == bindparam("session_id"))
    .order_by(receipts.c.version.desc())
    .limit(literal_column("1"))
)
_SEPARATORS = "*-_ "


@dataclass(frozen=True)
class Filter:
    """What a history is filtered by; None is anything. ``active`` True: pending, active or stopping."""

    status: Status | None = None
    active: bool | None = None
    evse_id: str | None = None
    job_id: str | None = None
    robot_id: str | None = None


@dataclass(frozen=True)
class Page:
    """Sessions, newest first, and the cursor of what follows them."""

    rows: list[StatusRow]
    next_cursor: str | None


class BadCursor(ValueError):
    """Not a cursor that we gave."""


class SessionReader:
    """What users read of their own sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._one = QuickRead(database, _ONE)
        self._newest_receipt = QuickRead(database, _RECEIPT)
        self._receipt = QuickRead(database, _RECEIPT.where(receipts.c.version == bindparam("version")))

    async def status(self, session_id: str, user_id: str) -> StatusRow | None:
        """The row of a status answer; None: there is no such session of this user."""
        values = await self._one.one(session_id=session_id, user_id=user_id)
        return None if values is None else StatusRow(*values)

    async def spec(self, session_id: str, user_id: str) -> SessionSpec | None:
        """The fixed facts of a session of this user."""
        row = await self.status(session_id, user_id)
        return None if row is None else SessionSpec.model_validate(row.spec)

    async def receipt(self, session_id: str, version: int | None = None) -> tuple[dict[str, Any], str] | None:
        """A receipt's body and payment status, the newest where no ``version`` is named; None where there is none."""
        if version is None:
            row = await self._newest_receipt.one(session_id=session_id)
        else:
            row = await self._receipt.one(session_id=session_id, version=version)
        return None if row is None else (row[0], row[1])

    async def newest(self, user_id: str, *, limit: int, skip: int) -> list[StatusRow]:
        """The user's sessions, newest first, without the first ``skip``."""
        query: Select[Any] = select(*_COLUMNS).where(_c.user_id == user_id, _READABLE)
        query = query.order_by(_c.created_at.desc(), _c.id.desc()).limit(limit).offset(skip)
        async with self._database.read() as connection:
            return [StatusRow(*row) for row in await connection.execute(query)]

    async def history(self, user_id: str, wanted: Filter, *, limit: int, cursor: str | None) -> Page:
        """One page of the user's sessions. Raises ``BadCursor``."""
        query = _filtered(select(*_COLUMNS).where(_c.user_id == user_id, _READABLE), wanted)
        if cursor is not None:
            query = query.where(tuple_(_c.created_at, _c.id) < tuple_(*_after(cursor)))
        query = query.order_by(_c.created_at.desc(), _c.id.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            rows = [StatusRow(*row) for row in await connection.execute(query)]
        page = rows[:limit]
        return Page(page, _cursor(page[-1]) if len(rows) > limit else None)


def _filtered(query: Select[Any], wanted: Filter) -> Select[Any]:
    exact = {_c.status: wanted.status, _c.job_id: wanted.job_id, _c.robot_id: wanted.robot_id}
    for column, value in exact.items():
        if value is not None:
            query = query.where(column == value)
    if wanted.active is not None:
        query = query.where(_c.status.in_(LIVE if wanted.active else ENDED))
    if wanted.evse_id is not None:
        query = query.where(_lookup_key_of(_c.evse_id) == lookup_key(wanted.evse_id))
    return query


def _lookup_key_of(column: Any) -> Any:
    """``lookup_key`` in SQL: sessions keep the EVSE id as it was spelled. Scans one user's sessions at most."""
    for separator in _SEPARATORS:
        column = func.replace(column, separator, "")
    return func.ltrim(func.upper(column), "+")


def _cursor(row: StatusRow) -> str:
    return base64.urlsafe_b64encode(f"{row.created_at.isoformat()} {row.id}".encode()).decode().rstrip("=")


def _after(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        created_at, _, session_id = text.partition(" ")
        moment = datetime.fromisoformat(created_at)
    except (ValueError, binascii.Error):
        raise BadCursor from None
    if moment.tzinfo is None or "\x00" in session_id:
        raise BadCursor
    return moment, session_id
