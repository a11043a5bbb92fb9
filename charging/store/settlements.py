"""Settling in the store: each step judges all CDRs of a session and writes what follows, in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.money import from_minor
from charging.payments.answers import Settlement
from charging.payments.bill import Bill, BilledSession, CdrState, Dispute, StoredCdr, judge
from charging.payments.receipt import PaymentStatus, Receipt, make_receipt
from charging.payments.settlement import Payment, PaymentState, moved, next_payments, payment_status
from charging.store import cdrs, payments, receipts
from charging.store.engine import Database
from charging.store.events import add_event
from charging.store.inbox import Kind, add_message
from charging.store.tables import connections, sessions
from charging.tariffs.audit import Evidence
from charging.tariffs.rules import rules_of


class SettlementStore:
    """The steps of a settlement. Every one is safe to repeat; ``LookupError`` is a session that does not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def session(self, session_id: str) -> BilledSession:
        """The facts of a session that payments need."""
        async with self._database.read() as connection:
            return await billed_session(connection, session_id)

    async def assess(self, session_id: str) -> Settlement:
        """Judge all CDRs, write the receipt and the payments that it takes; they are not made yet."""
        async with self._database.write() as connection:
            return await _Step(connection, await billed_session(connection, session_id, lock=True)).run(conclude=False)

    async def conclude(self, session_id: str) -> Settlement:
        """Write what became of the payments, and which CDRs are settled by that."""
        async with self._database.write() as connection:
            return await _Step(connection, await billed_session(connection, session_id, lock=True)).run(conclude=True)

    async def settle_again(self, session_id: str, now: datetime) -> None:
        """Have the session settled again, which asks a declined payment once more."""
        async with self._database.write() as connection:
            await add_message(connection, session_id, Kind.CDR, {}, now)

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
        bill = judge(stored, self._session)
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
            to_pay=(bill.last is not None and (unsettled or bool(asked))) or _is_turned_down(bill),
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
            after = judged(each, bill, settled=settled)
            if after == each:
                continue
            await cdrs.mark(self._connection, after)
            told = {"cdr_id": each.id, "problem": after.problem}
            if after.state is CdrState.QUARANTINED and after.problem != each.problem:
                await self._event("cdr_quarantined", f"{each.id}: {after.problem}", **told)
            elif _is_newly_flagged(each, after):
                await self._event("cdr_flagged", f"{each.id}: paid, but it is not what the tariff gives", **told)

    async def _write_receipt(self, bill: Bill, status: PaymentStatus) -> Receipt | None:
        """The next version when the set of CDRs has changed; else the same one with its payment status."""
        before = await receipts.latest(self._connection, self._session.session_id)
        same = before is not None and before.cdr_ids == list(bill.cdr_ids)
        version = 1 if before is None else before.version if same else before.version + 1
        receipt = make_receipt(self._session, bill, status=status, version=version)
        if receipt is not None and before is not None and same:
            receipt = receipt.model_copy(update={"items": before.items})  # as the tariff was read then
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


def judged(each: StoredCdr, bill: Bill, *, settled: bool) -> StoredCdr:
    """``each`` as the bill makes it: its state, whether there is something to decide, and what it adds."""
    each = replace(each, audit=bill.audits.get(each.key, each.audit), due_minor=None, problem=None)
    if each.key in bill.rejected:
        return replace(each, state=CdrState.REJECTED)
    decided = Dispute.ACCEPTED if each.dispute is Dispute.ACCEPTED else None
    if problem := bill.problems.get(each.key):
        return replace(each, state=CdrState.QUARANTINED, problem=problem, dispute=decided or Dispute.OPEN)
    if reason := bill.waiting.get(each.key):
        return replace(each, state=CdrState.RECEIVED, problem=reason, dispute=decided)
    is_flagged = each.audit is not None and each.audit.verdict == "mismatch"
    each = replace(each, dispute=decided or (Dispute.OPEN if is_flagged else None))
    if settled or each.state is CdrState.SETTLED:
        return replace(each, state=CdrState.SETTLED, due_minor=bill.dues[each.key])
    return replace(each, state=CdrState.RECEIVED)


def _is_newly_flagged(before: StoredCdr, after: StoredCdr) -> bool:
    return after.state is not CdrState.QUARANTINED and after.dispute is Dispute.OPEN and before.dispute is None


def _is_turned_down(bill: Bill) -> bool:
    """Whether a person has rejected what there was to pay: the hold goes back."""
    return bool(bill.rejected) and not bill.counted


def _named(stored: Sequence[StoredCdr], why: dict[tuple[str, str, str, str], str]) -> list[str]:
    return [f"{each.id}: {why[each.key]}" for each in stored if each.key in why]


async def billed_session(connection: AsyncConnection, session_id: str, *, lock: bool = False) -> BilledSession:
    """The facts of a session that its bill needs; ``lock`` holds its row until the transaction ends.

    Raises ``LookupError``.
    """
    query = _BILLED.where(sessions.c.id == session_id)
    row = (await connection.execute(query.with_for_update(of=sessions) if lock else query)).one_or_none()
    if row is None:
        raise LookupError(f"no session {session_id}")
    return BilledSession(
        session_id=row.id,
        user_id=row.user_id,
        network=row.network,
        evse_id=row.evse_id,
        currency=row.currency,
        hold=Decimal(str(row.spec["hold"])),
        evidence=_evidence(row),
        rules=rules_of(row.version, row.tariff_rules),
    )


_BILLED: Final = select(
    *(sessions.c[name] for name in ("id", "user_id", "network", "evse_id", "currency", "spec")),
    *(sessions.c[name] for name in ("tariff", "time_zone", "final_kwh")),
    connections.c.version,
    connections.c.tariff_rules,
).join(connections, connections.c.id == sessions.c.connection_id)


def _evidence(row: Any) -> Evidence:
    rated = row.spec.get("max_power_kw")
    return Evidence(
        tariff=row.tariff,
        zone=_zone(row.time_zone),
        pushed_kwh=row.final_kwh,
        max_power_kw=None if rated is None else Decimal(str(rated)) * int(row.spec.get("power_factor", 1)),
    )


def _zone(name: str | None) -> ZoneInfo | None:
    """The Location's zone; what a CPO has misspelt is unknown."""
    try:
        return ZoneInfo(name) if name else None
    except (LookupError, OSError, ValueError):
        return None
