"""How the server side speaks OCPI: who calls, what they sent, and the envelope of the answer (OCPI 2.2.1 §4.1).

The version stands in the URL. A peer is spoken to in the version that it registered at, and must call there.
"""

import secrets
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

from charging.ocpi import wire
from charging.ocpi.versions import DIALECTS, Body, Dialect, Kind
from charging.sandbox import clock
from charging.sandbox.cpo import Cpo
from charging.sandbox.driver import Driver
from charging.sandbox.pusher import Pusher
from charging.sandbox.quirks import Quirk
from charging.sandbox.registration import Peer
from charging.sandbox.wording import worded

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


def pusher_of(request: Request) -> Pusher:
    """What calls the eMSPs of the sandbox that serves ``request``."""
    pusher: Pusher = request.app.state.pusher
    return pusher


def dialect_of(request: Request) -> Dialect:
    """The version that stands in the URL. Raises ``Refusal`` 404."""
    theirs = DIALECTS.get(request.path_params["version"])
    if theirs is None:
        raise Refusal(404, wire.UNSUPPORTED_VERSION, "no such version")
    return theirs


async def has_module(request: Request) -> None:
    """Refuse what the version of the URL does not have: 2.1.1 knows no charging profiles."""
    module = request.url.path.split("/")[4]
    if module not in dialect_of(request).modules:
        raise Refusal(404, wire.CLIENT_ERROR, "no such module in this version")


def caller(request: Request) -> Peer:
    """The registered eMSP that calls, in its version. Raises ``Refusal`` 401, or 404 where the version is another."""
    peer = known_peer(request)
    if peer.version != dialect_of(request).version:
        raise Refusal(404, wire.UNSUPPORTED_VERSION, f"you are registered at {peer.version}")
    return peer


def known_peer(request: Request) -> Peer:
    """The registered eMSP that calls, whatever the version. Raises ``Refusal`` 401."""
    offered = _tokens(request)
    for peer in cpo_of(request).peers.values():
        if any(_same(token, peer.server_token) for token in offered):
            return peer
    raise Refusal(401, wire.CLIENT_ERROR, "unknown credentials token")


def bears_token_a(request: Request) -> bool:
    """Whether the caller has the token for registering."""
    return any(_same(token, cpo_of(request).settings.token) for token in _tokens(request))


def _tokens(request: Request) -> list[str]:
    """The tokens that the caller may mean. 2.1.1 knows no Base64; before a version is chosen, any form will do."""
    candidates = wire.token_candidates(request.headers.get(wire.AUTHORIZATION))
    version = DIALECTS.get(request.path_params.get("version", ""))
    takes_base64 = version is None or version.encodes_token or not request.url.path.startswith("/ocpi/cpo/")
    return candidates if takes_base64 and Quirk.ONLY_RAW_TOKEN not in cpo_of(request).quirks else candidates[-1:]


def _same(token: str, expected: str) -> bool:
    return secrets.compare_digest(token.encode(), expected.encode())


async def body_of(request: Request, model: type[M], kind: Kind | None = None, owner: wire.Party | None = None) -> M:
    """The body as ``model``: an object of ``kind``, ``owner``'s, in the version of the URL. No kind: the same in all.

    Raises ``Refusal``: 400 for what is no JSON, OCPI 2001 for what does not fit.
    """
    body = await json_of(request)
    if kind is not None and isinstance(body, dict):
        body = dialect_of(request).read(kind, body, owner)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise Refusal(200, wire.INVALID_PARAMETERS, f"missing or wrong: {field}") from error


async def json_of(request: Request) -> Any:
    """The body as data. Raises ``Refusal`` 400."""
    try:
        return wire.loads(await request.body())
    except wire.MalformedJson as error:
        raise Refusal(400, wire.CLIENT_ERROR, "no JSON") from error


def say(request: Request, kind: Kind, message: Body) -> Body:
    """A canonical object in the version of the URL, and as the quirks want it."""
    return worded(kind, message, dialect_of(request).version, cpo_of(request).quirks)


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
    routing = {} if Quirk.NO_ROUTING in cpo_of(request).quirks else swapped
    present = {name: value for name, value in {**echoed, **routing}.items() if value is not None}
    body = wire.envelope(data, now=clock.now(), status_code=status_code, message=message)
    return Response(
        wire.dumps(body), http_status, headers={**present, **(headers or {})}, media_type="application/json"
    )
