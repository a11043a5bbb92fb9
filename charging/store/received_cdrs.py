"""CDRs as they come in: stored once each, byte for byte, and matched to a session of ours. Not settled here."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.session_object import references
from charging.ocpi.wire import fold
from charging.store.tables import cdrs, ocpi_sessions, sessions


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
            raw=cdr.raw,
            version=cdr.version,
            body=cdr.body,
            state="received" if session_id else "quarantined",
            problem=None if session_id else "unmatched",
            received_at=now,
        )
    )
    return kept


async def session_of(connection: AsyncConnection, cdr: IncomingCdr) -> str | None:
    """The session of ours that ``cdr`` bills, strongest key first (ocpi.md §15.2); locked until the end."""
    reference, token = references(cdr.body)
    for key in (
        sessions.c.authorization_reference == reference if reference else None,
        sessions.c.token_uid == token if token else None,
        _billed_session(cdr),
        _credited_session(cdr),
    ):
        if key is not None:
            theirs = sessions.c.connection_id == cdr.connection_id
            query = select(sessions.c.id).where(key, theirs).order_by(sessions.c.id).limit(1).with_for_update()
            if (found := await connection.scalar(query)) is not None:
                return str(found)
    return None


def _billed_session(cdr: IncomingCdr) -> ColumnElement[bool] | None:
    # A CDR of 2.1.1 names no Session; some CPOs give it the Session's own id (ocpi.md §15.2).
    session_id = cdr.body.get("session_id") or cdr.body["id"]
    if not isinstance(session_id, str):
        return None
    billed = select(ocpi_sessions.c.session_id).where(
        ocpi_sessions.c.connection_id == cdr.connection_id,
        ocpi_sessions.c.country_code == cdr.country_code,
        ocpi_sessions.c.party_id == cdr.party_id,
        ocpi_sessions.c.id == fold(session_id),
    )
    return sessions.c.id.in_(billed)


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


async def stop_polling(connection: AsyncConnection, session_id: str) -> None:
    """The CDR is here: the CPO need not be asked about this session any more."""
    await connection.execute(update(sessions).where(sessions.c.id == session_id).values(poll_at=None))


async def hold_session(connection: AsyncConnection, session_id: str) -> None:
    """Lock a session's row until the transaction ends."""
    await connection.execute(select(sessions.c.id).where(sessions.c.id == session_id).with_for_update())
