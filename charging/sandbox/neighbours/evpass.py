"""EV Pass: who users are, and their wallets.

- ``GET /.well-known/jwks.json``  the public keys that sign its tokens
- ``POST /admin/evpass/token`` ``{"sub", "contract_id"?, "scope"?, "act"?, "ttl"?}``  a user's token (``ttl`` in s);
  ``POST /admin/evpass/rotate``  another key
- ``GET /v1/wallet/balance?user_id=&currency=``
- ``GET /v1/wallet/sessions/{session_id}?currency=``  what a session holds, has paid and has got back
- ``POST /v1/wallet/holds``, ``captures``, ``releases``, ``refunds`` ``{"user_id", "session_id", "currency",
  "amount"}`` with Idempotency-Key; a release has no amount
- ``POST /admin/evpass/deposits``, ``withdrawals`` ``{"user_id", "currency", "amount"}``  the user's own doing
- ``POST /admin/evpass/expire`` ``{"session_id"}``  EV Pass lets the session's holds go
- ``GET /admin/evpass``  its own account of the money of each session
"""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from charging.ocpi.wire import MalformedJson, dumps, loads
from charging.sandbox.neighbours.doors import known_caller
from charging.sandbox.neighbours.wallets import Transfer, Wallets


class Wish(BaseModel):
    """Whose token. ``act``: who acts for the user, a robot (RFC 8693)."""

    model_config = ConfigDict(extra="forbid")

    sub: str
    contract_id: str | None = None
    scope: str | None = None
    act: dict[str, str] | None = None
    ttl: int = Field(3600, ge=1, exclude=True)


class Deed(BaseModel):
    """What a user puts into the wallet, or takes out of it."""

    model_config = ConfigDict(extra="forbid")

    user_id: str
    currency: str = "EUR"
    amount: Decimal


class Expiry(BaseModel):
    """Whose holds end."""

    model_config = ConfigDict(extra="forbid")

    session_id: str


router = APIRouter()


def _wallets(request: Request) -> Wallets:
    found: Wallets = request.app.state.wallets
    return found


@router.get("/.well-known/jwks.json")
async def jwks(request: Request) -> dict[str, Any]:
    """Open to all."""
    keys: dict[str, Any] = request.app.state.issuer.jwks()
    return keys


@router.post("/admin/evpass/token")
async def token(request: Request, wish: Wish) -> dict[str, str]:
    """A token of a user."""
    claims = wish.model_dump(exclude_none=True)
    return {"token": request.app.state.issuer.token(claims, timedelta(seconds=wish.ttl))}


@router.post("/admin/evpass/rotate")
async def rotate(request: Request) -> dict[str, Any]:
    """Another key from now on."""
    request.app.state.issuer.rotate()
    return await jwks(request)


@router.post("/admin/evpass/expire")
async def expire(request: Request, expiry: Expiry) -> dict[str, int]:
    """A hold has stood for too long."""
    return {"expired": _wallets(request).expire(expiry.session_id)}


@router.get("/admin/evpass")
async def account(request: Request) -> Response:
    """Our own account of the money of each session."""
    return _json({"sessions": _wallets(request).account()})


@router.post("/admin/evpass/{what}")
async def change(request: Request, what: Literal["deposits", "withdrawals"], deed: Deed) -> dict[str, str]:
    """A user does something with the wallet."""
    transfer = Transfer(session_id="none", **deed.model_dump())
    return {"status": _wallets(request).move(what, f"{what}/{uuid.uuid4().hex}", transfer)}


@router.get("/v1/wallet/balance", dependencies=[Depends(known_caller)])
async def balance(request: Request, user_id: str, currency: str) -> Response:
    """What a user can spend."""
    return _json({"available": _wallets(request).available[user_id, currency], "currency": currency})


@router.get("/v1/wallet/sessions/{session_id}", dependencies=[Depends(known_caller)])
async def funds(request: Request, session_id: str, currency: str) -> Response:
    """Zeros for a session that was never heard of."""
    return _json(_wallets(request).funds(session_id, currency))


@router.post("/v1/wallet/{what}", dependencies=[Depends(known_caller)])
async def move(
    request: Request,
    what: Literal["holds", "captures", "releases", "refunds"],
    key: Annotated[str, Header(alias="Idempotency-Key")],
) -> Response:
    """Money moves between a user's wallet and a session."""
    try:
        transfer = Transfer.model_validate(loads(await request.body()))
    except (ValidationError, MalformedJson) as error:
        raise HTTPException(422, "user_id, session_id, currency and amount") from error
    return _json({"status": _wallets(request).move(what, key, transfer)})


def _json(data: Any) -> Response:
    return Response(dumps(data), media_type="application/json")
