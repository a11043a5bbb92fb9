"""The CPOs' Sessions as stored, the sessions of ours that they belong to, and the meter columns of those.

Everything comes and goes in batches: the receiver stores many pushes in one transaction.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.own_tokens import ONE_TIME
from charging.ocpi.wire import fold, parse_datetime
from charging.session.model import Meter, SessionSpec, Status
from charging.session.profile import ChargingPlan
from charging.store.meter_readers import METER_READ_UNTIL
from charging.store.meter_row import METER_COLUMNS, meter_of
from charging.store.tables import meter_points, ocpi_sessions, sessions
from charging.store.terms import TERMS_COLUMNS
from charging.store.upsert import upsert


class SessionKey(NamedTuple):
    """What identifies a CPO's Session: ids are unique within their owner only (OCPI 2.2.1 §9.3.1)."""

    connection_id: str
    country_code: str  # upper case
    party_id: str  # upper case
    id: str  # upper case; the body has it as received

    def folded(self) -> "SessionKey":
        """For comparing: an id is a CiString."""
        return self._replace(id=fold(self.id))


@dataclass(frozen=True)
class StoredSession:
    """A CPO's Session. ``session_id`` is ours, where it matches one; ``parked``: a second one for that session."""

    key: SessionKey
    session_id: str | None
    parked: bool
    body: dict[str, Any]

    @property
    def spelled_id(self) -> str:
        """Its id as the CPO spells it, which is how the CPO is told of it; the space around it is none of it."""
        return str(self.body.get("id") or self.key.id).strip()


@dataclass(frozen=True)
class OwnSession:
    """Of a session of ours, what a push needs. ``plan``: the one in force, where it is for a departure.

    ``terms``: the values of ``TERMS_COLUMNS``. ``profile``: the charging profile in force, as stored.
    """

    id: str
    connection_id: str
    authorization_reference: str
    token_uid: str
    token_type: str
    token_contract: str | None
    spec: SessionSpec
    terms: tuple[Any, ...]
    meter: Meter
    wake_kwh: Decimal | None
    wake_cost: Decimal | None
    plan: ChargingPlan | None
    profile: dict[str, Any] | None
    meter_read_until: datetime | None = None  # somebody reads this user's meter events until then


@dataclass(frozen=True)
class MeterChange:
    """What to write to the meter columns of one session. ``changed``: readers should notice.

    ``poll_at`` None: it stays as it is.
    """

    session_id: str
    meter: Meter
    changed: bool
    poll_at: datetime | None


_OWN_COLUMNS: tuple[ColumnElement[Any], ...] = (
    sessions.c.id,
    sessions.c.connection_id,
    sessions.c.authorization_reference,
    sessions.c.token_uid,
    sessions.c.token_type,
    sessions.c.token_contract,
    sessions.c.spec,
    *TERMS_COLUMNS,
    sessions.c.wake_kwh,
    sessions.c.wake_cost,
    sessions.c.profile,
    METER_READ_UNTIL,
    *METER_COLUMNS,
)


async def load_cpo_sessions(
    connection: AsyncConnection, keys: Collection[SessionKey]
) -> dict[SessionKey, StoredSession]:
    """The stored ones among ``keys``, locked until the transaction ends."""
    rows = await connection.execute(_by_keys(keys).order_by(*ocpi_sessions.primary_key).with_for_update())
    stored = [_stored(row) for row in rows]
    return {session.key: session for session in stored if session.key in keys}


async def read_cpo_session(connection: AsyncConnection, key: SessionKey) -> StoredSession | None:
    """One stored Session, or None."""
    row = (await connection.execute(_by_keys([key]))).first()
    return _stored(row) if row else None


def _by_keys(keys: Collection[SessionKey]) -> Select[Any]:
    # One list per column uses the primary key's index on both databases; a list of tuples does not on SQLite.
    # It may find more than was asked for.
    columns = zip(ocpi_sessions.primary_key, zip(*keys, strict=True), strict=True)
    return select(ocpi_sessions).where(*(column.in_(sorted(set(values))) for column, values in columns))


def _stored(row: Row[Any]) -> StoredSession:
    key = SessionKey(row.connection_id, row.country_code, row.party_id, row.id)
    return StoredSession(key, row.session_id, row.parked, row.body)


async def load_own_sessions(
    connection: AsyncConnection, *, ids: Iterable[str] = (), references: Iterable[str] = (), tokens: Iterable[str] = ()
) -> list[OwnSession]:
    """Our sessions with one of these ids, authorization references or tokens (both in upper case), locked.

    A token is named by its uid; in OCPI 2.1.1 a stable one by its contract.

    Of a stable token, which may have had thousands, those only that are not over.
    """
    wanted = sorted(tokens)
    is_open = and_(sessions.c.closed_at.is_(None), sessions.c.admission != "abandoned")
    named = or_(
        sessions.c.id.in_(sorted(ids)),
        sessions.c.authorization_reference.in_(sorted(references)),
        and_(sessions.c.token_uid.in_(wanted), or_(sessions.c.token_type == ONE_TIME, is_open)),
        and_(sessions.c.token_contract.in_(wanted), sessions.c.token_type != ONE_TIME, is_open),
    )
    rows = await connection.execute(select(*_OWN_COLUMNS).where(named).order_by(sessions.c.id).with_for_update())
    return [_own(row) for row in rows]


