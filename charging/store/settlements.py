"""Settling in the store: each step judges all CDRs of a session and writes what follows, in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.money import from_minor
from charging.payments.answers import Settlement
from charging.payments.bill import Bill, BilledSession, CdrState, StoredCdr, judge
from charging.payments.receipt import PaymentStatus, Receipt, make_receipt
from charging.payments.settlement import Payment, PaymentState, moved, next_payments, payment_status
from charging.store import cdrs, payments, receipts
from charging.store.engine import Database
from charging.store.events import add_event
from charging.store.tables import sessions


class SettlementStore:
    """The steps of a settlement. Every one is safe to repeat; ``LookupError`` is a session that does not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def session(self, session_id: str) -> BilledSession:
        """The facts of a session that payments need."""
        async with self._database.read() as connection:
            return await _session(connection, session_id)

    async def assess(self, session_id: str) -> Settlement:
        """Judge all CDRs, write the receipt and the payments that it takes; they are not made yet."""
        async with self._database.write() as connection:
            return await _Step(connection, await _session(connection, session_id, lock=True)).run(conclude=False)

    async def conclude(self, session_id: str) -> Settlement:
        """Write what became of the payments, and which CDRs are settled by that."""
        async with self._database.write() as connection:
            return await _Step(connection, await _session(connection, session_id, lock=True)).run(conclude=True)

    async def open_payments(self, session_id: str) -> list[Payment]:
        """The payments of a session that have no outcome yet, in order."""
        async with self._database.read() as connection:
            made = await payments.of_session(connection, session_id)
        return [payment for payment in made if payment.state is PaymentState.ASKED]

    async def answered(self, payment: Payment, state: PaymentState) -> None:
        """Write the outcome of one payment."""
        async with self._database.write() as connection:
            await payments.answer(connection, payment.key, state, now=datetime.now(UTC))


class _Step:
    """One transaction over one session, whose row is locked: nobody else settles it or numbers its events."""

    def __init__(self, connection: AsyncConnection, session: BilledSession) -> None:
        self._connection = connection
        self._session = session
        self._now = datetime.now(UTC)

    async def run(self, *, conclude: bool) -> Settlement:
        stored = await cdrs.of_session(self._connection, self._session.session_id)
        bill = judge(stored, self._session.currency)
        made = await payments.of_session(self._connection, self._session.session_id)
        if bill.last and not conclude:
            made += await self._ask(bill, made)
        status = payment_status(bill, made) if bill.last else None
        decided = conclude and status is not PaymentStatus.PENDING
        await self._mark(stored, bill, settled=decided)
        receipt = await self._write_receipt(bill, status) if status else None
        unsettled = any(each.key in bill.counted and each.state is not CdrState.SETTLED for each in stored)
        asked = [payment for payment in made if payment.state is PaymentState.ASKED]
        return Settlement(
            session_id=self._session.session_id,
            currency=bill.currency,
            payment_status=status,
            version=receipt.version if receipt else 0,
            owed=receipt.amount_due if receipt else Decimal(0),
            paid=from_minor(moved(made), bill.currency),
            asked=[f"{payment.kind} {from_minor(payment.amount_minor, bill.currency)}" for payment in asked],
            to_pay=bill.last is not None and (unsettled or bool(asked)),
            more=conclude and not decided,
            cdr_ids=list(bill.cdr_ids),
            waiting=_named(stored, bill.waiting),
            quarantined=_named(stored, bill.problems),
        )

    async def _ask(self, bill: Bill, made: Sequence[Payment]) -> list[Payment]:
        new = next_payments(bill, made, self._session)
        session_id = self._session.session_id
        await payments.ask(self._connection, session_id, bill.currency, new, after=len(made), now=self._now)
        return new

    async def _mark(self, stored: Sequence[StoredCdr], bill: Bill, *, settled: bool) -> None:
        """Give every CDR its state. One in quarantine comes out of it when the credit it lacked has arrived."""
        for each in stored:
            after = _judged(each, bill, settled=settled)
            if (after.state, after.problem) == (each.state, each.problem):
                continue
            await cdrs.mark(self._connection, each.key, after.state, after.problem)
            if after.state is CdrState.QUARANTINED:
                told = {"cdr_id": each.id, "problem": after.problem}
                await self._event("cdr_quarantined", f"{each.id}: {after.problem}", **told)

    async def _write_receipt(self, bill: Bill, status: PaymentStatus) -> Receipt | None:
        """The next version when the set of CDRs has changed; else the same one with its payment status."""
        before = await receipts.latest(self._connection, self._session.session_id)
        same = before is not None and before.cdr_ids == list(bill.cdr_ids)
        version = 1 if before is None else before.version if same else before.version + 1
        receipt = make_receipt(self._session, bill, status=status, version=version)
        if receipt is None or receipt == before:
            return receipt
        await receipts.save(self._connection, receipt, now=self._now)
        await self._connection.execute(
            update(sessions)
            .where(sessions.c.id == self._session.session_id)
            .values(payment_status=status, revision=sessions.c.revision + 1, updated_at=self._now)
        )
        if status is not PaymentStatus.PENDING:
            told = {"version": version, "payment_status": status, "amount_due": receipt.amount_due}
            detail = f"{receipt.amount_due} {receipt.currency}, receipt {version}"
            await self._event(f"payment_{status}", detail, **told, currency=receipt.currency)
        return receipt

    async def _event(self, event_type: str, detail: str, **data: Any) -> None:
        told = {"detail": detail, **data}
        await add_event(self._connection, self._session.session_id, event_type, told, self._now)


def _judged(each: StoredCdr, bill: Bill, *, settled: bool) -> StoredCdr:
    """``each`` with the state that the bill gives it."""
    if problem := bill.problems.get(each.key):
        return replace(each, state=CdrState.QUARANTINED, problem=problem)
    if reason := bill.waiting.get(each.key):
        return replace(each, state=CdrState.RECEIVED, problem=reason)
    done = settled or each.state is CdrState.SETTLED
    return replace(each, state=CdrState.SETTLED if done else CdrState.RECEIVED, problem=None)


def _named(stored: Sequence[StoredCdr], why: dict[tuple[str, str, str, str], str]) -> list[str]:
    return [f"{each.id}: {why[each.key]}" for each in stored if each.key in why]


async def _session(connection: AsyncConnection, session_id: str, *, lock: bool = False) -> BilledSession:
    query = select(
        sessions.c.id,
        sessions.c.user_id,
        sessions.c.network,
        sessions.c.evse_id,
        sessions.c.currency,
        sessions.c.spec,
    ).where(sessions.c.id == session_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise LookupError(f"no session {session_id}")
    return BilledSession(
        session_id=row.id,
        user_id=row.user_id,
        network=row.network,
        evse_id=row.evse_id,
        currency=row.currency,
        hold=Decimal(str(row.spec["hold"])),
    )
