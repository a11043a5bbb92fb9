"""What every session must come to, whatever was killed: judged by the CPO's own records and by the store."""

from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from charging.money import to_minor
from charging.store import tables
from tests.embedded import Embedded, Json
from tests.waiting import eventually

COMPLETED_WITHIN_S = 90


async def assert_completed_and_paid(stack: Embedded, session_id: str) -> None:
    """Started once, completed, and paid to the cent of the CPO's bill; nothing held, nothing claimed."""
    await stack.until(session_id, status="completed", within_s=COMPLETED_WITHIN_S)
    session = await _session(stack, session_id)
    receipt, records = await stack.receipt(session_id), await stack.records()
    start = _only(records["starts"], "authorization_reference", session.authorization_reference)
    (cpo_session_id,) = start["session_ids"]
    assert session.ocpi_session_id == cpo_session_id
    cdr = _only(records["cdrs"], "session_id", cpo_session_id)
    assert _bill(receipt) == (cdr["total_cost"]["incl_vat"], cdr["total_energy"], cdr["currency"])
    assert (receipt["payment_status"], session.payment_status) == ("paid", "paid")
    assert receipt["energy_kwh"] > 0
    await assert_books_are_right(stack, session_id, paid=receipt["cost"])
    assert not await stack.rows(select(tables.evse_claims).where(tables.evse_claims.c.session_id == session_id))


async def assert_failed_for_nothing(stack: Embedded, session_id: str) -> None:
    """The CPO never got START: nobody may send it again, and nobody pays."""
    await eventually(lambda: _is_released(stack, session_id), within_s=COMPLETED_WITHIN_S)
    session = await _session(stack, session_id)
    records = await stack.records()
    assert session.authorization_reference not in [s["authorization_reference"] for s in records["starts"]]
    await assert_books_are_right(stack, session_id, paid=Decimal(0))


async def assert_books_are_right(stack: Embedded, session_id: str, *, paid: Decimal) -> None:
    """Every transfer adds up to 0, nothing is held any more, and ``paid`` EUR have been paid."""
    ledger = tables.ledger.c
    transfers = select(ledger.transfer_key, func.sum(ledger.amount_minor)).group_by(ledger.transfer_key)
    assert not [key for key, amount in await stack.rows(transfers) if amount != 0]
    accounts = select(ledger.account, func.sum(ledger.amount_minor)).where(ledger.session_id == session_id)
    balances = {account: amount for account, amount in await stack.rows(accounts.group_by(ledger.account))}
    assert balances.get(f"session/{session_id}/held", 0) == 0
    assert balances.get(f"session/{session_id}/paid", 0) == to_minor(Decimal(paid), "EUR")


async def assert_same_session(stack: Embedded, session_id: str, evse_id: str, key: str, order: Json) -> None:
    """The same Idempotency-Key again is the same session, and starts nothing."""
    starts = len((await stack.records())["starts"])
    assert await stack.start(evse_id, key=key, **order) == session_id
    assert len((await stack.records())["starts"]) == starts


async def _is_released(stack: Embedded, session_id: str) -> bool:
    keys = select(tables.ledger.c.transfer_key).where(tables.ledger.c.transfer_key == f"release/{session_id}")
    return bool(await stack.rows(keys))


async def _session(stack: Embedded, session_id: str) -> Any:
    (row,) = await stack.rows(select(tables.sessions).where(tables.sessions.c.id == session_id))
    return row


def _only(records: list[Json], field: str, value: str) -> Json:
    (record,) = [record for record in records if record[field] == value]
    return record


def _bill(receipt: Json) -> tuple[Decimal, Decimal, str]:
    return receipt["cost"], receipt["energy_kwh"], receipt["currency"]
