"""The wallets at EV Pass: balances follow from the movements, which are kept for ever."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from charging.sandbox.persistence import Journal

OPENING_BALANCE: Final = Decimal(1000)
_KIND: Final = "wallet-movement"

What = Literal["holds", "captures", "releases", "refunds", "deposits", "withdrawals"]


class Transfer(BaseModel):
    """What is to move in a wallet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: str = Field(min_length=1)
    session_id: str = Field(min_length=1)
    currency: str = Field(pattern="^[A-Z]{3}$")
    amount: Decimal = Field(Decimal(0), ge=0)


class Movement(BaseModel):
    """A transfer that was asked for under ``key``, and what became of it."""

    key: str
    what: What
    transfer: Transfer
    status: Literal["done", "declined"]


@dataclass
class Pocket:
    """The money of one session in one currency."""

    held: Decimal = Decimal(0)
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)


@dataclass
class _Change:
    """What a movement adds to the user's balance and to the session's pocket."""

    available: Decimal = Decimal(0)
    pocket: Pocket = field(default_factory=Pocket)


class Wallets:
    """All wallets, and every movement by its key."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.available: dict[tuple[str, str], Decimal] = defaultdict(lambda: OPENING_BALANCE)
        self.pockets: dict[tuple[str, str], Pocket] = defaultdict(Pocket)
        self._movements = journal.load(_KIND, Movement)
        for movement in self._movements.values():
            if movement.status == "done":
                self._apply(movement.transfer, self._change(movement.what, movement.transfer))

    def move(self, what: What, key: str, transfer: Transfer) -> str:
        """Done or declined, once per key. Raises 409 where the key stands for something else."""
        known = self._movements.get(key)
        if known is None:
            change = self._change(what, transfer)
            status: Literal["done", "declined"] = "done" if self._reaches(transfer, change) else "declined"
            known = Movement(key=key, what=what, transfer=transfer, status=status)
            self._journal.put((_KIND, key, known))
            self._movements[key] = known
            if status == "done":
                self._apply(transfer, change)
        if (known.what, known.transfer) != (what, transfer):
            raise HTTPException(409, "this Idempotency-Key stands for another movement")
        return known.status

    def expire(self, session_id: str) -> int:
        """Give back what is left of a session's holds, as if they had stood for too long; how many there were."""
        holds = [*self._holds(session_id)]
        for hold in holds:
            self.move("releases", f"expired/{hold.key}", hold.transfer.model_copy(update={"amount": Decimal(0)}))
        return len(holds)

    def _holds(self, session_id: str) -> Iterator[Movement]:
        for movement in self._movements.values():
            if movement.what == "holds" and movement.transfer.session_id == session_id:
                yield movement

    def _change(self, what: What, transfer: Transfer) -> _Change:
        amount, held = transfer.amount, self.pockets[transfer.session_id, transfer.currency].held
        from_hold = min(amount, held)
        return {
            "holds": _Change(-amount, Pocket(held=amount)),
            "captures": _Change(from_hold - amount, Pocket(held=-from_hold, captured=amount)),
            "releases": _Change(held, Pocket(held=-held)),
            "refunds": _Change(amount, Pocket(refunded=amount)),
            "deposits": _Change(amount),
            "withdrawals": _Change(-amount),
        }[what]

    def _reaches(self, transfer: Transfer, change: _Change) -> bool:
        """Whether the user has so much, and a refund gives back no more than was paid."""
        pocket = self.pockets[transfer.session_id, transfer.currency]
        is_paid = pocket.captured - pocket.refunded >= change.pocket.refunded
        return is_paid and self.available[transfer.user_id, transfer.currency] + change.available >= 0

    def _apply(self, transfer: Transfer, change: _Change) -> None:
        self.available[transfer.user_id, transfer.currency] += change.available
        pocket = self.pockets[transfer.session_id, transfer.currency]
        pocket.held += change.pocket.held
        pocket.captured += change.pocket.captured
        pocket.refunded += change.pocket.refunded

    def funds(self, session_id: str, currency: str) -> dict[str, Any]:
        """What a session holds, has paid and has got back."""
        return {**vars(self.pockets[session_id, currency]), "currency": currency}

    def account(self) -> list[dict[str, Any]]:
        """What each session holds, has paid and has got back."""
        return [{"session_id": each, **self.funds(each, currency)} for each, currency in [*self.pockets]]
