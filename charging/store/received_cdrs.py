"""CDRs as they come in: stored once each, byte for byte, and matched to a session of ours. Not settled here."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, false, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.own_tokens import ONE_TIME
from charging.ocpi.session_object import CLOCK_SKEW, may_be_at, references, says_where
from charging.ocpi.wire import MAX_ID, fold, parse_datetime
from charging.store.cpo_sessions import SessionKey
from charging.store.tables import cdrs, ocpi_sessions, sessions

_STARTS_LOOKED_AT = 1_000
_LONGEST_WAIT: Final = timedelta(
    hours=24
)  # from an order to its charging: so long a START of unknown outcome is watched


@dataclass(frozen=True)
class IncomingCdr:
    """A CDR whose owner has been checked. ``raw`` is what came, in OCPI ``version``; ``body`` the same as 2.2.1."""

    connection_id: str
    country_code: str  # upper case
    party_id: str  # upper case
    raw: str
    body: dict[str, Any]
    version: str


@dataclass(frozen=True)
class KeptCdr:
    """A stored CDR. ``public_id`` ends the URL under which its sender finds it; ``raw`` is in OCPI ``version``."""

    public_id: str
    session_id: str | None
    raw: str
    version: str
    body: dict[str, Any]


_KEPT: Final = (cdrs.c.public_id, cdrs.c.session_id, cdrs.c.raw, cdrs.c.version, cdrs.c.body)


async def find_cdr(connection: AsyncConnection, cdr: IncomingCdr) -> KeptCdr | None:
    """The stored CDR of the same owner and id, whatever the id's case (CiString)."""
    row = (
        await connection.execute(
            select(*_KEPT).where(
                cdrs.c.connection_id == cdr.connection_id,
                cdrs.c.country_code == cdr.country_code,
                cdrs.c.party_id == cdr.party_id,
                cdrs.c.folded_id == fold(cdr.body["id"]),
            )
        )
    ).first()
    return KeptCdr(*row) if row else None


async def add_cdr(connection: AsyncConnection, cdr: IncomingCdr, session_id: str | None, now: datetime) -> KeptCdr:
    """Store a new CDR; without a session it is quarantined for people. Raises ``IntegrityError`` where it is there."""
    kept = KeptCdr(str(uuid.uuid4()), session_id, cdr.raw, cdr.version, cdr.body)
    await connection.execute(
        insert(cdrs).values(
            connection_id=cdr.connection_id,
            country_code=cdr.country_code,
            party_id=cdr.party_id,
            folded_id=fold(cdr.body["id"]),
            id=cdr.body["id"],
            public_id=kept.public_id,
            session_id=session_id,
            ocpi_session_id=_billed_id(cdr.body),
            raw=cdr.raw,
            version=cdr.version,
            body=cdr.body,
            state="received" if session_id else "quarantined",
            problem=None if session_id else "unmatched",
            dispute=None if session_id else "open",
            received_at=now,
        )
    )
    return kept


async def session_of(connection: AsyncConnection, cdr: IncomingCdr) -> str | None:
    """The session of ours that ``cdr`` bills, strongest key first; locked until the end.

    None for the bill of a parked Session, whatever its keys: it must not end a session whose own Session still charges.
    """
    if await _bills_parked(connection, cdr):
        return None
    reference, token = references(cdr.body)
    for key in (
        sessions.c.authorization_reference == reference if reference else None,
        and_(sessions.c.token_uid == token, sessions.c.token_type == ONE_TIME) if token else None,
        _billed_session(cdr),
        _credited_session(cdr),
        await _last_start(connection, cdr, token) if token and not reference else None,
    ):
        if key is not None:
            theirs = sessions.c.connection_id == cdr.connection_id
            query = select(sessions.c.id).where(key, theirs).order_by(sessions.c.id).limit(1).with_for_update()
            if (found := await connection.scalar(query)) is not None:
                return str(found)
    return None


async def _last_start(connection: AsyncConnection, cdr: IncomingCdr, token: str) -> ColumnElement[bool] | None:
    """The session that was started with this stable token, at this EVSE and at the time when the CDR begins.

    The last resort, for a CPO that drops every other key, as 2.1.1 does. Of several that fit, the
    newest; none where that one has its CDR already, or where the CDR does not say at which EVSE it was.
    """
    started, place = parse_datetime(cdr.body["start_date_time"]), _place(cdr)
    fitting = [
        row
        for row in await connection.execute(_starts_with(cdr.connection_id, token, started))
        if may_be_at(place, row.spec["location_id"], row.spec["evse_uid"]) and _may_have_begun(row, started)
    ]
    if not fitting or (len(fitting) > 1 and not says_where(place)):
        return None
    # One whose Session began then is surer than one that has none.
    best = max(fitting, key=lambda row: (row.ocpi_session_id is not None, row.created_at))
    is_billed = select(cdrs.c.public_id).where(cdrs.c.session_id == best.id).limit(1)
    return None if await connection.scalar(is_billed) is not None else sessions.c.id == str(best.id)


def _starts_with(connection_id: str, token: str, started: datetime) -> Select[Any]:
    c = sessions.c
    return (
        select(c.id, c.spec, c.ocpi_session_id, c.started_at, c.created_at, c.closed_at)
        .where(
            c.connection_id == connection_id,
            or_(c.token_uid == token, c.token_contract == token),
            c.token_type != ONE_TIME,
            c.admission != "abandoned",
            c.created_at.between(started - _LONGEST_WAIT, started + CLOCK_SKEW),
        )
        .order_by(c.created_at.desc())
        .limit(_STARTS_LOOKED_AT)
    )


