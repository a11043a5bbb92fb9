"""Payments: intents and refunds, decided at once or when a person says so, told by signed webhooks.

- ``POST /v1/payment-intents``, ``POST /v1/refunds`` ``{"amount", "currency", "booking_id"}`` with Idempotency-Key
- ``GET`` on both with ``?booking_id=``, or ``/{id}``
- ``POST /admin/payments`` ``{"decide": "succeeded" | "failed" | null, "webhook": "after" | "before" | "never"}``: what
  becomes of movements from now on, and when it is told, seen from the answer
- ``POST /admin/payments/{id}`` ``{"status", "webhook"?}``  a movement is decided now
"""

import asyncio
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import httpx
from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from standardwebhooks import Webhook

from charging.ocpi.wire import MalformedJson, dumps, loads
from charging.sandbox.neighbours.doors import known_caller
from charging.sandbox.neighbours.settings import NeighbourSettings
from charging.sandbox.persistence import Journal

_OBJECTS = {"payment-intents": "payment_intent", "refunds": "refund"}


class Order(BaseModel):
    """What we are asked to move. The currency is never guessed."""

    model_config = ConfigDict(extra="forbid")

    amount: Decimal = Field(gt=0)
    currency: str = Field(pattern="^[A-Z]{3}$")
    booking_id: str = Field(min_length=1)


class Manners(BaseModel):
    """How movements are decided and told from now on."""

    model_config = ConfigDict(extra="forbid")

    decide: Literal["succeeded", "failed"] | None = "succeeded"
    webhook: Literal["before", "after", "never"] = "after"


class Decision(BaseModel):
    """What becomes of one movement."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["succeeded", "failed"]
    webhook: bool = True


class Movement(BaseModel):
    """An intent or a refund."""

    object: str
    idempotency_key: str
    booking_id: str
    amount: Decimal
    currency: str
    status: str = "processing"
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)


class Books:
    """All movements, by their Idempotency-Key; a failed refund or intent moves nothing."""

    def __init__(self, settings: NeighbourSettings, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal
        self._manners = journal.load("payments-manners", Manners)
        self._movements = journal.load("payments-movement", Movement)
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def manners(self) -> Manners:
        """How movements are decided and told now."""
        return self._manners.get("now", Manners())

    def behave(self, manners: Manners) -> None:
        """From now on like this."""
        self._journal.put(("payments-manners", "now", manners))
        self._manners["now"] = manners

    @property
    def movements(self) -> list[Movement]:
        """Oldest first."""
        return [*self._movements.values()]

    def take(self, kind: str, key: str, order: Order) -> Movement:
        """The movement of this key. Raises 409 where the key stands for another one."""
        known = self._movements.get(key)
        if known is None:
            status = self.manners.decide or "processing"
            known = Movement(object=_OBJECTS[kind], idempotency_key=key, status=status, **order.model_dump())
            self._write(known)
        if (known.object, known.booking_id, known.amount, known.currency) != (
            _OBJECTS[kind],
            order.booking_id,
            order.amount,
            order.currency,
        ):
            raise HTTPException(409, "this Idempotency-Key stands for another movement")
        return known

    def decide(self, movement_id: str, status: str) -> Movement:
        """What becomes of a movement. Raises 404."""
        known = next((each for each in self.movements if each.id == movement_id), None)
        if known is None:
            raise HTTPException(404)
        decided = known.model_copy(update={"status": status})
        self._write(decided)
        return decided

    def _write(self, movement: Movement) -> None:
        self._journal.put(("payments-movement", movement.idempotency_key, movement))
        self._movements[movement.idempotency_key] = movement

    async def tell(self, movement: Movement) -> None:
        """Send the webhook of a decided movement, once; whoever misses it can look."""
        body = dumps({"type": f"{movement.object}.{movement.status}", "data": movement.model_dump()}).decode()
        message_id, now = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
        signature = Webhook(self._settings.webhook_secret.get_secret_value()).sign(message_id, now, body)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        url = f"{self._settings.engine_url}/v1/neighbours/payments/webhook"
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            with suppress(httpx.HTTPError):
                await http.post(url, content=body, headers=headers)

    def tell_later(self, movement: Movement) -> None:
        """The same, in the background."""
        task = asyncio.create_task(self.tell(movement))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


router = APIRouter()
_doors = [Depends(known_caller)]
Kind = Literal["payment-intents", "refunds"]


def _books(request: Request) -> Books:
    found: Books = request.app.state.payments
    return found


def _json(data: Any, status: int = 200) -> Response:
    return Response(dumps(data), status, media_type="application/json")


@router.post("/v1/{kind}", dependencies=_doors)
async def move(request: Request, kind: Kind, key: Annotated[str, Header(alias="Idempotency-Key")]) -> Response:
    """Money is to move."""
    books = _books(request)
    movement = books.take(kind, key, _order(await request.body()))
    if movement.status != "processing" and books.manners.webhook == "before":
        await books.tell(movement)
    if movement.status != "processing" and books.manners.webhook == "after":
        books.tell_later(movement)
    return _json(movement.model_dump(), 201)


def _order(body: bytes) -> Order:
    try:
        return Order.model_validate(loads(body))
    except (ValidationError, MalformedJson) as error:
        raise HTTPException(422, "amount, currency and booking_id") from error


@router.get("/v1/{kind}", dependencies=_doors)
async def movements(request: Request, kind: Kind, booking_id: str) -> Response:
    """All of one booking."""
    found = [m for m in _books(request).movements if (m.object, m.booking_id) == (_OBJECTS[kind], booking_id)]
    return _json({"data": [movement.model_dump() for movement in found]})


@router.get("/v1/{kind}/{movement_id}", dependencies=_doors)
async def movement(request: Request, kind: Kind, movement_id: str) -> Response:
    """One of them."""
    found = next((m for m in _books(request).movements if (m.object, m.id) == (_OBJECTS[kind], movement_id)), None)
    if found is None:
        raise HTTPException(404)
    return _json(found.model_dump())


@router.get("/admin/payments")
async def all_movements(request: Request) -> Response:
    """Our own account of what moved."""
    return _json({"movements": [movement.model_dump() for movement in _books(request).movements]})


@router.post("/admin/payments")
async def behave(request: Request, manners: Manners) -> Response:
    """From now on like this."""
    _books(request).behave(manners)
    return _json(manners.model_dump())


@router.post("/admin/payments/{movement_id}")
async def decide(request: Request, movement_id: str, decision: Decision) -> Response:
    """A movement is decided now."""
    books = _books(request)
    movement = books.decide(movement_id, decision.status)
    if decision.webhook:
        await books.tell(movement)
    return _json(movement.model_dump())
