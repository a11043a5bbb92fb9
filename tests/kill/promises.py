"""What every session must come to, whatever was killed: judged by the CPO's own records and by the store."""

from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Select, func, select

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


async def assert_credited(stack: Embedded, session_id: str, *, is_corrected: bool) -> None:
    """Paid, given back, and where the CPO has corrected itself paid again: a receipt and a payment for each."""
    states = ["settled"] * (3 if is_corrected else 2)
    cdrs = select(tables.cdrs.c.state).where(tables.cdrs.c.session_id == session_id)
    await eventually(lambda: _are(stack, cdrs, states), within_s=COMPLETED_WITHIN_S, every_s=0.25)
    await eventually(lambda: _is_decided(stack, session_id), within_s=COMPLETED_WITHIN_S, every_s=0.25)
    receipt, session = await stack.receipt(session_id), await _session(stack, session_id)
    status = "paid" if is_corrected else "refunded"
    assert (receipt["version"], receipt["payment_status"], session.payment_status) == (len(states), status, status)
    bill = _only((await stack.records())["cdrs"], "id", f"CDR-{session.ocpi_session_id}")["total_cost"]["incl_vat"]
    assert receipt["cost"] == (bill if is_corrected else 0)
    await assert_one_payment_for_each_cdr(stack, session_id, ["capture", "refund", "capture"][: len(states)], bill)
    await assert_books_are_right(stack, session_id, paid=receipt["cost"])


async def assert_one_payment_for_each_cdr(stack: Embedded, session_id: str, kinds: list[str], bill: Decimal) -> None:
    """The session's payments, each made, and each for the sum of the bill."""
    of = tables.payments.c
    query = select(of.kind, of.state, of.amount_minor).where(of.session_id == session_id).order_by(of.n)
    minor = to_minor(Decimal(bill), "EUR")  # JSON may have whole euros, and these are no Decimal yet
    assert [tuple(row) for row in await stack.rows(query)] == [(kind, "done", minor) for kind in kinds]


async def assert_events_are_right(stack: Embedded, session_id: str, receipts: int) -> None:
    """Numbered without a gap, in their order, told once: one for each status and one for each receipt."""
    of = tables.events.c
    query = select(of.seq, of.position, of.type, of.data).where(of.session_id == session_id).order_by(of.seq)
    rows = await eventually(lambda: _all_numbered(stack, query))
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert [row.position for row in rows] == sorted(row.position for row in rows)
    statuses = [row.data["status"] for row in rows if row.type == "session.status"]
    assert list(dict.fromkeys(statuses)) == [status for status, _ in groupby(statuses)]
    assert statuses.count("completed") == 1
    versions = [row.data["version"] for row in rows if row.type.startswith("payment_")]
    assert versions == list(range(1, receipts + 1))


async def _all_numbered(stack: Embedded, query: Select[Any]) -> list[Any]:
    rows = await stack.rows(query)
    return rows if all(row.position for row in rows) else []


async def _are(stack: Embedded, query: Select[Any], expected: list[Any]) -> bool:
    return [value for (value,) in await stack.rows(query)] == expected


async def _is_decided(stack: Embedded, session_id: str) -> bool:
    asked = select(tables.payments.c.key).where(tables.payments.c.session_id == session_id)
    return not await stack.rows(asked.where(tables.payments.c.state == "asked"))


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
