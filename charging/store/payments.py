"""What settlements have asked of ``PaymentsPort``, written before each call: a crash repeats the same key."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.payments.settlement import Payment, PaymentKind, PaymentState
from charging.store.tables import payments


async def of_session(connection: AsyncConnection, session_id: str) -> list[Payment]:
    """All payments of a session, in the order in which they were decided."""
    query = select(payments).where(payments.c.session_id == session_id).order_by(payments.c.n)
    return [
        Payment(row.key, PaymentKind(row.kind), row.amount_minor, PaymentState(row.state))
        for row in await connection.execute(query)
    ]


async def ask(
    connection: AsyncConnection, session_id: str, currency: str, new: Sequence[Payment], *, after: int, now: datetime
) -> None:
    """Write new payments, numbered on from ``after`` earlier ones."""
    rows = [
        {
            "key": payment.key,
            "session_id": session_id,
            "n": after + n,
            "kind": payment.kind,
            "amount_minor": payment.amount_minor,
            "currency": currency,
            "state": payment.state,
            "asked_at": now,
        }
        for n, payment in enumerate(new)
    ]
    if rows:
        await connection.execute(insert(payments), rows)


async def answer(connection: AsyncConnection, key: str, state: PaymentState, *, now: datetime) -> None:
    """Write a payment's outcome; the first one stays."""
    await connection.execute(
        update(payments)
        .where(payments.c.key == key, payments.c.state == PaymentState.ASKED)
        .values(state=state, answered_at=now)
    )
