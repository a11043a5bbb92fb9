"""What the payment activities answer to the workflows. Data only."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from charging.payments.receipt import PaymentStatus


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class HoldAnswer(_Frozen):
    """Whether the hold stands; ``detail`` is for people."""

    held: bool
    detail: str = ""


class Settlement(_Frozen):
    """Where the money of a session stands. ``payment_status`` is None while no CDR counts: there is no receipt.

    ``asked`` names the payments that are still to be made (``capture 12.50``); ``to_pay`` says that payments or the
    release of the hold are due; ``more`` that CDRs arrived meanwhile, so that all must be judged again.
    """

    session_id: str
    currency: str
    payment_status: PaymentStatus | None = None
    version: int = 0
    owed: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    asked: list[str] = []
    to_pay: bool = False
    more: bool = False
    cdr_ids: list[str] = []
    waiting: list[str] = []
    quarantined: list[str] = []
