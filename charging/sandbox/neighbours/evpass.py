"""EV Pass: who users are, and their wallets.

- ``GET /.well-known/jwks.json``  the public keys that sign its tokens
- ``POST /admin/evpass/token`` ``{"sub", "contract_id"?}``  a user's token; ``POST /admin/evpass/rotate``  another key
- ``GET /v1/wallet/balance?user_id=&currency=``
- ``POST /v1/wallet/holds``, ``captures``, ``releases``, ``refunds`` ``{"user_id", "session_id", "currency",
  "amount"}`` with Idempotency-Key; a release has no amount
"""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from charging.ocpi.wire import MalformedJson, dumps, loads
from charging.sandbox.neighbours.doors import known_caller

OPENING_BALANCE: Final = Decimal(1000)

What = Literal["holds", "captures", "releases", "refunds"]


class Transfer(BaseModel):
    """What is to move in a wallet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: str = Field(min_length=1)
    session_id: str = Field(min_length=1)
    currency: str = Field(pattern="^[A-Z]{3}$")
    amount: Decimal = Field(Decimal(0), ge=0)


@dataclass
class Pocket:
    """The money of one session."""

    held: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)


@dataclass
class Wallets:
    """All wallets, and every movement by its key, for ever."""

    available: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(lambda: OPENING_BALANCE))
    pockets: dict[str, Pocket] = field(default_factory=lambda: defaultdict(Pocket))
    movements: dict[str, tuple[str, Transfer, str]] = field(default_factory=dict)

    def move(self, what: What, key: str, transfer: Transfer) -> str:
        """Done or declined, once per key. Raises 409 where the key stands for something else."""
        if key not in self.movements:
            status = "done" if self._moved(what, transfer) else "declined"
            self.movements[key] = (what, transfer, status)
        known, first, status = self.movements[key]
        if (known, first) != (what, transfer):
            raise HTTPException(409, "this Idempotency-Key stands for another movement")
        return status

    def _moved(self, what: What, transfer: Transfer) -> bool:
        wallet, pocket, amount = (
            (transfer.user_id, transfer.currency),
            self.pockets[transfer.session_id],
            transfer.amount,
        )
        taken, held, paid = {
            "holds": (amount, amount, Decimal(0)),
            "captures": (max(amount - pocket.held, Decimal(0)), -min(amount, pocket.held), amount),
            "releases": (-pocket.held, -pocket.held, Decimal(0)),
            "refunds": (-amount, Decimal(0), -amount),
        }[what]
        if self.available[wallet] < taken or pocket.paid + paid < 0:
            return False
        self.available[wallet] -= taken
        pocket.held += held
        pocket.paid += paid
        return True


class Issuer:
    """Signs tokens of users with ES256. Published: the key before, the present one, and the one that comes next."""

    def __init__(self) -> None:
        self._keys: list[tuple[str, ec.EllipticCurvePrivateKey]] = []
        for _ in range(3):
            self.rotate()

    def rotate(self) -> None:
        """From now on the next key, which everybody knows already."""
        self._keys = [*self._keys[-2:], (uuid.uuid4().hex, ec.generate_private_key(ec.SECP256R1()))]

    def jwks(self) -> dict[str, Any]:
        """RFC 7517."""
        algorithm = jwt.get_algorithm_by_name("ES256")
        keys = {kid: algorithm.to_jwk(key.public_key(), as_dict=True) for kid, key in self._keys}
        return {"keys": [{**key, "kid": kid, "alg": "ES256", "use": "sig"} for kid, key in keys.items()]}

    def token(self, claims: dict[str, Any]) -> str:
        """Good for an hour."""
        kid, key = self._keys[1]
        expires = datetime.now(UTC) + timedelta(hours=1)
        return jwt.encode({**claims, "exp": expires}, key, "ES256", headers={"kid": kid})


class Wish(BaseModel):
    """Whose token."""

    model_config = ConfigDict(extra="forbid")

    sub: str
    contract_id: str | None = None


router = APIRouter()


@router.get("/.well-known/jwks.json")
async def jwks(request: Request) -> dict[str, Any]:
    """Open to all."""
    keys: dict[str, Any] = request.app.state.issuer.jwks()
    return keys


@router.post("/admin/evpass/token")
async def token(request: Request, wish: Wish) -> dict[str, str]:
    """A token of a user."""
    return {"token": request.app.state.issuer.token(wish.model_dump(exclude_none=True))}


@router.post("/admin/evpass/rotate")
async def rotate(request: Request) -> dict[str, Any]:
    """Another key from now on."""
    request.app.state.issuer.rotate()
    return await jwks(request)


@router.get("/v1/wallet/balance", dependencies=[Depends(known_caller)])
async def balance(request: Request, user_id: str, currency: str) -> Response:
    """What a user can spend."""
    wallets: Wallets = request.app.state.wallets
    return _json({"available": wallets.available[user_id, currency], "currency": currency})


@router.post("/v1/wallet/{what}", dependencies=[Depends(known_caller)])
async def move(request: Request, what: What, key: Annotated[str, Header(alias="Idempotency-Key")]) -> Response:
    """Money moves between a user's wallet and a session."""
    wallets: Wallets = request.app.state.wallets
    try:
        transfer = Transfer.model_validate(loads(await request.body()))
    except (ValidationError, MalformedJson) as error:
        raise HTTPException(422, "user_id, session_id, currency and amount") from error
    return _json({"status": wallets.move(what, key, transfer)})


def _json(data: Any) -> Response:
    return Response(dumps(data), media_type="application/json")
