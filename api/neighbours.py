"""``/v1/neighbours``: what the sibling services call (docs/neighbours.md)."""

import logging

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from api import documentation as doc
from api.branch import Branch
from api.limits import limits_of
from api.problems import invalid
from api.strict_json import parse, read_limited
from charging.errors import Problem
from charging.neighbours.payments import IntentBody
from charging.payments.settlement import PaymentKind
from charging.settings import Settings
from charging.store.intents import IntentStatus, IntentStore

MAX_BODY_BYTES = 64 * 1024
_KINDS = {"payment_intent": PaymentKind.CAPTURE, "refund": PaymentKind.REFUND}
_DECIDED = (IntentStatus.SUCCEEDED, IntentStatus.FAILED)

log = logging.getLogger(__name__)

router = Branch(prefix="/v1/neighbours", tags=["Neighbours"])


class WebhookAnswer(BaseModel):
    """``taken`` False: well signed, and about nothing that we asked for; sending it again changes nothing."""

    taken: bool


class _Type(BaseModel):
    type: str


class _Event(_Type):
    data: IntentBody


@router.post(
    "/payments/webhook",
    summary="What became of a payment",
    responses=doc.problems("signature_invalid", "malformed_json", "body_too_large", "validation_error", "not_found"),
)
async def payments_webhook(request: Request) -> WebhookAnswer:
    """Signed by the Standard Webhooks specification. Repeats and any order are fine; each answers 200."""
    body = await read_limited(request, MAX_BODY_BYTES)
    _require_signature(request, body)
    try:
        kind, _, event = _Type.model_validate(parse(body)).type.partition(".")
        if kind not in _KINDS or event not in _DECIDED:
            return WebhookAnswer(taken=False)
        told = _Event.model_validate(parse(body)).data.intent(_KINDS[kind])
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False, include_context=False)) from None
    try:
        await IntentStore(request.app.state.services.database).learn(told)
    except LookupError as error:
        log.error("a webhook of Payments: %s", error, extra={"intent": told.id, "booking_id": told.booking_id})
        return WebhookAnswer(taken=False)
    return WebhookAnswer(taken=True)


def _require_signature(request: Request, body: bytes) -> None:
    """Raise ``Problem`` 401 unless the sender knows our secret and has signed this body within five minutes.

    404 where Payments is not our neighbour: then nobody has given us a secret of its own.
    """
    settings: Settings = request.app.state.settings
    if settings.payments != "payments":
        raise HTTPException(404)
    secret = settings.payments_webhook_secret.get_secret_value()
    try:
        Webhook(secret).verify(body, dict(request.headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # the library lets headers that are no base64 through as ValueError
        limits_of(request).failed(request)
        raise Problem(401, "signature_invalid", "The webhook is not signed by Payments, or too old.") from None
