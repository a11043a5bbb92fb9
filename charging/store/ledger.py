"""The double-entry ledger: legs are only ever added, those of one transfer add up to 0, and its key is used once."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.store.tables import ledger


class Leg(NamedTuple):
    """One side of a transfer: ``amount_minor`` is what ``account`` gains (negative: loses)."""

    account: str
    amount_minor: int


async def lock(connection: AsyncConnection, owner: str) -> None:
    """Let no other transaction move ``owner``'s money until this one ends.

    PostgreSQL: an advisory lock, gone with the transaction. SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(owner, 0))))


async def legs_of(connection: AsyncConnection, key: str) -> list[Leg]:
    """The legs of the transfer ``key``; none where it was never posted."""
    query = select(ledger.c.account, ledger.c.amount_minor).where(ledger.c.transfer_key == key).order_by(ledger.c.leg)
    return [Leg(account, amount) for account, amount in await connection.execute(query)]


async def balance(connection: AsyncConnection, account: str, currency: str) -> int:
    """What ``account`` holds, in minor units of ``currency``."""
    query = select(func.coalesce(func.sum(ledger.c.amount_minor), 0))
    return int(await connection.scalar(query.where(ledger.c.account == account, ledger.c.currency == currency)) or 0)


async def post(
    connection: AsyncConnection, key: str, legs: Iterable[Leg], *, currency: str, session_id: str | None
) -> None:
    """Write one transfer. Raises ``ValueError`` when its legs do not add up to 0."""
    legs = list(legs)
    if not legs or sum(leg.amount_minor for leg in legs) != 0:
        raise ValueError("the legs of a transfer add up to 0")
    now = datetime.now(UTC)
    rows = [
        {
            "transfer_key": key,
            "leg": number,
            "account": leg.account,
            "amount_minor": leg.amount_minor,
            "currency": currency,
            "session_id": session_id,
            "at": now,
        }
        for number, leg in enumerate(legs)
    ]
    await connection.execute(insert(ledger), rows)