def _own(row: Row[Any]) -> OwnSession:
    values = row._mapping
    return OwnSession(
        id=row.id,
        connection_id=row.connection_id,
        authorization_reference=row.authorization_reference,
        token_uid=row.token_uid,
        token_type=row.token_type,
        token_contract=row.token_contract,
        spec=SessionSpec.model_validate(row.spec),
        terms=tuple(values[column] for column in TERMS_COLUMNS),
        meter=meter_of(row),
        wake_kwh=row.wake_kwh,
        wake_cost=row.wake_cost,
        plan=_departure_plan(row.profile),
        meter_read_until=row.meter_read_until,
        profile=row.profile,
    )


def _departure_plan(profile: dict[str, Any] | None) -> ChargingPlan | None:
    has_departure = profile is not None and profile["wish"].get("departure_time") is not None
    return ChargingPlan.model_validate(profile) if has_departure else None


_UPDATE_SESSION = (
    update(ocpi_sessions)
    .where(*(column == bindparam(f"key_{column.name}") for column in ocpi_sessions.primary_key))
    .values(
        {
            name: bindparam(f"new_{name}", type_=ocpi_sessions.c[name].type)
            for name in ("session_id", "parked", "body", "status", "last_updated", "received_at")
        }
    )
)


async def save_cpo_sessions(
    connection: AsyncConnection, new: Sequence[StoredSession], changed: Sequence[StoredSession], now: datetime
) -> None:
    """Insert ``new`` ones and update ``changed`` ones. Raises ``IntegrityError`` where a new one is there already."""
    if new:
        rows = [{**session.key._asdict(), **_values(session, now)} for session in new]
        await connection.execute(insert(ocpi_sessions), rows)
    if changed:
        parameters = [
            {f"key_{name}": value for name, value in session.key._asdict().items()}
            | {f"new_{name}": value for name, value in _values(session, now).items()}
            for session in changed
        ]
        await connection.execute(_UPDATE_SESSION, parameters)


def _values(session: StoredSession, now: datetime) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "parked": session.parked,
        "body": session.body,
        "status": session.body["status"][:20],  # an unknown status may be long; the body has it whole
        "last_updated": parse_datetime(session.body["last_updated"]),
        "received_at": now,
    }


_METER_FIELDS = {
    "seq": "meter_seq",
    "ended_at": "cpo_ended_at",
    "updated_at": "meter_updated_at",
    "received_at": "meter_received_at",
}


def _column(field: str) -> str:
    return _METER_FIELDS.get(field, field)


_METER_VALUES: dict[str, Any] = {
    _column(field): bindparam(f"new_{field}", type_=sessions.c[_column(field)].type) for field in Meter.model_fields
} | {"poll_at": func.coalesce(bindparam("new_poll_at", type_=sessions.c.poll_at.type), sessions.c.poll_at)}
_TOUCH = update(sessions).where(sessions.c.id == bindparam("key_id")).values(_METER_VALUES)
_CHANGE = _TOUCH.values(
    revision=sessions.c.revision + 1, updated_at=bindparam("new_row_updated_at", type_=sessions.c.updated_at.type)
)


async def save_meters(connection: AsyncConnection, changes: Sequence[MeterChange], now: datetime) -> None:
    """Write meters; the session's ``revision`` rises only for those that changed."""
    changed = [{**_meter_values(change), "new_row_updated_at": now} for change in changes if change.changed]
    touched = [_meter_values(change) for change in changes if not change.changed]
    if changed:
        await connection.execute(_CHANGE, changed)
    if touched:
        await connection.execute(_TOUCH, touched)


def _meter_values(change: MeterChange) -> dict[str, Any]:
    values = {f"new_{field}": getattr(change.meter, field) for field in Meter.model_fields}
    return {"key_id": change.session_id, "new_poll_at": change.poll_at, **values}


async def save_points(connection: AsyncConnection, points: Sequence[tuple[str, Meter]]) -> None:
    """Add points to the metered curves of these sessions, each at the moment at which we heard of it."""
    rows = [
        {"session_id": session_id, "at": meter.received_at, "kwh": meter.kwh, "power_kw": meter.power_kw}
        for session_id, meter in points
    ]
    for row in rows:
        await upsert(connection, meter_points, row)


async def ask_for_unseen(connection: AsyncConnection, connection_id: str, now: datetime) -> None:
    """A Session that we do not know was patched: have the CPO's list asked for now, if one of ours awaits a Session.

    In a transaction of its own: it waits for rows that somebody else writes just now, in the order of their ids.
    """
    waiting = (
        select(sessions.c.id)
        .where(
            sessions.c.connection_id == connection_id,
            sessions.c.ocpi_session_id.is_(None),
            # What was started just now has no date yet: the first that is heard of it may be this PATCH.
            or_(
                sessions.c.poll_at.is_not(None),
                and_(sessions.c.admission == "running", sessions.c.status.in_((Status.PENDING, Status.STOPPING))),
            ),
        )
        .order_by(sessions.c.id)
        .with_for_update()
        .cte("waiting")  # evaluated once: as a subquery PostgreSQL may look again
    )
    await connection.execute(update(sessions).where(sessions.c.id.in_(select(waiting.c.id))).values(poll_at=now))
