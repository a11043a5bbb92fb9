"""Receipts: one row for each version, kept for ever."""

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.payments.receipt import Receipt
from charging.store.tables import receipts


async def latest(connection: AsyncConnection, session_id: str) -> Receipt | None:
    """The newest version of a session's receipt, exact to the last decimal; None where there is none yet."""
    query = select(receipts.c.body).where(receipts.c.session_id == session_id)
    body = await connection.scalar(query.order_by(receipts.c.version.desc()).limit(1))
    return None if body is None else Receipt.model_validate(body)


async def save(connection: AsyncConnection, receipt: Receipt, *, now: datetime) -> None:
    """Write a version, or bring the payment status of an existing one up to date."""
    this = (receipts.c.session_id == receipt.session_id) & (receipts.c.version == receipt.version)
    # Decimals as text: a JSON number would come back without its trailing zeros.
    values = {"body": receipt.model_dump(mode="json"), "payment_status": receipt.payment_status}
    known = await connection.scalar(select(receipts.c.version).where(this))
    if known is not None:
        await connection.execute(update(receipts).where(this).values(values))
        return
    await connection.execute(
        insert(receipts).values(session_id=receipt.session_id, version=receipt.version, created_at=now, **values)
    )