def _may_have_begun(row: Row[Any], started: datetime) -> bool:
    """Whether the session's charging may have begun at ``started``. What was over by then has not."""
    if row.closed_at is not None and row.closed_at < started - CLOCK_SKEW:
        return False
    if row.ocpi_session_id is None:
        return True
    return row.started_at is not None and abs(row.started_at - started) <= CLOCK_SKEW


def _place(cdr: IncomingCdr) -> dict[str, Any]:
    place = cdr.body.get("cdr_location")
    return {"location_id": place.get("id"), "evse_uid": place.get("evse_uid")} if isinstance(place, dict) else {}


def _billed_session(cdr: IncomingCdr) -> ColumnElement[bool] | None:
    billed = _cpo_session(cdr)
    return None if billed is None else sessions.c.id.in_(select(ocpi_sessions.c.session_id).where(billed))


async def _bills_parked(connection: AsyncConnection, cdr: IncomingCdr) -> bool:
    """Whether it is for a second Session of one start, which we had stopped."""
    billed = _cpo_session(cdr)
    return billed is not None and bool(await connection.scalar(select(ocpi_sessions.c.parked).where(billed)))


def _cpo_session(cdr: IncomingCdr) -> ColumnElement[bool] | None:
    """The CPO's Session that it bills."""
    named, token = cdr.body.get("session_id"), references(cdr.body)[1]
    session_id = named or cdr.body["id"]
    if not isinstance(session_id, str):
        return None
    of_its_owner = and_(
        ocpi_sessions.c.connection_id == cdr.connection_id,
        ocpi_sessions.c.country_code == cdr.country_code,
        ocpi_sessions.c.party_id == cdr.party_id,
        ocpi_sessions.c.id == fold(session_id),
    )
    # A CDR of 2.1.1 names no Session; some CPOs give it the Session's own id. Others number both, each from 1 on.
    return of_its_owner if named else and_(of_its_owner, ocpi_sessions.c.session_id.in_(_with_token(token)))


def _with_token(token: str | None) -> Select[Any]:
    of = sessions.c
    return select(of.id).where(or_(of.token_uid == token, of.token_contract == token) if token else false())


def _credited_session(cdr: IncomingCdr) -> ColumnElement[bool] | None:
    if not isinstance(cdr.body.get("credit_reference_id"), str):
        return None
    credited = select(cdrs.c.session_id).where(
        cdrs.c.connection_id == cdr.connection_id,
        cdrs.c.country_code == cdr.country_code,
        cdrs.c.party_id == cdr.party_id,
        cdrs.c.folded_id == fold(cdr.body["credit_reference_id"]),
    )
    return sessions.c.id.in_(credited)


async def read_cdr(connection: AsyncConnection, connection_id: str, public_id: str) -> KeptCdr | None:
    """The CDR at ``public_id``, for the peer that sent it."""
    row = (
        await connection.execute(
            select(*_KEPT).where(cdrs.c.public_id == public_id, cdrs.c.connection_id == connection_id)
        )
    ).first()
    return KeptCdr(*row) if row else None


async def unmatched_cdrs(connection: AsyncConnection, billed: Iterable[SessionKey]) -> list[tuple[str, SessionKey]]:
    """The CDRs without a session of ours that bill one of these Sessions: public id and Session, its id folded."""
    wanted = {key.folded() for key in billed}
    owner = (cdrs.c.connection_id, cdrs.c.country_code, cdrs.c.party_id, cdrs.c.ocpi_session_id)
    rows = await connection.execute(
        select(cdrs.c.public_id, *owner)
        .where(
            cdrs.c.connection_id.in_(sorted({key.connection_id for key in wanted})),
            cdrs.c.ocpi_session_id.in_(sorted({key.id for key in wanted})),
            cdrs.c.session_id.is_(None),
        )
        .with_for_update()
    )
    found = [(str(public_id), SessionKey(*key)) for public_id, *key in rows]
    return [(public_id, key) for public_id, key in found if key in wanted]


async def match_cdr(connection: AsyncConnection, public_id: str, session_id: str) -> None:
    """A CDR that was quarantined for want of a session bills this one of ours. What was rejected stays rejected."""
    matched = update(cdrs).where(cdrs.c.public_id == public_id).values(session_id=session_id)
    await connection.execute(matched)
    is_open = or_(cdrs.c.dispute.is_(None), cdrs.c.dispute != "rejected")
    await connection.execute(matched.where(is_open).values(state="received", problem=None, dispute=None))


def _billed_id(body: dict[str, Any]) -> str | None:
    session_id = body.get("session_id")
    return fold(session_id)[:MAX_ID] if isinstance(session_id, str) else None


async def stop_polling(connection: AsyncConnection, session_id: str) -> None:
    """The CDR is here: the CPO need not be asked about this session any more."""
    await connection.execute(update(sessions).where(sessions.c.id == session_id).values(poll_at=None))


async def hold_session(connection: AsyncConnection, session_id: str) -> None:
    """Lock a session's row until the transaction ends."""
    await connection.execute(select(sessions.c.id).where(sessions.c.id == session_id).with_for_update())
