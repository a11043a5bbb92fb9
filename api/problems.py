"""Problem documents (RFC 9457): every refusal of the API, with a stable ``code`` and never an echo of input.

``Problem`` (charging.errors) is raised by whoever refuses; this file writes it down, and translates what the
framework, the store and bugs raise into the same shape.
"""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from charging.errors import Problem, StoreUnavailable, Unstorable

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2

log = logging.getLogger(__name__)

_FRAMEWORK_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
}
# RFC 9110 has renamed these; older Pythons do not know.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_FIELD_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")

# Rules about several fields at once, by code: the one to change. The rest is about the body as a whole.
_FIELD_OF_RULE: Final = {
    "target_not_above_level": "battery_target_kwh",
    "incomplete_location": "location_id",
    "location_without_connection": "location",
    "mixed_profile": "periods",
    "departure_missing": "departure_time",
    "min_above_max": "min_charge_rate_kw",
    "first_period_not_at_0": "periods",
    "periods_not_ascending": "periods",
}


def title(status: int) -> str:
    """The reason phrase of an HTTP status (RFC 9110)."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


def problem_response(problem: Problem) -> Response:
    """The answer that ``problem`` is."""
    document = {
        "type": f"urn:charging-sessions:problem:{problem.code}",
        "title": title(problem.status),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        **problem.extra,
    }
    return Response(json.dumps(document), problem.status, problem.headers, MEDIA_TYPE)


def unauthorized(detail: str) -> Problem:
    """401: who is asking is not known. ``detail`` says what was wrong with the token in general terms."""
    challenge = 'Bearer realm="charging-sessions", error="invalid_token"'
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})


def unavailable(detail: str) -> Problem:
    """503: something that the request needs is away; the same request may succeed soon."""
    return Problem(503, "service_unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def invalid(errors: Iterable[Mapping[str, Any]]) -> Problem:
    """422 for what pydantic found: field, code and words; ``input`` and ``ctx`` may be secret and stay out."""
    found = [{"field": _field(e), "code": str(e["type"]), "detail": str(e["msg"])} for e in errors]
    fields = ", ".join(dict.fromkeys(f["field"] for f in found))
    return Problem(422, "validation_error", f"The request is not valid: {fields}.", errors=found)


def invalid_field(field: str, code: str, detail: str) -> Problem:
    """422 for one ``field``, found by a rule of our own."""
    return invalid([{"loc": (field,), "type": code, "msg": detail}])


def _field(error: Mapping[str, Any]) -> str:
    """``metadata.colour``, ``periods.0.limit``: the path of a field. A name that is no identifier is not repeated."""
    parts = [str(part) for part in error["loc"] if part not in ("body", "query", "path", "header")]
    path = ".".join(part if _FIELD_NAME.fullmatch(part) else "?" for part in parts)
    return path or _FIELD_OF_RULE.get(str(error["type"]), "body")


def install(app: FastAPI) -> None:
    """Give ``app`` a problem document for every way to fail."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(StoreUnavailable, _on_store_unavailable)
    app.add_exception_handler(Unstorable, _on_unstorable)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_bug)


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - narrows the type; the framework guarantees it
    return problem_response(error)


async def _on_store_unavailable(_request: Request, error: Exception) -> Response:
    log.warning("store unavailable: %s", error)
    return problem_response(unavailable("The store did not answer; nothing was changed."))


async def _on_unstorable(request: Request, error: Exception) -> Response:
    if "\x00" in request.scope["path"]:
        return await _on_http_exception(request, HTTPException(404))  # nothing has such a name
    return problem_response(invalid([{"loc": (), "type": "unstorable", "msg": str(error)}]))


async def _on_validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows the type
    return problem_response(invalid(error.errors()))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - narrows the type
    code = _FRAMEWORK_CODES.get(error.status_code, "error")
    words = f"{title(error.status_code)}."
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    return problem_response(Problem(error.status_code, code, words, headers=headers))


def _methods(request: Request) -> list[str]:
    """What the path of ``request`` serves; the framework's own header names the methods of one of its routes only."""
    routes = request.app.routes
    outside = {**request.scope, "root_path": request.scope.get("app_root_path", request.scope.get("root_path", ""))}
    return [m for m in _METHODS if any(r.matches({**outside, "method": m})[0] == Match.FULL for r in routes)]


async def _on_bug(_request: Request, _error: Exception) -> Response:
    # The framework logs the exception; its text may hold secrets and stays out of the answer.
    return problem_response(Problem(500, "internal_error", "This is our fault; it has been logged."))
