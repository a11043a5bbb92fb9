"""One request of a CPO and our answer: who is asking, in which version, the envelope, the headers (OCPI 2.2.1 §4.1).

The version is that of the URL, whatever was negotiated: after an upgrade a peer may still push to the former URLs.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from api.branch import Branch
from api.limits import limits_of
from api.ocpi.showing import show_doctor
from api.services import Services
from charging import tracing
from charging.errors import Problem, StoreUnavailable, UnusableMessage
from charging.log_lines import in_call
from charging.ocpi import wire
from charging.ocpi.call_lines import Ended, their_call
from charging.ocpi.models import OcpiModel
from charging.ocpi.versions import DIALECTS, Dialect, Kind
from charging.store.connections import Caller, Connection
from charging.store.objects import ObjectKey
from charging.store.odd import store_odd_message

# The headers that answer the request being served; set by the route, `peer` and `caller`; read by `reply`.
_echo: ContextVar[Mapping[str, str]] = ContextVar("ocpi_echo")

_SPAN_NAMES: Final = {wire.REQUEST_ID: "ocpi.request_id", wire.CORRELATION_ID: "ocpi.correlation_id"}
_SWAPPED: Final = {
    wire.FROM_COUNTRY: wire.TO_COUNTRY,
    wire.FROM_PARTY: wire.TO_PARTY,
    wire.TO_COUNTRY: wire.FROM_COUNTRY,
    wire.TO_PARTY: wire.FROM_PARTY,
}


# Where a PATCH need not say when the object changed: there the moment of its arrival stands for it.
_UNDATED_PATCHES: Final = frozenset({"2.1.1"})


class OcpiRefusal(HTTPException):
    """Ends a request with an OCPI envelope. ``http_status`` is 200 for what OCPI itself refuses."""

    def __init__(
        self, status_code: int, message: str, *, http_status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(http_status, message, headers)
        self.ocpi_status = status_code


async def peer(request: Request) -> Connection:
    """The CPO that calls a functional module. Anything but the token of an active connection is a 401.

    A TOKEN_A opens versions and credentials only.
    """
    who = await _identify(request, echoes=(wire.REQUEST_ID, wire.CORRELATION_ID, *_SWAPPED))
    if not who.connection.is_active:
        raise _unauthorized(request)
    if who.is_next:
        await services(request).connections.adopt(who)
    if "\x00" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise UnusableMessage("NUL in the URL")  # no id has one, and PostgreSQL does not even look for it
    return who.connection


async def caller(request: Request) -> Caller:
    """Who calls a configuration module, in whatever state its registration is. No routing headers there (§4.1.3)."""
    return await _identify(request, echoes=(wire.REQUEST_ID, wire.CORRELATION_ID))


async def _identify(request: Request, *, echoes: tuple[str, ...]) -> Caller:
    _echo.set({_SWAPPED.get(h, h): request.headers[h] for h in echoes if h in request.headers})
    candidates = wire.token_candidates(request.headers.get(wire.AUTHORIZATION))
    who = await services(request).connections.by_server_token(candidates) if candidates else None
    if who is None:
        raise _unauthorized(request)
    wait_s = await limits_of(request).peer(request, who.connection.id)
    if wait_s is not None:
        raise _too_many("too many requests", wait_s)
    request.state.caller = who
    form = wire.form_of_token(request.headers[wire.AUTHORIZATION], who.token)
    if form != who.connection.sends_token_form:
        await services(request).connections.heard_token_form(who.connection.id, form)
    return who


def _too_many(message: str, wait_s: int) -> OcpiRefusal:
    """HTTP 429: nothing was read, nothing is kept, and the peer sends it again."""
    return OcpiRefusal(wire.CLIENT_ERROR, message, http_status=429, headers={"Retry-After": str(wait_s)})


def _unauthorized(request: Request) -> OcpiRefusal:
    try:
        limits_of(request).failed(request)
    except Problem as problem:
        return OcpiRefusal(wire.CLIENT_ERROR, problem.detail, http_status=problem.status, headers=problem.headers)
    return OcpiRefusal(
        wire.CLIENT_ERROR, "no such credentials token", http_status=401, headers={"WWW-Authenticate": "Token"}
    )


def services(request: Request) -> Services:
    """The shared parts of this process."""
    found: Services = request.app.state.services
    return found


def reply(
    data: Any = None,
    *,
    status_code: int = wire.SUCCESS,
    http_status: int = 200,
    message: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An OCPI answer: envelope, ``X-Request-ID`` and ``X-Correlation-ID`` echoed, ``OCPI-from``/``-to`` swapped.

    ``data`` is in JSON's types or ours (decimals, datetimes); None leaves it out.
    """
    body = wire.envelope(data, now=datetime.now(UTC), status_code=status_code, message=message)
    answer = _Enveloped(
        wire.dumps(body), http_status, {**_echo.get({}), **(headers or {})}, media_type="application/json"
    )
    answer.ocpi_status = status_code
    return answer


