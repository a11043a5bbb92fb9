"""``PaymentsPort`` on the service Payments, which takes money when the session is over (docs/neighbours.md).

It knows no holds. A capture is an intent, a refund a refund; both are decided later, told by a webhook and found by a
look-up. Whatever was asked for is in our store before the call, so that an unknown outcome is looked up, not repeated.
"""

from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from charging.errors import NeighbourRefused, NeighbourUnavailable
from charging.money import round_money
from charging.neighbours.call import Neighbour
from charging.payments.port import Funds, PaymentOutcome, PaymentsRefused, PaymentsUnavailable, PaymentsUndecided
from charging.payments.settlement import PaymentKind
from charging.store.intents import Intent, IntentStatus, IntentStore, Wanted

_PATHS: Final = {PaymentKind.CAPTURE: "/v1/payment-intents", PaymentKind.REFUND: "/v1/refunds"}
_PAYMENT_REQUIRED: Final = 402


class IntentBody(BaseModel):
    """An intent or a refund as Payments writes it. Fields that we do not know are ignored."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(min_length=1, max_length=100)
    idempotency_key: str
    booking_id: str
    amount: Decimal
    currency: str
    status: IntentStatus

    def intent(self, kind: PaymentKind) -> Intent:
        """What it says, as we keep it."""
        return Intent(self.id, kind, self.idempotency_key, self.booking_id, self.amount, self.currency, self.status)


class PaymentsService:
    """Hold and release do nothing; capture and refund raise ``PaymentsUnavailable`` until Payments has decided.

    It is ``PaymentsBooks``, too.
    """

    name = "Payments"
    keeps_holds = False

    def __init__(self, neighbour: Neighbour, intents: IntentStore) -> None:
        self._neighbour = neighbour
        self._intents = intents

    async def hold(self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str) -> PaymentOutcome:
        """Nothing is set aside: Payments takes money afterwards."""
        return PaymentOutcome.DONE

    async def capture(
        self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str
    ) -> PaymentOutcome:
        """Take ``amount`` by an intent; DECLINED where it failed."""
        return await self._move(Wanted(key, PaymentKind.CAPTURE, session_id, round_money(amount, currency), currency))

    async def release(self, *, key: str, session_id: str, user_id: str, currency: str) -> PaymentOutcome:
        """Nothing was held."""
        return PaymentOutcome.DONE

    async def refund(
        self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str
    ) -> PaymentOutcome:
        """Give ``amount`` of what the booking has paid back; DECLINED where that failed."""
        return await self._move(Wanted(key, PaymentKind.REFUND, session_id, round_money(amount, currency), currency))

    async def funds(self, *, session_id: str, currency: str) -> Funds:
        """What has succeeded of the intents and refunds whose booking the session is."""
        try:
            captured = await self._succeeded(PaymentKind.CAPTURE, session_id, currency)
            refunded = await self._succeeded(PaymentKind.REFUND, session_id, currency)
        except NeighbourUnavailable as error:
            raise PaymentsUnavailable(str(error)) from error
        except NeighbourRefused as error:
            raise PaymentsRefused(str(error)) from error
        return Funds(held=Decimal(0), captured=captured, refunded=refunded)

    async def _succeeded(self, kind: PaymentKind, booking_id: str, currency: str) -> Decimal:
        done = [one for one in await self._listed(kind, booking_id) if one.status is IntentStatus.SUCCEEDED]
        if strange := {one.currency for one in done} - {currency}:
            raise PaymentsRefused(f"Payments has moved {', '.join(strange)} for a booking in {currency}")
        return sum((one.amount for one in done), Decimal(0))

    async def _move(self, wanted: Wanted) -> PaymentOutcome:
        asked = await self._intents.ask(wanted)
        if asked.outcome is not None:
            return asked.outcome
        try:
            # An Idempotency-Key is forgotten some day, and a restored store has forgotten what was asked for.
            intent = await self._find(wanted, asked.partner_id) or await self._create(wanted)
        except NeighbourUnavailable as error:
            raise PaymentsUnavailable(str(error)) from error
        except NeighbourRefused as error:
            if error.http_status == _PAYMENT_REQUIRED:
                return PaymentOutcome.DECLINED
            raise PaymentsRefused(str(error)) from error
        if not intent.is_of(wanted):
            raise PaymentsRefused("Payments has something else under our key")
        outcome = await self._intents.learn(intent)
        if outcome is None:
            raise PaymentsUndecided("Payments has not decided yet")
        return outcome

    async def _create(self, wanted: Wanted) -> Intent:
        body = {"amount": wanted.amount, "currency": wanted.currency, "booking_id": wanted.booking_id}
        return _read(await self._neighbour.post(_PATHS[wanted.kind], body, key=wanted.key), wanted.kind)

    async def _find(self, wanted: Wanted, partner_id: str | None) -> Intent | None:
        if partner_id is not None:
            return _read(await self._neighbour.get(f"{_PATHS[wanted.kind]}/{partner_id}"), wanted.kind)
        intents = await self._listed(wanted.kind, wanted.booking_id)
        return next((intent for intent in intents if intent.key == wanted.key), None)

    async def _listed(self, kind: PaymentKind, booking_id: str) -> list[Intent]:
        listed = await self._neighbour.get(_PATHS[kind], booking_id=booking_id)
        found = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(found, list):
            raise NeighbourUnavailable("Payments answered a list that cannot be read")
        return [_read(each, kind) for each in found]


def _read(body: Any, kind: PaymentKind) -> Intent:
    try:
        return IntentBody.model_validate(body).intent(kind)
    except ValidationError as error:
        raise NeighbourUnavailable("Payments answered something that cannot be read") from error
