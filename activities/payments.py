"""``PaymentActivities``: everything about money that leaves a workflow."""

from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from charging.money import from_minor
from charging.payments.answers import HoldAnswer, Settlement
from charging.payments.bill import BilledSession
from charging.payments.port import PaymentOutcome, PaymentsPort, PaymentsUndecided
from charging.payments.settlement import Payment, PaymentKind, PaymentState
from charging.store.engine import Database
from charging.store.settlements import SettlementStore

# How soon a payment that is not decided is looked up again; a webhook's word is found by the same look.
SHORTEST_LOOK: Final = timedelta(seconds=1)
LONGEST_LOOK: Final = timedelta(seconds=30)


class PaymentActivities:
    """Hold, release, and the three steps of a settlement. Every one is safe to repeat.

    ``PaymentsUnavailable`` and ``StoreUnavailable`` leave as they are: Temporal tries again with the same keys.
    """

    def __init__(self, payments: PaymentsPort, database: Database) -> None:
        self._payments = payments
        self._store = SettlementStore(database)

    @activity.defn
    async def hold(self, session_id: str) -> HoldAnswer:
        """Set the session's hold aside, once."""
        session = await self._session(session_id)
        if session.hold == 0:
            return HoldAnswer(held=True, detail="nothing to hold")
        outcome = await self._payments.hold(
            key=f"hold/{session_id}",
            session_id=session_id,
            user_id=session.user_id,
            amount=session.hold,
            currency=session.currency,
        )
        held = outcome is PaymentOutcome.DONE
        amount = f"{session.hold} {session.currency}"
        return HoldAnswer(held=held, detail=f"{amount} held" if held else f"a hold of {amount} was declined")

    @activity.defn
    async def release(self, session_id: str) -> None:
        """Give back what is left of the session's hold, once."""
        await self._release(await self._session(session_id))

    @activity.defn
    async def assess(self, session_id: str) -> Settlement:
        """Judge all CDRs of the session; write the receipt and the payments that it takes."""
        try:
            return await self._store.assess(session_id)
        except LookupError as error:
            raise _unknown(error) from error

    @activity.defn
    async def pay(self, session_id: str) -> None:
        """Make the payments that were written, in order, then release the rest of the hold."""
        session = await self._session(session_id)
        for payment in await self._store.open_payments(session_id):
            try:
                outcome = await self._move(session, payment)
            except PaymentsUndecided as error:
                raise _look_again(error) from error
            await self._store.answered(payment, PaymentState(outcome))
        await self._release(session)

    @activity.defn
    async def conclude(self, session_id: str) -> Settlement:
        """Write what became of the payments: receipt, payment status, settled CDRs, events."""
        try:
            return await self._store.conclude(session_id)
        except LookupError as error:
            raise _unknown(error) from error

    async def _move(self, session: BilledSession, payment: Payment) -> PaymentOutcome:
        capture = payment.kind is PaymentKind.CAPTURE
        return await (self._payments.capture if capture else self._payments.refund)(
            key=payment.key,
            session_id=session.session_id,
            user_id=session.user_id,
            amount=from_minor(payment.amount_minor, session.currency),
            currency=session.currency,
        )

    async def _release(self, session: BilledSession) -> None:
        await self._payments.release(
            key=f"release/{session.session_id}",
            session_id=session.session_id,
            user_id=session.user_id,
            currency=session.currency,
        )

    async def _session(self, session_id: str) -> BilledSession:
        try:
            return await self._store.session(session_id)
        except LookupError as error:
            raise _unknown(error) from error


def _look_again(error: PaymentsUndecided) -> ApplicationError:
    """Soon, and the less often the longer it has taken: a session waits at most a twentieth longer than it must."""
    waited = datetime.now(UTC) - activity.info().scheduled_time
    pause = min(max(waited / 20, SHORTEST_LOOK), LONGEST_LOOK)
    return ApplicationError(str(error), type="payment_undecided", next_retry_delay=pause)


def _unknown(error: LookupError) -> ApplicationError:
    return ApplicationError(str(error), type="unknown_session", non_retryable=True)