class _Enveloped(Response):
    """An answer that remembers the status in its envelope, for the log."""

    ocpi_status = wire.SUCCESS


def not_found(message: str, *, status_code: int = wire.INVALID_PARAMETERS) -> OcpiRefusal:
    """404 with an envelope: the object of a GET or PATCH does not exist."""
    return OcpiRefusal(status_code, message, http_status=404)


def require_owner(connection: Connection, country_code: str, party_id: str) -> None:
    """404 unless the peer speaks for this party: a peer touches only its own objects (docs/trust.md 2.44)."""
    if not connection.owns(country_code, party_id):
        raise not_found("this party is not one of your roles")


def speaks(version: str) -> Callable[[Request], Awaitable[None]]:
    """What all routes of one version depend on: their bodies and answers are in it."""

    async def remember(request: Request) -> None:
        request.state.dialect = DIALECTS[version]

    return remember


def spoken(request: Request) -> Dialect:
    """The version that this request is in."""
    found: Dialect = request.state.dialect
    return found


def shown(request: Request, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """A peer's own object for itself to read back: whole where it is kept in that version, else as it can be said."""
    dialect = spoken(request)
    return body if dialect.version == wire.VERSION else dialect.write(kind, body)


async def read_object(
    request: Request, connection: Connection, kind: Kind | None = None, owner: wire.Party | None = None
) -> dict[str, Any]:
    """The JSON object of a PUT, PATCH or POST, as 2.2.1 has it; ``kind`` None where all versions write it alike.

    ``owner`` is the party in the URL; without one it is the peer's. Malformed JSON is HTTP 400; another type 2001,
    and it is kept.
    """
    raw = await request.body()
    try:
        body = wire.loads(raw)
    except wire.MalformedJson as error:
        await _keep(request, connection, raw, str(error))
        raise OcpiRefusal(wire.INVALID_PARAMETERS, str(error), http_status=400) from error
    if not isinstance(body, dict):
        raise await odd(request, connection, "the body is not an object")
    if kind is None:
        return body
    if request.method == "PATCH" and spoken(request).version in _UNDATED_PATCHES and body.get("last_updated") is None:
        body = {**body, "last_updated": wire.format_datetime(datetime.now(UTC))}
    return spoken(request).read(kind, body, owner or connection.party)


async def read_valid(
    request: Request,
    connection: Connection,
    model: type[OcpiModel],
    kind: Kind | None = None,
    owner: wire.Party | None = None,
) -> dict[str, Any]:
    """The object of a request, once it is known to be a usable ``model``. Else 2001, and it is kept."""
    body = await read_object(request, connection, kind, owner)
    try:
        model.model_validate(body)
    except ValidationError as error:
        raise await odd(request, connection, error) from error
    return body


def require_same_id(in_url: str, in_body: Any) -> None:
    """2001 unless the body is the object that the URL names (§4.1.2; CiString: case does not matter)."""
    if wire.fold(in_url) != wire.fold(str(in_body)):
        raise OcpiRefusal(wire.INVALID_PARAMETERS, "the id in the URL is not the one in the body")


def require_same_owner(key: ObjectKey, body: dict[str, Any]) -> None:
    """2001 unless body and URL name one owner."""
    if not wire.Party(key.country_code, key.party_id).is_same(str(body["country_code"]), str(body["party_id"])):
        raise OcpiRefusal(wire.INVALID_PARAMETERS, "country_code and party_id in the URL are not those in the body")


async def odd(request: Request, connection: Connection, problem: str | ValidationError) -> OcpiRefusal:
    """Keep the body of this request whole and return the refusal (2001) to raise. Names fields, echoes nothing."""
    words = problem if isinstance(problem, str) else fields_of(problem)
    await _keep(request, connection, await request.body(), words)
    return OcpiRefusal(wire.INVALID_PARAMETERS, words)


async def _keep(request: Request, connection: Connection, raw: bytes, problem: str) -> None:
    await store_odd_message(
        services(request).database,
        connection_id=connection.id,
        method=request.method,
        path=request.url.path,
        body=raw,
        problem=problem,
    )


def fields_of(error: ValidationError) -> str:
    """Which fields of an object are wrong, and how; the first few."""
    wrong = [f"{'.'.join(str(part) for part in e['loc'])}: {e['type']}" for e in error.errors(include_input=False)]
    return ", ".join(wrong[:5])[:500]


async def _kept_if_unusable(handle: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """What ``handle`` answers. A message that it can do nothing with is kept whole for people (2001)."""
    try:
        return await handle(request)
    except UnusableMessage as error:
        who: Caller = request.state.caller
        raise await odd(request, who.connection, str(error)) from error


class OcpiRoute(APIRoute):
    """A route whose every answer, errors included, is an envelope (§4.1.7). A slash at the end changes nothing."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route serves the request; some peers end every URL with a slash (docs/ocpi.md, Q36)."""
        path: str = scope["path"]
        if path.endswith("/") and path[:-1] != scope.get("root_path"):  # nothing but a slash is left below a mount
            return super().matches({**scope, "path": path.rstrip("/")})
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with our errors translated once, and a line in the log."""
        handle = super().get_route_handler()
        module = self.path.strip("/").partition("/")[0]

        async def handle_in_ocpi(request: Request) -> Response:
            ids = {h: request.headers[h] for h in (wire.REQUEST_ID, wire.CORRELATION_ID) if h in request.headers}
            _echo.set(ids)
            tracing.note({_SPAN_NAMES[header]: value for header, value in ids.items()})
            began = time.monotonic()
            with in_call(ids.get(wire.CORRELATION_ID), ids.get(wire.REQUEST_ID)):
                answer = await handle_without_errors(request)
                _log(request, module, answer, time.monotonic() - began)
            return answer

        async def handle_without_errors(request: Request) -> Response:
            try:
                return await _kept_if_unusable(handle, request)
            except OcpiRefusal as refusal:
                return reply(
                    status_code=refusal.ocpi_status,
                    http_status=refusal.status_code,
                    message=str(refusal.detail),
                    headers=refusal.headers,
                )
            except RequestValidationError:
                return reply(status_code=wire.INVALID_PARAMETERS, message="a parameter is wrong")
            except StoreUnavailable:
                # Not acknowledged: nothing was kept (docs/trust.md 1.65).
                return reply(status_code=wire.SERVER_ERROR, http_status=503, headers={"Retry-After": "2"})
            finally:
                show_doctor(services(request).peers.doctor, request)

        return handle_in_ocpi


def _log(request: Request, module: str, answer: Response, seconds: float) -> None:
    who: Caller | None = getattr(request.state, "caller", None)
    about = {"module": module, "connection_id": who.connection.id if who else None}
    ended = Ended(answer.status_code, answer.ocpi_status if isinstance(answer, _Enveloped) else None)
    their_call(request.method, about, ended, seconds)


def module_router(module: str) -> Branch:
    """The router of one module; ``api.ocpi`` mounts it at ``/emsp/{version}/{module}`` for each version that has it."""
    return Branch(prefix=f"/{module}", route_class=OcpiRoute, include_in_schema=False)
