"""Books of any size: one settled session with all that it leaves in the store, copied as often as wanted."""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import String, Table, cast, func, insert, literal, select

from charging.payments.settlement import PaymentState
from charging.store import ledger as books
from charging.store import payments as payment_rows
from charging.store.engine import Database
from charging.store.exact_json import to_json
from charging.store.ledger import Leg
from charging.store.reconciliation import reconcile
from charging.store.settlements import SettlementStore
from charging.store.tables import cdrs, ledger, payments, receipts, sessions
from tests.payments.factory import add_cdr, add_session, cdr

LINES_PER_SESSION: Final = 6
_COPIED: Final = (sessions, cdrs, payments, receipts, ledger)

Rows = dict[str, list[dict[str, Any]]]


async def settled_session(database: Database) -> Rows:
    """The rows of a session that was held for, billed and paid, by table."""
    session_id = await add_session(database)
    await add_cdr(database, session_id, cdr())
    store = SettlementStore(database)
    await store.assess(session_id)
    asked = await store.open_payments(session_id)
    held, paid, purse = f"session/{session_id}/held", f"session/{session_id}/paid", "user/ada"
    moves = [(f"hold/{session_id}", purse, held, 5_000)]
    moves += [(payment.key, held, paid, payment.amount_minor) for payment in asked]
    moves += [(f"release/{session_id}", held, purse, 5_000 - sum(p.amount_minor for p in asked))]
    async with database.write() as connection:
        for key, giver, taker, amount in moves:
            legs = [Leg(giver, -amount), Leg(taker, amount)]
            await books.post(connection, key, legs, currency="EUR", session_id=session_id)
        for payment in asked:
            await payment_rows.answer(connection, payment.key, PaymentState.DONE, now=datetime.now(UTC))
    await store.conclude(session_id)
    async with database.read() as connection:
        return {table.name: await _rows(connection, table, session_id) for table in _COPIED}


async def add_copies(database: Database, template: Rows, first: int, count: int) -> None:
    """So many more sessions like it, numbered from ``first`` on; made by the database."""
    (original,) = template["sessions"]
    numbers = select(literal(first).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < first + count - 1))
    new_id = literal("session-") + cast(numbers.c.n, String)
    async with database.write() as connection:
        for table in _COPIED:
            for row in template[table.name]:
                values = _copied(table, row, original["id"], new_id, connection.dialect.name)
                copies = select(*values.values()).select_from(numbers)
                await connection.execute(insert(table).from_select(list(values), copies))


def _copied(table: Table, row: dict[str, Any], old: str, new_id: Any, dialect: str) -> dict[str, Any]:
    """The row with another session's id; whatever must be unique is made of it."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        kind = table.c[name].type
        if isinstance(value, dict):
            text = func.replace(literal(to_json(value)), old, new_id)
            found[name] = text if dialect == "sqlite" else cast(text, kind)
        elif isinstance(value, str) and old in value:
            found[name] = func.replace(literal(value), old, new_id)
        else:
            found[name] = literal(value, kind)
    if table is cdrs:
        found |= {"public_id": new_id, "folded_id": func.upper(new_id)}
    if table is sessions:
        found["authorization_reference"] = func.upper(new_id)
    if table is ledger:
        del found["id"]
    return found


async def _rows(connection: Any, table: Table, session_id: str) -> list[dict[str, Any]]:
    of = table.c.id if table is sessions else table.c.session_id
    return [dict(row._mapping) for row in await connection.execute(select(table).where(of == session_id))]


async def _check(url: str) -> None:
    database = Database(url)
    try:
        print(sum([1 async for _ in reconcile(database, datetime.now(UTC))]))
    finally:
        await database.close()


if __name__ == "__main__":  # the process under measurement: it says how many exceptions there are
    asyncio.run(_check(sys.argv[1]))
