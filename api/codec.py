"""The codec server (Temporal's remote codec protocol): lets Temporal UI and the ``temporal`` command show payloads.

An application of its own inside the API, since browsers ask it from another origin: CORS for the one origin of the
setting ``CHARGING_TEMPORAL_UI_ORIGIN``. Whoever may use it sees what every session holds, so a user's token is not
enough: it takes the admin key, or a token whose ``scope`` says so.
"""

import base64
import hmac
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from google.protobuf import json_format
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload, Payloads

from api import problems
from api.auth import Authenticator
from api.limits import Limits
from api.strict_json import read_limited, require_json
from charging.errors import PayloadUnreadable, Problem
from charging.payload_codec import codec
from charging.settings import Settings

PATH = "/v1/admin/codec"
SCOPE = "payloads:read"
MAX_BODY_BYTES = 8 * 1024 * 1024  # a page of a long history in one request

Transform = Callable[[list[Payload]], Awaitable[list[Payload]]]


def create_codec(settings: Settings, authenticator: Authenticator, limits: Limits) -> FastAPI:
    """The application behind ``PATH``."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    problems.install(app)
    ours, operators = codec(settings), _Operators(settings, authenticator, limits)

    @app.get("/sign-in")
    async def sign_in(request: Request) -> dict[str, str]:
        """For people: a browser that asks for the password here sends it along when Temporal UI asks below."""
        await operators.require(request)
        return {"status": "signed_in"}

    @app.post("/encode")
    async def encode(request: Request) -> Response:
        """What an operator types into Temporal UI, as it is stored."""
        await operators.require(request)
        return await _answer(request, ours.encode)

    @app.post("/decode")
    async def decode(request: Request) -> Response:
        """What is stored, as people read it."""
        await operators.require(request)
        return await _answer(request, ours.decode)

    if settings.temporal_ui_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[settings.temporal_ui_origin],
            allow_credentials=True,
            allow_methods=["POST"],
            allow_headers=["Authorization", "Content-Type", "X-Namespace"],
        )
    return app


class _Operators:
    """Who may see payloads: ``X-API-Key`` or the password of HTTP Basic is the admin key, or a bearer token."""

    def __init__(self, settings: Settings, authenticator: Authenticator, limits: Limits) -> None:
        self._limits = limits
        self._key = settings.admin_key.get_secret_value().encode()
        self._authenticator = authenticator

    async def require(self, request: Request) -> None:
        """Raises ``Problem`` 401, 429 instead after too many, or 403 for a token without the scope."""
        given = request.headers.get("x-api-key") or _password(request.headers.get("authorization", ""))
        if given is not None:
            if not hmac.compare_digest(given.encode(), self._key):
                self._limits.failed(request)
                raise _refusal("The admin key is wrong.")
        elif request.headers.get("authorization", "").lower().startswith("bearer "):
            user = await self._authenticator.user(request)
            # A token without any scope may do all that its user may; this is more than any user may.
            if SCOPE not in (user.scopes or ()):
                raise Problem(403, "insufficient_scope", f"The token lacks the scope {SCOPE}.")
        else:
            raise _refusal("The admin key, or a token with a scope for it, is needed.")


def _refusal(detail: str) -> Problem:
    # Basic, so that a browser asks its user.
    headers = {"WWW-Authenticate": 'Basic realm="charging-sessions codec", charset="UTF-8"'}
    return Problem(401, "unauthorized", detail, headers=headers)


def _password(authorization: str) -> str | None:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:  # of what is no base64, no ASCII or no UTF-8
        return ""


async def _answer(request: Request, transform: Transform) -> Response:
    require_json(request)
    given = _payloads(await read_limited(request, MAX_BODY_BYTES))
    try:
        made = Payloads(payloads=await transform(list(given.payloads)))
    except PayloadUnreadable as error:
        raise Problem(422, "payload_unreadable", f"{error}.") from None
    return Response(json_format.MessageToJson(made, indent=None), media_type="application/json")


def _payloads(body: bytes) -> Payloads:
    try:
        return json_format.Parse(body, Payloads())
    except (json_format.ParseError, UnicodeDecodeError, RecursionError):
        raise Problem(400, "malformed_json", "The body is not a list of payloads.") from None
