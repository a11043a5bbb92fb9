"""What reads the words of robots and neighbours, as functions of bytes that a fuzzer thinks of: bodies, tokens.

A target returns when it has read, or has refused as its documentation says. Anything else that it raises is a finding.
"""

import json
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, Final

import jwt
from pydantic import SecretStr, ValidationError
from starlette.requests import Request

from api import problems, sessions, strict_json
from api.auth import Authenticator
from api.limits import Limits
from api.neighbours import payments_webhook
from api.quote_schemas import QuoteRequest
from api.schemas import PlanRequestBody, ProfileRequestBody, ReservationRequest, StartRequest, StopRequestBody
from api.webhook_schemas import WebhookRequest
from charging.errors import Problem
from charging.neighbours.payments import IntentBody
from charging.payments.settlement import PaymentKind
from charging.settings import Settings
from tests.fuzz.spoiling import chooser, spoiled, text_of

REQUESTS: Final = (
    StartRequest,
    StopRequestBody,
    ProfileRequestBody,
    PlanRequestBody,
    QuoteRequest,
    ReservationRequest,
    WebhookRequest,
)
EXAMPLES: Final = [(model, example) for model in REQUESTS for example in model.model_json_schema()["examples"]]
_SECRET: Final = SecretStr("whsec_" + "c2VjcmV0" * 4)
_SETTINGS: Final = Settings().model_copy(update={"payments": "payments", "payments_webhook_secret": _SECRET})
_AUTHENTICATOR: Final = Authenticator(_SETTINGS)
_INTENT: Final = {
    "id": "pi_1",
    "idempotency_key": "k",
    "booking_id": "b",
    "currency": "EUR",
    "status": "succeeded",
    "amount": "12.50",
}


def api_body(data: bytes) -> None:
    """Any bytes, and a spoiled request, as the body of a request of a robot."""
    choose = chooser(data)
    model, example = EXAMPLES[choose(len(EXAMPLES))]
    for raw in (data, text_of(spoiled(example, choose))):
        try:
            model.model_validate(strict_json.parse(raw))
        except Problem as problem:
            if problem.status != 400:
                raise
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            problems.problem_response(problems.invalid(found))


def bearer_token(data: bytes) -> None:
    """Any bytes as a bearer token, and as the parts of one."""
    choose = chooser(data)
    claims = spoiled({"sub": "user", "exp": 4_000_000_000, "scope": "sessions:read", "act": {"sub": "r"}}, choose)
    tokens = [data]
    if isinstance(claims, dict):
        secret = _SETTINGS.jwt_secret.get_secret_value()
        tokens.append(jwt.PyJWS().encode(json.dumps(claims).encode(), secret, "HS256").encode())
    for token in tokens:
        request = Request({"type": "http", "headers": [(b"authorization", b"Bearer " + token)]})
        try:
            _finish(_AUTHENTICATOR.user(request))
        except Problem as problem:
            if problem.status != 401:
                raise


def request_headers(data: bytes) -> None:
    """Any text as each header of a robot that is read by hand."""
    request = _request((b"idempotency-key", data), (b"content-type", data), (b"content-length", data))
    for read in (sessions.idempotency_key, strict_json.require_json):
        try:
            read(request)
        except Problem as problem:
            if problem.status not in (400, 415):
                raise
    try:
        _finish(strict_json.read_limited(request))
    except Problem as problem:
        if problem.status != 413:
            raise


def payments_message(data: bytes) -> None:
    """A webhook of Payments: any signature is refused, and a spoiled intent is read or refused."""
    choose = chooser(data)
    parts = [*data.split(b"\n", 2), b"", b""]
    signed = {b"webhook-id": parts[0], b"webhook-timestamp": parts[1], b"webhook-signature": b"v1," + parts[2]}
    request = _request(*signed.items())
    try:
        _finish(payments_webhook(request))
        raise AssertionError("a stranger was believed")
    except Problem as problem:
        if problem.status != 401:
            raise
    try:
        IntentBody.model_validate(strict_json.parse(text_of(spoiled(_INTENT, choose)))).intent(PaymentKind.CAPTURE)
    except (Problem, ValidationError):
        return


def _request(*headers: tuple[bytes, bytes]) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def use(*_: Any) -> Any:
        raise NotImplementedError

    limits = Limits(_SETTINGS.model_copy(update={"stranger_rate": 0}), use)
    app = SimpleNamespace(state=SimpleNamespace(settings=_SETTINGS, limits=limits))
    return Request({"type": "http", "method": "POST", "headers": list(headers), "app": app}, receive)


def _finish(reading: Coroutine[Any, Any, Any]) -> None:
    """Run what never waits: everything that it asks for is here."""
    try:
        reading.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")
