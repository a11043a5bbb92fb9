"""Rows and CDRs that the money tests stand on."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select, update

from charging.payments.bill import CdrState, StoredCdr
from charging.payments.receipt import Receipt
from charging.store import receipts
from charging.store.engine import Database
from charging.store.tables import cdrs, connections, events, ledger, payments, sessions

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CONNECTION = "00000000-0000-4000-8000-000000000001"


class Raw(str):
    """A number for a CDR that stands in its JSON exactly as written here."""


def price(excl: str, incl: str | None = None) -> dict[str, Any]:
    return {"excl_vat": Raw(excl), **({} if incl is None else {"incl_vat": Raw(incl)})}


def cdr(cdr_id: str = "CDR-1", total: str = "12.50", **fields: Any) -> dict[str, Any]:
    """A CDR whose one part, energy, is its total; ``fields`` replace or add, None removes."""
    body = {
        "country_code": "FI",
        "party_id": "VRT",
        "id": cdr_id,
        "start_date_time": "2026-03-02T12:00:00Z",
        "end_date_time": "2026-03-02T12:45:30Z",
        "session_id": "S1",
        "currency": "EUR",
        "total_cost": price("10.00", total),
        "total_energy": Raw("31.2500"),
        "total_energy_cost": price("10.00", total),
        "total_time": Raw("0.75833"),
        "last_updated": "2026-03-02T12:46:00Z",
        **fields,
    }
    return {name: value for name, value in body.items() if value is not None}


def tariff(per_kwh: str, **fields: Any) -> dict[str, Any]:
    """A Tariff with one price for energy, 25 % VAT beside it."""
    component = {"type": "ENERGY", "price": Raw(per_kwh), "vat": 25, "step_size": 1}
    return {"id": "T1", "currency": "EUR", "elements": [{"price_components": [component]}], **fields}


def credit(of: str = "CDR-1", total: str = "-12.50", cdr_id: str | None = None, **fields: Any) -> dict[str, Any]:
    """The Credit CDR of ``of`` as the specification has it: only ``total_cost`` is negated."""
    body = cdr(cdr_id or f"{of}-C", **{"total_cost": price("-10.00", total), **fields})
    return {**body, "credit": True, "credit_reference_id": of}


def text(body: dict[str, Any]) -> str:
    """The JSON text of a CDR, its ``Raw`` numbers untouched."""
    encoded: str = json.dumps(body, default=str)

    def numbers(value: Any) -> Any:
        if isinstance(value, Raw):
            return f"@@{value}@@"
        if isinstance(value, dict):
            return {name: numbers(each) for name, each in value.items()}
        if isinstance(value, list):
            return [numbers(each) for each in value]
        return value

    encoded = json.dumps(numbers(body))
    return encoded.replace('"@@', "").replace('@@"', "")


def stored(body: dict[str, Any] | str, *, after: int = 0, state: CdrState = CdrState.RECEIVED) -> StoredCdr:
    """``body`` as the store would have it, received ``after`` seconds after ``NOW``."""
    raw = body if isinstance(body, str) else text(body)
    cdr_id = "CDR-X" if isinstance(body, str) else str(body.get("id"))
    key = (CONNECTION, "FI", "VRT", cdr_id.upper())
    return StoredCdr(key=key, id=cdr_id, raw=raw, state=state, received_at=NOW + timedelta(seconds=after))


async def add_session(database: Database, *, hold: str = "50.00", currency: str = "EUR", user_id: str = "ada") -> str:
    """A running session of ``user_id``; answers its id."""
    session_id = str(uuid.uuid4())
    async with database.write() as connection:
        if await connection.scalar(select(func.count()).select_from(connections)) == 0:
            await connection.execute(
                insert(connections).values(
                    id=CONNECTION,
                    name="virta",
                    network="Virta",
                    status="active",
                    versions_url="http://cpo.example/versions",
                    created_at=NOW,
                    updated_at=NOW,
                )
            )
        await connection.execute(
            insert(sessions).values(
                id=session_id,
                user_id=user_id,
                evse_id="FI-VRT-E12345",
                network="Virta",
                connection_id=CONNECTION,
                authorization_reference=session_id.upper(),
                token_uid=uuid.uuid4().hex[:20].upper(),
                currency=currency,
                spec={"hold": hold},
                created_at=NOW,
                admission="running",
                status="active",
                updated_at=NOW,
            )
        )
    return session_id


async def add_cdr(database: Database, session_id: str, body: dict[str, Any] | str) -> None:
    """Store a CDR as the receiver does; the same id again is dropped as there."""
    number = await count(database, cdrs, cdrs.c.session_id == session_id)
    each = stored(body, after=number)
    connection_id, country_code, party_id, folded_id = each.key
    async with database.write() as connection:
        if await connection.scalar(select(cdrs.c.id).where(cdrs.c.folded_id == folded_id)):
            return
        await connection.execute(
            insert(cdrs).values(
                connection_id=connection_id,
                country_code=country_code,
                party_id=party_id,
                folded_id=folded_id,
                id=each.id,
                public_id=str(uuid.uuid4()),
                session_id=session_id,
                raw=each.raw,
                body={},
                state=each.state,
                received_at=each.received_at,
            )
        )


async def count(database: Database, table: Any, where: Any) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table).where(where)) or 0)


async def cdr_states(database: Database, session_id: str) -> dict[str, str]:
    async with database.read() as connection:
        rows = await connection.execute(select(cdrs.c.id, cdrs.c.state).where(cdrs.c.session_id == session_id))
        return {row.id: row.state for row in rows}


async def payment_rows(database: Database, session_id: str) -> list[tuple[str, int, str]]:
    """(kind, minor units, state) of each payment, in order."""
    async with database.read() as connection:
        rows = await connection.execute(
            select(payments).where(payments.c.session_id == session_id).order_by(payments.c.n)
        )
        return [(row.kind, row.amount_minor, row.state) for row in rows]


async def receipt_of(database: Database, session_id: str) -> Receipt | None:
    async with database.read() as connection:
        return await receipts.latest(connection, session_id)


async def payment_status_of(database: Database, session_id: str) -> str | None:
    async with database.read() as connection:
        status: str | None = await connection.scalar(
            select(sessions.c.payment_status).where(sessions.c.id == session_id)
        )
        return status


async def event_types(database: Database, session_id: str) -> list[str]:
    async with database.read() as connection:
        query = select(events.c.type).where(events.c.session_id == session_id).order_by(events.c.seq)
        return list((await connection.scalars(query)).all())


async def balances(database: Database) -> dict[str, Decimal]:
    """Every account's balance in cents; the sum over all of them is 0, or this raises."""
    async with database.read() as connection:
        rows = await connection.execute(
            select(ledger.c.account, func.sum(ledger.c.amount_minor)).group_by(ledger.c.account)
        )
        found = {account: Decimal(total) / 100 for account, total in rows}
    assert sum(found.values()) == 0
    assert all(total >= 0 for account, total in found.items() if account != "world")
    return found


async def change_cdr(database: Database, cdr_id: str, **values: Any) -> None:
    async with database.write() as connection:
        await connection.execute(update(cdrs).where(cdrs.c.id == cdr_id).values(**values))
