"""Our tokens, as CPOs may read and check them: one-time ones of a session, and stable ones of users."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, func, or_, select

from charging.ocpi.own_tokens import APP_USER, ONE_TIME
from charging.ocpi.wire import fold
from charging.session.model import Status
from charging.store.engine import Database
from charging.store.tables import sessions, tokens

_MEANT_BY: Final = {"OTHER": (APP_USER, ONE_TIME)}  # a user's own before one of a single session


@dataclass(frozen=True)
class KnownToken:
    """A token, and where the one session of a one-time token takes place."""

    body: dict[str, Any]
    is_valid: bool
    is_stable: bool
    connection_id: str | None
    location_id: str | None
    evse_uid: str | None
    authorization_reference: str | None


class TokenStore:
    """Reads tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, uid: str, token_type: str) -> KnownToken | None:
        """The token of this uid and type, in any case (CiString). OTHER is what 2.1.1 calls all but RFID."""
        query = (
            select(
                tokens,
                *(sessions.c[name] for name in ("connection_id", "spec", "authorization_reference", "closed_at")),
                sessions.c.status,
            )
            .outerjoin(sessions, sessions.c.id == tokens.c.session_id)
            # Our uids are upper case; a CPO may fold them either way.
            .where(tokens.c.uid.in_({uid, fold(uid)}), tokens.c.type.in_(_MEANT_BY.get(token_type, (token_type,))))
            .order_by(tokens.c.type.desc())
        )
        async with self._database.read() as store:
            row = (await store.execute(query)).first()
        return None if row is None else _known(row)

    async def page(
        self, connection_id: str, *, since: datetime | None, until: datetime | None, offset: int, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Tokens that one CPO may see, oldest first, and how many there are: stable ones and those of its own sessions.

        ``since`` is included, ``until`` is not (OCPI 2.2.1 §4.1.4).
        """
        where = [or_(sessions.c.connection_id == connection_id, tokens.c.user_id.is_not(None))]
        if since is not None:
            where.append(tokens.c.last_updated >= since)
        if until is not None:
            where.append(tokens.c.last_updated < until)
        joined = select(tokens.c.body).outerjoin(sessions, sessions.c.id == tokens.c.session_id).where(*where)
        async with self._database.read() as store:
            total = (await store.execute(select(func.count()).select_from(joined.subquery()))).scalar_one()
            ordered = joined.order_by(tokens.c.last_updated, tokens.c.uid).offset(offset).limit(limit)
            return list((await store.execute(ordered)).scalars()), total


def _may_charge(row: Row[Any]) -> bool:
    """Whether somebody still waits for the session of a one-time token."""
    return row.status in (Status.PENDING, Status.ACTIVE) and row.closed_at is None


def _known(row: Row[Any]) -> KnownToken:
    spec = row.spec or {}
    return KnownToken(
        body=row.body,
        is_valid=row.valid and (row.session_id is None or _may_charge(row)),
        is_stable=row.user_id is not None,
        connection_id=row.connection_id,
        location_id=spec.get("location_id"),
        evse_uid=spec.get("evse_uid"),
        authorization_reference=row.authorization_reference,
    )
