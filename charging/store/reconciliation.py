"""Reconciliation (``charging reconcile``): the proof that ledger, payments, CDRs and receipts agree.

I4: what sessions have paid is what their CDRs, less Credit CDRs, ask for. I5: each CDR is settled exactly once. I6:
each receipt repeats its CDR. I10: no hold is left open behind a session that has ended. Sums are made by the database;
what must be read is read in pages. Whatever is still under way (``GRACE``), or was declined, is no exception.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, func, null, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.money import to_minor
from charging.ocpi.wire import VERSION
from charging.payments.bill import CdrState
from charging.payments.cdr import Cdr, Unreadable, parse_cdr
from charging.payments.finding import Finding
from charging.payments.receipt import PaymentStatus, Receipt
from charging.payments.settlement import PaymentKind, PaymentState
from charging.session.model import Status
from charging.store.engine import Database
from charging.store.exact_json import to_json
from charging.store.tables import cdrs, ledger, payments, receipts, sessions

GRACE: Final = timedelta(minutes=5)
PAGE: Final = 1_000  # sessions whose receipts are in memory at a time


async def reconcile(database: Database, now: datetime, *, has_partner: bool = False) -> AsyncIterator[Finding]:
    """All that is wrong in our own books, as it stands at one moment.

    ``has_partner``: a session without legs in the ledger has its money at a neighbour, who is asked elsewhere.
    """
    async with database.read() as connection:
        for invariant, detail, query in _sums(now, has_partner):
            async for about, amount in await connection.stream(query):  # there may be as many as sessions
                yield Finding(invariant, str(about), detail.format(amount=amount))
        async for wrong in _receipts(connection):
            yield wrong


# ---- By sums ------------------------------------------------------------------------------------------------------


def _sums(now: datetime, has_partner: bool) -> Iterator[tuple[str, str, Select[Any]]]:
    """Each query gives (whose, how much or what) of what is wrong."""
    yield "I4", "paid {amount} minor units more than its CDRs ask for", _paid_and_owed(now)
    yield "I4", "payments and ledger are {amount} minor units apart", _payments_and_ledger(has_partner)
    yield "I4", "the legs of the transfer add up to {amount}, not 0", _unbalanced()
    yield "I5", "the CDR is {amount}, and what it adds does not say so", _half_settled()
    yield "I5", "the CDR was received and is still {amount}", _unsettled(now)
    yield "I10", "{amount} minor units are still held", _held(now)


def _paid_and_owed(now: datetime) -> Select[Any]:
    done = payments.c.state == PaymentState.DONE
    moves = union_all(
        select(payments.c.session_id, _signed().label("amount")).where(done),
        select(cdrs.c.session_id, (-cdrs.c.due_minor).label("amount")).where(cdrs.c.due_minor.is_not(None)),
    ).subquery()
    apart = func.sum(moves.c.amount)
    # Declined: known, and its own retry's matter. Pending: under way.
    is_open = or_(
        and_(sessions.c.payment_status == PaymentStatus.FAILED, apart < 0),
        and_(sessions.c.payment_status == PaymentStatus.PENDING, sessions.c.updated_at > now - GRACE),
    )
    return (
        select(moves.c.session_id, apart)
        .join(sessions, sessions.c.id == moves.c.session_id)
        .group_by(moves.c.session_id, sessions.c.payment_status, sessions.c.updated_at)
        .having(apart != 0, ~func.coalesce(is_open, False))
    )


def _payments_and_ledger(has_partner: bool) -> Select[Any]:
    done = select(payments.c.key, _signed().label("amount")).where(payments.c.state == PaymentState.DONE)
    if has_partner:
        done = done.where(select(ledger.c.id).where(ledger.c.session_id == payments.c.session_id).exists())
    asked = select(payments.c.key).where(payments.c.state == PaymentState.ASKED)
    moves = union_all(
        done,
        select(ledger.c.transfer_key.label("key"), (-ledger.c.amount_minor).label("amount")).where(
            ledger.c.account.like("session/%/paid"), ledger.c.transfer_key.not_in(asked)
        ),
    ).subquery()
    apart = func.sum(moves.c.amount)
    return select(moves.c.key, apart).group_by(moves.c.key).having(apart != 0)


def _unbalanced() -> Select[Any]:
    total = func.sum(ledger.c.amount_minor)
    return select(ledger.c.transfer_key, total).group_by(ledger.c.transfer_key).having(total != 0)


def _half_settled() -> Select[Any]:
    is_settled = cdrs.c.state == CdrState.SETTLED
    return select(cdrs.c.id, cdrs.c.state).where(is_settled != cdrs.c.due_minor.is_not(None))


def _unsettled(now: datetime) -> Select[Any]:
    is_late = and_(cdrs.c.problem.is_(null()), cdrs.c.received_at < now - GRACE)
    return select(cdrs.c.id, cdrs.c.state).where(cdrs.c.state == CdrState.RECEIVED, is_late)


def _held(now: datetime) -> Select[Any]:
    held = func.sum(ledger.c.amount_minor)
    has_ended = and_(sessions.c.status.in_((Status.COMPLETED, Status.FAILED)), sessions.c.updated_at < now - GRACE)
    is_watched = and_(sessions.c.watch_until.is_not(None), sessions.c.watch_until > now)  # START of unknown outcome
    return (
        select(ledger.c.session_id, held)
        .join(sessions, sessions.c.id == ledger.c.session_id)
        .where(ledger.c.account.like("session/%/held"), has_ended, ~is_watched)
        .group_by(ledger.c.session_id)
        .having(held != 0)
    )


def _signed() -> ColumnElement[int]:
    return case((payments.c.kind == PaymentKind.CAPTURE, payments.c.amount_minor), else_=-payments.c.amount_minor)


# ---- By reading ---------------------------------------------------------------------------------------------------


async def _receipts(connection: AsyncConnection) -> AsyncIterator[Finding]:
    """Receipts against their CDRs, both exactly as they were stored."""
    after = ""
    while ids := await _next_ids(connection, after):
        after = ids[-1]
        newest = await _newest_receipts(connection, ids)
        billed = await _billed(connection, ids)
        for session_id in ids:
            if session_id in newest:
                for invariant, detail in _compared(newest[session_id], billed[session_id]):
                    yield Finding(invariant, session_id, detail)
            elif any(state is CdrState.SETTLED for _, state, _, _ in billed[session_id]):
                yield Finding("I5", session_id, "a CDR is settled, and there is no receipt")


async def _next_ids(connection: AsyncConnection, after: str) -> Sequence[str]:
    """The next sessions with a CDR that was decided."""
    decided = cdrs.c.state.in_((CdrState.SETTLED, CdrState.REJECTED))
    query = select(cdrs.c.session_id).where(cdrs.c.session_id > after, decided)
    return (await connection.scalars(query.distinct().order_by(cdrs.c.session_id).limit(PAGE))).all()


async def _newest_receipts(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Receipt]:
    query = select(receipts.c.session_id, receipts.c.body).where(receipts.c.session_id.in_(ids))
    rows = await connection.execute(query.order_by(receipts.c.session_id, receipts.c.version))
    return {row.session_id: Receipt.model_validate(row.body) for row in rows}  # the last one of a session stays


_Billed = tuple[str, CdrState, int | None, Cdr | None]
"""Id, state, what it adds, and what is written in it."""


async def _billed(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[_Billed]]:
    found: dict[str, list[_Billed]] = defaultdict(list)
    columns = (cdrs.c.session_id, cdrs.c.id, cdrs.c.state, cdrs.c.due_minor, cdrs.c.raw, cdrs.c.version, cdrs.c.body)
    query = select(*columns).where(cdrs.c.session_id.in_(ids), cdrs.c.state.in_(("settled", "rejected")))
    for row in await connection.execute(query.order_by(cdrs.c.received_at)):
        cdr = _read(row.raw if row.version == VERSION else to_json(row.body))
        found[row.session_id].append((row.id, CdrState(row.state), row.due_minor, cdr))
    return found


def _read(raw: str) -> Cdr | None:
    try:
        return parse_cdr(raw)
    except Unreadable:
        return None


def _compared(receipt: Receipt, billed: Sequence[_Billed]) -> Iterator[tuple[str, str]]:
    settled = [each for each in billed if each[1] is CdrState.SETTLED]
    if sorted(receipt.cdr_ids) != sorted(each[0] for each in settled):
        yield "I5", f"the receipt is for {receipt.cdr_ids}, settled are {[each[0] for each in settled]}"
        return
    written = {cdr.id.upper(): cdr for *_, cdr in settled if cdr is not None}
    credited = {(cdr.credits or "").upper() for cdr in written.values() if cdr.credit}
    in_force = [cdr for key, cdr in written.items() if not cdr.credit and key not in credited]
    yield from _dues(settled, written)
    if len(in_force) > 1:
        yield "I5", f"{len(in_force)} CDRs are settled, and none takes another back"
    if not in_force and receipt.cost != 0:
        yield "I6", f"the receipt says {receipt.cost}, and no CDR asks for anything"
    for cdr in in_force[:1]:
        pairs = {
            "energy": (receipt.energy_kwh, cdr.energy_kwh),
            "cost": (receipt.cost, cdr.total.due),
            "currency": (receipt.currency.upper(), cdr.currency),
            "minutes": (receipt.duration_minutes, cdr.duration_minutes),
        }
        for name, (ours, theirs) in pairs.items():
            if str(ours) != str(theirs):
                yield "I6", f"{name}: the receipt says {ours}, its CDR {theirs}"


def _dues(settled: Sequence[_Billed], written: dict[str, Cdr]) -> Iterator[tuple[str, str]]:
    for cdr_id, _, due_minor, cdr in settled:
        original = written.get((cdr.credits or "").upper()) if cdr and cdr.credit else cdr
        due = 0 if original is None else to_minor(original.total.due, original.currency)
        if due_minor != (-due if cdr and cdr.credit else due):
            yield "I4", f"CDR {cdr_id} counts for {due_minor} minor units, and asks for {due}"
