"""What the operator of this engine does: connect CPOs and part from them. ``X-API-Key`` on all of it."""

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ConfigDict, Field

from api.services import Services
from api.strict_json import strict_body
from charging.errors import Problem
from charging.ocpi.registration import Failure, HandshakeFailed, Registrar, our_url
from charging.store.connections import Connection

_api_key = APIKeyHeader(name="X-API-Key", auto_error=False)


async def require_admin(request: Request, key: Annotated[str | None, Depends(_api_key)] = None) -> None:
    """401 unless ``X-API-Key`` is the admin's; compared in constant time."""
    expected = _services(request).settings.admin_key.get_secret_value()
    if key is None or not hmac.compare_digest(key.encode(), expected.encode()):
        challenge = {"WWW-Authenticate": 'ApiKey realm="charging-sessions"'}
        raise Problem(401, "unauthorized", "X-API-Key is missing or wrong.", headers=challenge)


router = APIRouter(prefix="/ocpi", tags=["admin"], dependencies=[Depends(require_admin)])

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]+$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RegisterCpo(_Request):
    """A CPO that gave us its versions URL and a registration token (TOKEN_A)."""

    cpo_name: Name
    versions_url: Annotated[str, Field(min_length=1, max_length=255)]
    token: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
    power_factor: Annotated[int, Field(ge=1)] = 1


class InviteCpo(_Request):
    """A CPO that shall register itself with us."""

    cpo_name: Name
    power_factor: Annotated[int, Field(ge=1)] = 1


class ConnectionView(BaseModel):
    """A connection as the admin sees it; no token is ever shown."""

    id: str
    name: str
    network: str
    status: str
    version: str | None
    versions_url: str
    parties: list[str]
    modules: list[str]
    power_factor: int
    locations_synced_at: str | None


class ConnectionList(BaseModel):
    """All connections, by name."""

    connections: list[ConnectionView]


class Invitation(BaseModel):
    """What to hand to the CPO, over a channel that others cannot read. The token is shown once."""

    cpo_name: str
    versions_url: str
    token: str


@router.post("/register", status_code=201)
async def register_cpo(
    request: Request, wanted: Annotated[RegisterCpo, Depends(strict_body(RegisterCpo))]
) -> ConnectionView:
    """Connect a CPO: the OCPI handshake, then its tariffs and locations."""
    try:
        connection = await _registrar(request).register(
            wanted.cpo_name, wanted.versions_url, wanted.token, power_factor=wanted.power_factor
        )
    except HandshakeFailed as error:
        raise _problem(error) from error
    return _view(connection)


@router.post("/invite", status_code=201)
async def invite_cpo(request: Request, wanted: Annotated[InviteCpo, Depends(strict_body(InviteCpo))]) -> Invitation:
    """A token with which a CPO can register itself; it dies with its first use."""
    try:
        _registrar(request).check_power_factor(wanted.power_factor)
    except HandshakeFailed as error:
        raise _problem(error) from error
    parts = _services(request)
    try:
        token = await parts.connections.invite(wanted.cpo_name, power_factor=wanted.power_factor)
    except ValueError as error:
        raise Problem(409, "cpo_connected", "A connection of that name is active.") from error
    return Invitation(cpo_name=wanted.cpo_name, versions_url=our_url(parts.settings), token=token)


@router.get("/connections")
async def list_connections(request: Request) -> ConnectionList:
    """All connections, by name."""
    return ConnectionList(connections=[_view(c) for c in await _services(request).connections.list()])


@router.delete("/connections/{name}", status_code=204)
async def remove_connection(request: Request, name: str) -> Response:
    """Part from a CPO, by name or id: both sides' tokens are dead. Its sessions and receipts stay."""
    store = _services(request).connections
    connection = await store.by_name(name) or await store.get(name)
    if connection is None:
        raise Problem(404, "connection_not_found", "There is no such connection.")
    await _registrar(request).unregister(connection)
    return Response(status_code=204)


@router.post("/connections/{name}/rotate")
async def rotate_connection(request: Request, name: str) -> ConnectionView:
    """New tokens with a CPO, by name or id, in both directions; also moves to the highest version that both speak."""
    store = _services(request).connections
    connection = await store.by_name(name) or await store.get(name)
    if connection is None:
        raise Problem(404, "connection_not_found", "There is no such connection.")
    if not connection.is_active:
        raise Problem(409, "cpo_not_connected", "The connection is not active.")
    try:
        return _view(await _registrar(request).rotate(connection))
    except HandshakeFailed as error:
        raise _problem(error) from error


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def _registrar(request: Request) -> Registrar:
    parts = _services(request)
    return Registrar(parts.database, parts.connections, parts.peers, parts.settings)


def _view(connection: Connection) -> ConnectionView:
    return ConnectionView(
        id=connection.id,
        name=connection.name,
        network=connection.network,
        status=connection.status,
        version=connection.version,
        versions_url=connection.versions_url,
        parties=[f"{role['country_code']}*{role['party_id']} {role['role']}" for role in connection.roles],
        modules=sorted({str(endpoint["identifier"]) for endpoint in connection.endpoints}),
        power_factor=connection.power_factor,
        locations_synced_at=_text(connection.locations_synced_at),
    )


def _text(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat()


def _problem(error: HandshakeFailed) -> Problem:
    # The CPO's faults are a bad gateway; what the admin can mend is the request's.
    is_theirs = error.failure in (Failure.UNREACHABLE, Failure.REFUSED, Failure.UNREADABLE)
    return Problem(502 if is_theirs else 422, error.failure.code, f"{error}.")
