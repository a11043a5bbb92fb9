"""``/v1/webhooks``: a user's events, delivered by HTTP (Standard Webhooks 1.0). Endpoints only translate.

A webhook of another user is absent.
"""

import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from api import documentation as doc
from api.auth import READ, WRITE, User, authenticated
from api.branch import Branch
from api.desk import Desk, desk_of
from api.problems import invalid_field
from api.strict_json import strict_body
from api.webhook_schemas import (
    DeliveriesAnswer,
    DeliveryAnswer,
    NewWebhookAnswer,
    WebhookAnswer,
    WebhookRequest,
    WebhooksAnswer,
)
from charging.errors import Problem
from charging.ocpi.peer_url import UnusablePeerUrl, check_peer_url
from charging.store.webhooks import MOST_PER_USER, Delivery, StoredWebhook, TooManyWebhooks

router = Branch(
    prefix="/v1/webhooks",
    tags=["Webhooks"],
    responses=doc.problems("unauthorized", "insufficient_scope", "service_unavailable"),
)

Reader = Annotated[User, Depends(authenticated(READ))]
Writer = Annotated[User, Depends(authenticated(WRITE))]
Order = Annotated[WebhookRequest, Depends(strict_body(WebhookRequest))]
State = Annotated[Literal["waiting", "delivered", "failed"] | None, Query()]

_ABSENT = doc.problems("webhook_not_found")


@router.post(
    "",
    status_code=201,
    summary="Have events delivered to a URL",
    responses=doc.problems(*doc.BODY_CODES, "too_many_webhooks"),
    openapi_extra=doc.body(WebhookRequest),
)
async def add(request: Request, response: Response, user: Writer, order: Order) -> NewWebhookAnswer:
    """Of all your sessions, from now on. Keep the `secret`: it is shown this once, and proves that events are ours."""
    desk = desk_of(request)
    try:
        await check_peer_url(order.url, allow_private=desk.services.settings.allow_private_peers)
    except UnusablePeerUrl as error:
        raise invalid_field("url", "url_refused", str(error)) from None
    try:
        webhook, secret = await desk.webhooks.add(user.sub, order.url, order.types, datetime.now(UTC))
    except TooManyWebhooks:
        raise Problem(409, "too_many_webhooks", f"You have {MOST_PER_USER} webhooks already.") from None
    response.headers["Location"] = f"/v1/webhooks/{webhook.id}"
    return NewWebhookAnswer(**_fields(webhook), secret=secret)


@router.get("", summary="Your webhooks")
async def read_all(request: Request, user: Reader) -> WebhooksAnswer:
    """Without their secrets."""
    found = await desk_of(request).webhooks.of_user(user.sub)
    return WebhooksAnswer(webhooks=[_answer(each) for each in found])


@router.get("/{webhook_id}", summary="A webhook", responses=_ABSENT)
async def read(request: Request, webhook_id: str, user: Reader) -> WebhookAnswer:
    """Without its secret."""
    return _answer(await _own(desk_of(request), webhook_id, user))


@router.delete("/{webhook_id}", status_code=204, summary="Remove a webhook", responses=_ABSENT)
async def remove(request: Request, webhook_id: str, user: Writer) -> Response:
    """What was not delivered yet will not be."""
    if not await desk_of(request).webhooks.remove(user.sub, _id(webhook_id)):
        raise _absent()
    return Response(status_code=204)


@router.post("/{webhook_id}/rotate", summary="A new secret", responses=_ABSENT)
async def rotate(request: Request, webhook_id: str, user: Writer) -> NewWebhookAnswer:
    """For 24 h the one before signs, too, so that you can change over without a gap."""
    desk = desk_of(request)
    secret = await desk.webhooks.rotate(user.sub, _id(webhook_id), datetime.now(UTC))
    if secret is None:
        raise _absent()
    return NewWebhookAnswer(**_fields(await _own(desk, webhook_id, user)), secret=secret)


@router.get(
    "/{webhook_id}/deliveries",
    summary="What was delivered, and what was not",
    responses={**_ABSENT, **doc.problems("validation_error")},
)
async def deliveries(request: Request, webhook_id: str, user: Reader, state: State = None) -> DeliveriesAnswer:
    """The newest hundred, of one `state` if you name it."""
    desk = desk_of(request)
    webhook = await _own(desk, webhook_id, user)
    found = await desk.webhooks.deliveries(webhook.id, state)
    return DeliveriesAnswer(deliveries=[_delivery(each) for each in found])


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    summary="Deliver an event again",
    responses=doc.problems("webhook_not_found", "delivery_not_found", "webhook_disabled"),
)
async def replay(request: Request, webhook_id: str, delivery_id: str, user: Writer) -> DeliveryAnswer:
    """Whatever became of it, at once, and under the same event id."""
    desk = desk_of(request)
    webhook = await _own(desk, webhook_id, user)
    if webhook.disabled_at is not None:
        raise Problem(409, "webhook_disabled", "This webhook has answered 410 Gone. Add it anew.")
    delivery = await desk.webhooks.replay(webhook.id, delivery_id, datetime.now(UTC))
    if delivery is None:
        raise Problem(404, "delivery_not_found", "This webhook has no such delivery.")
    desk.relay.wake_soon(webhook.id)
    return _delivery(delivery)


async def _own(desk: Desk, webhook_id: str, user: User) -> StoredWebhook:
    webhook = await desk.webhooks.get(user.sub, _id(webhook_id))
    if webhook is None:
        raise _absent()
    return webhook


def _id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise _absent() from None


def _absent() -> Problem:
    return Problem(404, "webhook_not_found", "You have no such webhook.")


def _answer(webhook: StoredWebhook) -> WebhookAnswer:
    return WebhookAnswer(**_fields(webhook))


def _fields(webhook: StoredWebhook) -> dict[str, object]:
    return {
        "webhook_id": webhook.id,
        "url": webhook.url,
        "types": list(webhook.types),
        "created_at": webhook.created_at,
        "disabled_at": webhook.disabled_at,
        "previous_secret_until": webhook.old_secret_until,
    }


def _delivery(delivery: Delivery) -> DeliveryAnswer:
    fields = asdict(delivery)
    return DeliveryAnswer(delivery_id=fields.pop("id"), **fields)
