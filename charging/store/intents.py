"""What was asked of the service Payments, written before each call: a crash or a lost answer leads to a look-up.

The outcome comes by a look-up or by a webhook, whichever is first, in any order, and more than once. ``done`` is
final: money has moved. ``declined`` gives way to ``done``, and then the session is settled again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.money import to_minor
from charging.payments.port import PaymentOutcome
from charging.payments.settlement import PaymentKind, PaymentState
from charging.store.engine import Database
from charging.store.inbox import Kind, add_message
from charging.store.tables import intents, payments


class IntentStatus(StrEnum):
    """Where Payments says that an intent or a refund stands."""

    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Wanted:
    """A movement of money that we ask for, under ``key``. ``amount`` is exact, in ``currency``."""

    key: str
    kind: PaymentKind
    booking_id: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Intent:
    """A movement as Payments tells of it: an intent, or a refund."""

    id: str
    kind: PaymentKind
    key: str
    booking_id: str
    amount: Decimal
    currency: str
    status: IntentStatus

    def is_of(self, wanted: Wanted) -> bool:
        """Whether it is what we asked for, to the cent."""
        ours = (wanted.key, wanted.kind, wanted.booking_id, wanted.amount, wanted.currency)
        return (self.key, self.kind, self.booking_id, self.amount, self.currency) == ours


@dataclass(frozen=True)
class Asked:
    """What we know of a movement: Payments' id for it, its outcome."""

    partner_id: str | None = None
    outcome: PaymentOutcome | None = None


_OUTCOMES: Final = {IntentStatus.SUCCEEDED: PaymentOutcome.DONE, IntentStatus.FAILED: PaymentOutcome.DECLINED}


class IntentStore:
    """Rows of ``intents``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, wanted: Wanted) -> Asked:
        """Write that ``wanted`` is about to be asked for, or find what is known of it."""
        async with self._database.write() as store:
            row = await _row(store, wanted.key)
            if row is not None:
                return Asked(row.partner_id, PaymentOutcome(row.outcome) if row.outcome else None)
            await store.execute(
                insert(intents).values(
                    key=wanted.key,
                    kind=wanted.kind,
                    booking_id=wanted.booking_id,
                    amount_minor=to_minor(wanted.amount, wanted.currency),
                    currency=wanted.currency,
                    asked_at=datetime.now(UTC),
                )
            )
        return Asked()

    async def learn(self, told: Intent) -> PaymentOutcome | None:
        """Write what Payments tells of one of ours; its outcome, None while it has none.

        Raises ``LookupError`` where we have asked for no such thing.
        """
        outcome = _OUTCOMES.get(told.status)
        now = datetime.now(UTC)
        async with self._database.write() as store:
            row = await _row(store, told.key)
            if row is None or not _matches(row, told):
                raise LookupError("nothing of this key, kind, booking, amount and currency was asked for")
            if outcome is None or row.outcome in (PaymentOutcome.DONE, outcome):
                await _update(store, told.key, partner_id=told.id)
                return PaymentOutcome(row.outcome) if row.outcome else None
            await _update(store, told.key, partner_id=told.id, outcome=outcome, answered_at=now)
            if outcome is PaymentOutcome.DONE:
                await _paid_after_all(store, told, now, was_declined=row.outcome == PaymentOutcome.DECLINED)
        return outcome


async def _row(store: AsyncConnection, key: str) -> Row[*tuple[Any, ...]] | None:
    return (await store.execute(select(intents).where(intents.c.key == key).with_for_update())).one_or_none()


def _matches(row: Row[*tuple[Any, ...]], told: Intent) -> bool:
    asked = (row.kind, row.booking_id, row.amount_minor, row.currency)
    return asked == (told.kind, told.booking_id, to_minor(told.amount, told.currency), told.currency)


async def _update(store: AsyncConnection, key: str, **values: Any) -> None:
    await store.execute(update(intents).where(intents.c.key == key).values(**values))


async def _paid_after_all(store: AsyncConnection, told: Intent, now: datetime, *, was_declined: bool) -> None:
    """Where it was called declined, and has moved money: settle again, so that nothing is paid twice.

    ``was_declined``: Payments has said so, which the payment need not know yet; by an answer 402 only that knows it.
    """
    states = [PaymentState.DECLINED, *([PaymentState.ASKED] if was_declined else [])]
    wrong = payments.c.key == told.key, payments.c.state.in_(states)
    mended = await store.execute(update(payments).where(*wrong).values(state=PaymentState.DONE, answered_at=now))
    if mended.rowcount:
        await add_message(store, told.booking_id, Kind.CDR, {}, now)
