"""How the server side speaks OCPI: who calls, what they sent, and the envelope of the answer (OCPI 2.2.1 §4.1)."""

import secrets
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

from charging.ocpi import wire
from charging.sandbox import clock
from charging.sandbox.cpo import Cpo
from charging.sandbox.driver import Driver
from charging.sandbox.registration import Peer

M = TypeVar("M", bound=BaseModel)

_ROUTING = {
    wire.FROM_COUNTRY: wire.TO_COUNTRY,
    wire.FROM_PARTY: wire.TO_PARTY,
    wire.TO_COUNTRY: wire.FROM_COUNTRY,
    wire.TO_PARTY: wire.FROM_PARTY,
}


class Refusal(Exception):
    """A call that is answered with an error."""

    def __init__(self, http_status: int, status_code: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.status_code = status_code
        self.message = message


def cpo_of(request: Request) -> Cpo:
    """The sandbox that serves ``request``."""
    cpo: Cpo = request.app.state.cpo
    return cpo


def driver_of(request: Request) -> Driver:
    """The tasks of the sandbox that serves ``request``."""
    driver: Driver = request.app.state.driver
    return driver


def caller(request: Request) -> Peer:
    """The registered eMSP that calls. Raises ``Refusal`` 401."""
    offered = wire.token_candidates(request.headers.get(wire.AUTHORIZATION))
    for peer in cpo_of(request).peers.values():
        if any(_same(token, peer.server_token) for token in offered):
            return peer
    raise Refusal(401, wire.CLIENT_ERROR, "unknown credentials token")


def bears_token_a(request: Request) -> bool:
    """Whether the caller has the token for registering."""
    offered = wire.token_candidates(request.headers.get(wire.AUTHORIZATION))
    return any(_same(token, cpo_of(request).settings.token) for token in offered)


def _same(token: str, expected: str) -> bool:
    return secrets.compare_digest(token.encode(), expected.encode())


async def body_of(request: Request, model: type[M]) -> M:
    """The body as ``model``. Raises ``Refusal``: 400 for what is no JSON, OCPI 2001 for what does not fit."""
    try:
        return model.model_validate(await json_of(request))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise Refusal(200, wire.INVALID_PARAMETERS, f"missing or wrong: {field}") from error


async def json_of(request: Request) -> Any:
    """The body as data. Raises ``Refusal`` 400."""
    try:
        return wire.loads(await request.body())
    except wire.MalformedJson as error:
        raise Refusal(400, wire.CLIENT_ERROR, "no JSON") from error


def reply(
    request: Request,
    data: Any = None,
    *,
    status_code: int = wire.SUCCESS,
    http_status: int = 200,
    message: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """An answer: envelope, request and correlation id echoed, sender and receiver swapped."""
    echoed = {name: request.headers.get(name) for name in (wire.REQUEST_ID, wire.CORRELATION_ID)}
    swapped = {answer: request.headers.get(asked) for asked, answer in _ROUTING.items()}
    present = {name: value for name, value in {**echoed, **swapped}.items() if value is not None}
    body = wire.envelope(data, now=clock.now(), status_code=status_code, message=message)
    return Response(
        wire.dumps(body), http_status, headers={**present, **(headers or {})}, media_type="application/json"
    )
