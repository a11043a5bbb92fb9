"""``PaymentsPort`` on the wallet that a user has at EV Pass (docs/neighbours.md).

EV Pass keeps the key of each movement for as long as the movement itself, so a repeat is the look-up.
"""

from decimal import Decimal
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from charging.errors import NeighbourRefused, NeighbourUnavailable
from charging.money import round_money
from charging.neighbours.call import Neighbour
from charging.payments.port import Funds, PaymentOutcome, PaymentsRefused, PaymentsUnavailable

_PAYMENT_REQUIRED = 402


class _Moved(BaseModel):
    status: Literal["done", "declined"]


class _Balance(BaseModel):
    available: Decimal


class _Funds(BaseModel):
    held: Decimal
    captured: Decimal
    refunded: Decimal
    currency: str


class EvPassWallet:
    """Hold, capture, release and refund in the user's wallet, each once per key; and ``PaymentsBooks``."""

    name = "EV Pass"
    keeps_holds = True

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    async def available(self, user_id: str, currency: str) -> Decimal:
        """What the user can spend. Raises ``NeighbourUnavailable``, ``NeighbourRefused``."""
        body = await self._neighbour.get("/v1/wallet/balance", user_id=user_id, currency=currency)
        try:
            return _Balance.model_validate(body).available
        except ValidationError as error:
            raise NeighbourUnavailable("EV Pass answered a balance that cannot be read") from error

    async def hold(self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str) -> PaymentOutcome:
        """Set ``amount`` aside; DECLINED where less is available."""
        return await self._move("holds", key, session_id, user_id, currency, amount)

    async def capture(
        self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str
    ) -> PaymentOutcome:
        """Take ``amount`` from the hold, and what the hold lacks from the wallet; DECLINED takes nothing."""
        return await self._move("captures", key, session_id, user_id, currency, amount)

    async def release(self, *, key: str, session_id: str, user_id: str, currency: str) -> PaymentOutcome:
        """Give back what is left of the hold."""
        return await self._move("releases", key, session_id, user_id, currency, None)

    async def refund(
        self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str
    ) -> PaymentOutcome:
        """Give ``amount`` back; DECLINED where the session has not paid so much."""
        return await self._move("refunds", key, session_id, user_id, currency, amount)

    async def funds(self, *, session_id: str, currency: str) -> Funds:
        """What EV Pass holds, has captured and has refunded for the session."""
        path = f"/v1/wallet/sessions/{quote(session_id, safe='')}"
        try:
            told = _Funds.model_validate(await self._neighbour.get(path, currency=currency))
        except (NeighbourUnavailable, ValidationError) as error:
            raise PaymentsUnavailable(f"EV Pass, look-up: {error}") from error
        except NeighbourRefused as error:
            raise PaymentsRefused(str(error)) from error
        if told.currency != currency:
            raise PaymentsRefused(f"EV Pass answers in {told.currency}, asked in {currency}")
        return Funds(told.held, told.captured, told.refunded)

    async def _move(
        self, what: str, key: str, session_id: str, user_id: str, currency: str, amount: Decimal | None
    ) -> PaymentOutcome:
        body: dict[str, object] = {"user_id": user_id, "session_id": session_id, "currency": currency}
        if amount is not None:
            body["amount"] = round_money(amount, currency)
        try:
            moved = _Moved.model_validate(await self._neighbour.post(f"/v1/wallet/{what}", body, key=key))
        except (NeighbourUnavailable, ValidationError) as error:
            raise PaymentsUnavailable(f"EV Pass, {what}: {error}") from error
        except NeighbourRefused as error:
            if error.http_status == _PAYMENT_REQUIRED:
                return PaymentOutcome.DECLINED
            raise PaymentsRefused(str(error)) from error
        return PaymentOutcome(moved.status)
