"""The OpenAPI document: what FastAPI cannot see by itself (strict bodies, problem documents, raw parameters)."""

import json
import sys
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.problems import title
from api.schemas import ProblemAnswer

_REF = "#/components/schemas/{model}"
# What endpoints read strictly, which the framework does not see; filled by `body` while the endpoints are imported.
_models: list[type[BaseModel]] = [ProblemAnswer]
# Every stable code of a problem document, and the status that it comes with.
CODES: Final = {
    "malformed_json": 400,
    "idempotency_key_invalid": 400,
    "unauthorized": 401,
    "signature_invalid": 401,
    "insufficient_scope": 403,
    "not_found": 404,
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
    "connection_not_found": 404,
    "connection_not_active": 409,
    "cpo_connected": 409,
    "token_not_found": 404,
    "token_exists": 409,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "validation_error": 422,
    "connector_not_available": 422,
    "max_cost_required": 422,
    "idempotency_key_reused": 422,
    "url_not_allowed": 422,
    "module_not_offered": 422,
    "peer_url_refused": 422,
    "cpo_version_unsupported": 422,
    "cpo_endpoints_missing": 422,
    "cpo_endpoint_on_another_host": 422,
    "power_factor_refused": 422,
    "plan_unavailable": 501,
    "cpo_refused": 502,
    "cpo_unreachable": 502,
    "cpo_answer_unreadable": 502,
    "sync_failed": 502,
    "sync_still_running": 504,
    "refresh_still_running": 504,
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
# charging.ocpi.registration.Failure: how a handshake with a CPO fails.
HANDSHAKE_CODES: Final = (
    "peer_url_refused",
    "cpo_unreachable",
    "cpo_refused",
    "cpo_answer_unreadable",
    "cpo_version_unsupported",
    "cpo_endpoints_missing",
    "cpo_endpoint_on_another_host",
    "power_factor_refused",
)


_SESSION_ID: Final = "$response.body#/session_id"
_OF_A_SESSION: Final = (
    "GET /v1/sessions/{session_id}/status",
    "GET /v1/sessions/{session_id}/events",
    "GET /v1/sessions/{session_id}/receipt",
    "GET /v1/sessions/{session_id}/receipt.pdf",
    "GET /v1/sessions/{session_id}/plan",
    "GET /v1/sessions/{session_id}/plan.svg",
    "GET /v1/sessions/{session_id}/plan.png",
    "POST /v1/sessions/{session_id}/charging-profile",
    "DELETE /v1/sessions/{session_id}/charging-profile",
    "POST /v1/sessions/{session_id}/payment/retry",
)
_WEBHOOK_ID: Final = {"webhook_id": "$response.body#/webhook_id"}
_OF_A_WEBHOOK: Final = (
    "GET /v1/webhooks/{webhook_id}",
    "GET /v1/webhooks/{webhook_id}/deliveries",
    "POST /v1/webhooks/{webhook_id}/rotate",
    "DELETE /v1/webhooks/{webhook_id}",
)
_TOKEN: Final = {"uid": "$response.body#/uid", "type": "$response.body#/type"}
_OF_A_TOKEN: Final = ("GET /ocpi/tokens/{uid}", "PATCH /ocpi/tokens/{uid}", "DELETE /ocpi/tokens/{uid}")
_CURVE: Final = {"name": "$request.path.name"}
_OF_A_CURVE: Final = (
    "GET /v1/admin/curves/{name}",
    "POST /v1/admin/curves/{name}/refresh",
    "DELETE /v1/admin/curves/{name}",
)
_RESERVATION_ID: Final = {"reservation_id": "$response.body#/reservation_id"}
_OF_A_RESERVATION: Final = (
    "GET /v1/reservations/{reservation_id}",
    "DELETE /v1/reservations/{reservation_id}",
)
# OpenAPI links (§4.8.20): by an operation and its answer, what may be asked next, and with which parameters.
_LINKS: Final[tuple[tuple[str, str, dict[str, str], tuple[str, ...]], ...]] = (
    ("POST /v1/sessions/start", "201", {"session_id": _SESSION_ID}, _OF_A_SESSION),
    ("POST /v1/sessions/stop", "200", {"session_id": _SESSION_ID}, _OF_A_SESSION),
    ("POST /v1/webhooks", "201", _WEBHOOK_ID, _OF_A_WEBHOOK),
    ("POST /v1/reservations", "201", _RESERVATION_ID, _OF_A_RESERVATION),
    ("POST /ocpi/tokens", "201", _TOKEN, _OF_A_TOKEN),
    ("PUT /v1/admin/curves/{name}", "200", _CURVE, _OF_A_CURVE),
    ("PUT /v1/admin/curves/{name}", "201", _CURVE, _OF_A_CURVE),
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
    _models.append(model)
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


MOST_REVISIONS: Final = 2**53 - 1
"""What every reader of JSON can count to."""


def status_extra(max_wait_s: int) -> dict[str, Any]:
    """The parameters of a status read, which are read by hand there."""
    whole = {"type": "integer", "minimum": 0}
    return {
        "parameters": [
            {**_parameter("session_id", "path", {"type": "string"}, "As the start answered it."), "required": True},
            _parameter("wait", "query", {**whole, "maximum": max_wait_s}, "Long poll: answer within so many seconds."),
            _parameter(
                "after",
                "query",
                {**whole, "maximum": MOST_REVISIONS},
                "Answer at once when `revision` is above this one.",
            ),
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
    _, extra = models_json_schema([(model, "validation") for model in dict.fromkeys(_models)], ref_template=_REF)
    components.setdefault("schemas", {}).update(extra["$defs"])
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    components.setdefault("securitySchemes", {})["bearer"] = bearer
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _without_framework_errors(operation)
            _with_limits(operation)
            if path.startswith("/v1/") and not path.startswith(("/v1/admin/", "/v1/neighbours/")):
                operation["security"] = [{"bearer": []}]
    _link(document["paths"])
    for model in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(model, None)
    return document


def _link(paths: dict[str, Any]) -> None:
    """Say what leads where."""

    def operation(name: str) -> dict[str, Any]:
        method, path = name.split(" ")
        found: dict[str, Any] = paths[path][method.lower()]
        return found

    for source, status, parameters, targets in _LINKS:
        links = operation(source)["responses"][status].setdefault("links", {})
        for target in targets:
            id_ = operation(target)["operationId"]
            links[id_] = {"operationId": id_, "parameters": parameters}
    stop = operation("POST /v1/sessions/stop")["operationId"]
    started = operation("POST /v1/sessions/start")["responses"]["201"]["links"]
    started[stop] = {"operationId": stop, "requestBody": {"session_id": _SESSION_ID}}


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
