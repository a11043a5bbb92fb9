"""Statements on the driver's own connections store and read exactly what SQLAlchemy would."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, text

from charging.errors import NotUnique
from charging.store.engine import Database
from charging.store.quick import QuickRead, QuickWrite, write_at_once
from charging.store.tables import tokens

MOMENT = datetime(2026, 1, 1, 14, 2, tzinfo=timezone(timedelta(hours=2)))
BODY = {"price": Decimal("0.39"), "nested": [True, None, "ä"]}
BY_UID = select(tokens).where(tokens.c.uid == bindparam("uid"))


def row(uid: str) -> dict[str, Any]:
    return {"uid": uid, "type": "RFID", "valid": True, "body": BODY, "last_updated": MOMENT, "session_id": None}


def writer(database: Database) -> QuickWrite:
    return QuickWrite(database, insert(tokens), tokens.columns.keys())


async def stored(database: Database, uid: str) -> list[Any]:
    """The row as the database has it, without anybody's conversions."""
    async with database.read() as connection:
        found = await connection.execute(text("SELECT * FROM tokens WHERE uid = :uid"), {"uid": uid})
        return [value for name, value in found.one()._mapping.items() if name != "uid"]


async def test_a_row_is_stored_as_sqlalchemy_stores_it(database: Database) -> None:
    await write_at_once(database, [writer(database).of(row("QUICK"))])
    async with database.write() as connection:
        await connection.execute(insert(tokens).values(row("USUAL")))
    assert await stored(database, "QUICK") == await stored(database, "USUAL")


async def test_a_row_is_read_as_sqlalchemy_reads_it(database: Database) -> None:
    await write_at_once(database, [writer(database).of(row("QUICK"))])
    async with database.read() as connection:
        usual = (await connection.execute(BY_UID, {"uid": "QUICK"})).one()
    assert await QuickRead(database, BY_UID).all(uid="QUICK") == [list(usual)]
    assert usual.body == BODY
    assert usual.last_updated == MOMENT.astimezone(UTC)


async def test_statements_are_written_all_or_none(database: Database) -> None:
    one, other = writer(database).of(row("ONE")), writer(database).of(row("OTHER"))
    with pytest.raises(NotUnique):
        await write_at_once(database, [one, other, one])
    assert await QuickRead(database, BY_UID).all(uid="OTHER") == []
