"""What our books say of the sessions whose money is at a neighbour, in pages, for the reconciliation."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, Select, select

from charging.payments.finding import SessionBooks
from charging.payments.settlement import PaymentKind, PaymentState
from charging.session.model import Status
from charging.store.engine import Database
from charging.store.reconciliation import GRACE
from charging.store.tables import ledger, payments, sessions

PAGE: Final = 200  # sessions in memory at a time


async def pages_of_books(database: Database, now: datetime, *, with_holds: bool) -> AsyncIterator[list[SessionBooks]]:
    """All sessions with money outside of our own ledger, by id; ``with_holds``: those that were only held, too."""
    after = ""
    while True:
        async with database.read() as connection:
            query = _OUTSIDE.where(sessions.c.id > after).order_by(sessions.c.id).limit(PAGE)
            page = (await connection.execute(query)).all()
        if not page:
            return
        after = page[-1].id
        books = await _books(database, page, now)
        yield [one for one, row in zip(books, page, strict=True) if row.paid or (with_holds and _hold(row) > 0)]


async def books_of(database: Database, session_id: str, now: datetime) -> SessionBooks:
    """Those of one session as they are now."""
    async with database.read() as connection:
        row = (await connection.execute(_OUTSIDE.where(sessions.c.id == session_id))).one()
    (books,) = await _books(database, [row], now)
    return books


_HAS_LEGS: Final = select(ledger.c.id).where(ledger.c.session_id == sessions.c.id).exists()
_HAS_PAYMENTS: Final = select(payments.c.key).where(payments.c.session_id == sessions.c.id).exists()
_OUTSIDE: Final[Select[Any]] = select(
    *(sessions.c[name] for name in ("id", "currency", "status", "updated_at", "watch_until", "spec")),
    _HAS_PAYMENTS.label("paid"),
).where(~_HAS_LEGS)


async def _books(database: Database, page: Sequence[Row[Any]], now: datetime) -> list[SessionBooks]:
    moved: dict[tuple[str, PaymentKind], int] = defaultdict(int)
    settling: set[str] = set()
    query = select(payments).where(payments.c.session_id.in_([row.id for row in page]))
    async with database.read() as connection:
        for payment in await connection.execute(query):
            if payment.state == PaymentState.DONE:
                moved[payment.session_id, PaymentKind(payment.kind)] += payment.amount_minor
            elif payment.state == PaymentState.ASKED and payment.asked_at > now - GRACE:
                settling.add(payment.session_id)
    return [
        SessionBooks(
            session_id=row.id,
            currency=row.currency,
            captured_minor=moved[row.id, PaymentKind.CAPTURE],
            refunded_minor=moved[row.id, PaymentKind.REFUND],
            is_settling=row.id in settling,
            is_over=_is_over(row, now),
        )
        for row in page
    ]


def _is_over(row: Row[Any], now: datetime) -> bool:
    is_watched = row.watch_until is not None and row.watch_until > now  # a START of unknown outcome
    return row.status in (Status.COMPLETED, Status.FAILED) and row.updated_at < now - GRACE and not is_watched


def _hold(row: Row[Any]) -> Decimal:
    return Decimal(str(row.spec["hold"]))
