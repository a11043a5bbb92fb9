"""The OpenAPI document: what FastAPI cannot see by itself (strict bodies, problem documents, raw parameters)."""

import json
import sys
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.problems import title
from api.quote_schemas import QuoteRequest
from api.schemas import (
    PlanRequestBody,
    ProblemAnswer,
    ProfileRequestBody,
    ReservationRequest,
    StartRequest,
    StopRequestBody,
)
from api.webhook_schemas import WebhookRequest

_REF = "#/components/schemas/{model}"
_EXTRA_MODELS: tuple[type[BaseModel], ...] = (
    ProblemAnswer,
    StartRequest,
    StopRequestBody,
    ProfileRequestBody,
    PlanRequestBody,
    QuoteRequest,
    ReservationRequest,
    WebhookRequest,
)
# Every stable code of a problem document, and the status that it comes with.
CODES: Final = {
    "malformed_json": 400,
    "idempotency_key_invalid": 400,
    "unauthorized": 401,
    "signature_invalid": 401,
    "insufficient_scope": 403,
    "session_not_found": 404,
    "evse_not_found": 404,
    "reservation_not_found": 404,
    "curve_not_found": 404,
    "plan_not_found": 404,
    "webhook_not_found": 404,
    "delivery_not_found": 404,
    "too_many_webhooks": 409,
    "webhook_disabled": 409,
    "evse_busy": 409,
    "evse_reserved": 409,
    "command_in_flight": 409,
    "cancel_rejected": 409,
    "evse_out_of_service": 409,
    "cpo_offline": 409,
    "session_over": 409,
    "smart_charging_unsupported": 409,
    "profile_rejected": 409,
    "profile_superseded": 409,
    "receipt_not_found": 404,
    "receipt_not_ready": 409,
    "payment_not_retryable": 409,
    "dispute_not_found": 404,
    "dispute_not_acceptable": 409,
    "curve_not_published": 409,
    "request_timeout": 408,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "validation_error": 422,
    "connector_not_available": 422,
    "idempotency_key_reused": 422,
    "url_not_allowed": 422,
    "plan_unavailable": 501,
    "too_many_streams": 429,
    "rate_limited": 429,
    "service_unavailable": 503,
    "cpo_unavailable": 503,
}
BODY_CODES: Final = (
    "malformed_json",
    "request_timeout",
    "body_too_large",
    "unsupported_media_type",
    "validation_error",
)


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """``responses`` of an endpoint: problem documents with these codes, by status."""
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(model=ProblemAnswer.__name__)}}}
    by_status: dict[int | str, dict[str, Any]] = {}
    for status in sorted({CODES[code] for code in codes}):
        words = ", ".join(f"`{code}`" for code in codes if CODES[code] == status)
        by_status[status] = {"description": f"{title(status)}: {words}", "content": content}
    return by_status


def still_open(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """``responses`` of an endpoint whose question the CPO has not answered yet."""
    return {202: {"model": model, "description": "Accepted: kept, and not yet confirmed by the CPO."}}


def body(model: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra`` of an endpoint that reads ``model`` strictly."""
    named = {f"example_{n}": {"value": value} for n, value in enumerate(_examples(model), 1)}
    content = {"schema": {"$ref": _REF.format(model=model.__name__)}, "examples": named}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def with_key(model: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra`` of an endpoint that reads ``model`` strictly, once per Idempotency-Key."""
    key = _parameter(
        "Idempotency-Key",
        "header",
        {"type": "string", "minLength": 1, "maxLength": 255},
        "Makes a repeat answer the same one. Yours alone; another body with the same key is 422.",
    )
    return {**body(model), "parameters": [key]}


def status_extra(max_wait_s: int) -> dict[str, Any]:
    """The parameters of a status read, which are read by hand there."""
    whole = {"type": "integer", "minimum": 0}
    return {
        "parameters": [
            {**_parameter("session_id", "path", {"type": "string"}, "As the start answered it."), "required": True},
            _parameter("wait", "query", {**whole, "maximum": max_wait_s}, "Long poll: answer within so many seconds."),
            _parameter("after", "query", whole, "Answer at once when `revision` is above this one."),
            _parameter("Cache-Control", "header", {"type": "string"}, "`no-cache` asks the workflow itself."),
        ]
    }


def header(name: str, words: str) -> dict[str, Any]:
    """``openapi_extra`` of an endpoint with an optional header that it reads by hand."""
    return {"parameters": [_parameter(name, "header", {"type": "string"}, words)]}


def _parameter(name: str, place: str, schema: dict[str, Any], words: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": False, "schema": schema, "description": words}


def _examples(model: type[BaseModel]) -> list[Any]:
    examples: list[Any] = model.model_json_schema().get("examples", [])
    return examples


def install(app: FastAPI) -> None:
    """Make ``app.openapi()`` complete."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = document.setdefault("components", {})
    _, extra = models_json_schema([(model, "validation") for model in _EXTRA_MODELS], ref_template=_REF)
    components.setdefault("schemas", {}).update(extra["$defs"])
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    components.setdefault("securitySchemes", {})["bearer"] = bearer
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _without_framework_errors(operation)
            _with_limits(operation)
            if path.startswith("/v1/") and not path.startswith(("/v1/admin/", "/v1/neighbours/")):
                operation["security"] = [{"bearer": []}]
    for model in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(model, None)
    return document


def _without_framework_errors(operation: dict[str, Any]) -> None:
    """FastAPI documents its own 422, which this API never sends."""
    described = json.dumps(operation["responses"].get("422", {}))
    if "HTTPValidationError" in described:
        del operation["responses"]["422"]


def _with_limits(operation: dict[str, Any]) -> None:
    """Whoever has to say who they are may do so too often."""
    if "401" not in operation["responses"]:
        return
    refusal = operation["responses"].setdefault("429", problems("rate_limited")[429])
    text = {"schema": {"type": "string"}}
    refusal["headers"] = {
        "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until it is worth another try."},
        "RateLimit-Policy": {**text, "description": 'Whose quota it was, e.g. `"user";q=2000;w=10`; also on answers.'},
        "RateLimit": {**text, "description": 'What is left for how many seconds, e.g. `"user";r=0;t=7`.'},
    }


def main() -> None:
    """Print the document as ``tests/api/openapi.json`` holds it, without the version of the release."""
    from api.app import create_app
    from charging.settings import Settings

    document = create_app(Settings()).openapi()
    del document["info"]["version"]
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
