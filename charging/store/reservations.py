"""Reservations: at most one that holds an EVSE, by a unique row; theirs the token that a start then shows."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.errors import Problem
from charging.session.reservation import HOLDING, ReservationStatus, after_result, status_at
from charging.store.engine import Database
from charging.store.tables import HOLDS_EVSE, commands, evse_claims, reservations

_C = reservations.c
_BATCH = 50


@dataclass(frozen=True)
class Reservation:
    """A reservation as stored. ``token`` is the OCPI Token that holds it, ``result`` the CPO's deciding word."""

    id: str
    user_id: str
    body_hash: str
    evse_id: str
    network: str
    connection_id: str
    country_code: str
    party_id: str
    location_id: str
    evse_uid: str
    authorization_reference: str
    token: dict[str, Any]
    status: ReservationStatus
    result: str | None
    session_id: str | None
    expires_at: datetime
    created_at: datetime

    def status_at(self, now: datetime) -> ReservationStatus:
        """Its status, with the clock looked at."""
        return status_at(self.status, self.expires_at, now)


class ReservationStore:
    """Reads and writes reservations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def repeat_of(self, user_id: str, key: str, body_hash: str) -> Reservation | None:
        """The reservation that this key has made. Raises ``Problem`` 422 when it came with another body."""
        found = await self._one(and_(_C.user_id == user_id, _C.key == key))
        if found is not None and found.body_hash != body_hash:
            raise Problem(422, "idempotency_key_reused", "This Idempotency-Key was used with another request.")
        return found

    async def own(self, reservation_id: str, user_id: str) -> Reservation | None:
        """The user's reservation of this id; None also for somebody else's."""
        return await self._one(and_(_C.id == reservation_id, _C.user_id == user_id))

    async def _one(self, which: ColumnElement[bool]) -> Reservation | None:
        async with self._database.read() as store:
            row = (await store.execute(select(reservations).where(which))).first()
        return None if row is None else _reservation(row)

    async def begin(self, new: Reservation, key: str | None) -> Reservation:
        """Store ``new``, or find the one that the same key stored a moment ago.

        Raises ``Problem`` 409: ``evse_busy`` where a session has the EVSE, ``evse_reserved`` where a reservation has.
        """
        place = {"connection_id": new.connection_id, "location_id": new.location_id, "evse_uid": new.evse_uid}
        claim = select(evse_claims.c.session_id).where(*(evse_claims.c[n] == v for n, v in place.items()))
        run_out = and_(*(_C[n] == v for n, v in place.items()), text(HOLDS_EVSE), _C.expires_at <= new.created_at)
        values = {name: getattr(new, name) for name in Reservation.__dataclass_fields__}
        try:
            async with self._database.write() as store:
                if (await store.execute(claim)).first() is not None:
                    raise Problem(409, "evse_busy", "Another session has this EVSE.")
                await store.execute(update(reservations).where(run_out).values(status=ReservationStatus.EXPIRED.value))
                row = {**values, "status": new.status.value, "key": key, "updated_at": new.created_at}
                await store.execute(insert(reservations).values(row))
        except IntegrityError:
            first = await self.repeat_of(new.user_id, key, new.body_hash) if key else None
            if first is None:
                raise Problem(409, "evse_reserved", "The EVSE is reserved.") from None
            return first
        return new

    async def unanswered(self, now: datetime, untouched_since: datetime) -> list[Reservation]:
        """Pending ones to whose RESERVE_NOW the CPO has said nothing, as far as anybody knows; oldest first."""
        heard = exists().where(
            commands.c.reservation_id == _C.id,
            commands.c.command == "RESERVE_NOW",
            or_(commands.c.response.is_not(None), commands.c.result.is_not(None)),
        )
        pending = (_C.status == ReservationStatus.PENDING.value, _C.expires_at > now, _C.updated_at < untouched_since)
        query = select(reservations).where(*pending, ~heard).order_by(_C.updated_at).limit(_BATCH)
        async with self._database.read() as store:
            return [_reservation(row) for row in await store.execute(query)]

    async def take_up(self, reservation_id: str, untouched_since: datetime, now: datetime) -> bool:
        """Whether it is the caller who asks its CPO again; another process may have been first."""
        untouched = (_C.id == reservation_id, _C.status == ReservationStatus.PENDING.value)
        async with self._database.write() as store:
            taken = await store.execute(
                update(reservations).where(*untouched, _C.updated_at < untouched_since).values(updated_at=now)
            )
        return taken.rowcount == 1

    async def take_back(self, reservation_id: str) -> None:
        """Nothing of it has left this machine: as if it had never been ordered."""
        async with self._database.write() as store:
            await store.execute(delete(commands).where(commands.c.reservation_id == reservation_id))
            await store.execute(delete(reservations).where(_C.id == reservation_id))

    async def turn(
        self,
        reservation_id: str,
        before: Collection[ReservationStatus],
        after: ReservationStatus,
        result: str | None = None,
    ) -> None:
        """From one of the statuses ``before`` to ``after``; nothing where it has another one by now."""
        async with self._database.write() as store:
            await store.execute(
                update(reservations)
                .where(_C.id == reservation_id, _C.status.in_([status.value for status in before]))
                .values(status=after.value, result=result, updated_at=datetime.now(UTC))
            )


async def give_back(store: AsyncConnection, session_id: str, now: datetime) -> None:
    """The session that used a reservation never began: its EVSE is held again, within the caller's transaction."""
    other = reservations.alias("other")
    place = ("connection_id", "location_id", "evse_uid")
    held = exists().where(*(other.c[name] == _C[name] for name in place), other.c.status.in_(HOLDING))
    await store.execute(
        update(reservations)
        .where(_C.session_id == session_id, _C.status == ReservationStatus.USED.value, ~held)
        .values(status=ReservationStatus.RESERVED.value, session_id=None, updated_at=now)
    )


async def take_result(store: AsyncConnection, reservation_id: str, command: str, result: str, now: datetime) -> None:
    """What a CommandResult makes of a reservation, within the caller's transaction."""
    row = (await store.execute(select(_C.status).where(_C.id == reservation_id).with_for_update())).one()
    before = ReservationStatus(row.status)
    after = after_result(before, command, result)
    if after is not before:
        await store.execute(
            update(reservations)
            .where(_C.id == reservation_id)
            .values(status=after.value, result=result[:100], updated_at=now)
        )


def _reservation(row: Row[Any]) -> Reservation:
    values = {name: getattr(row, name) for name in Reservation.__dataclass_fields__}
    return Reservation(**{**values, "status": ReservationStatus(row.status)})
