"""``/ocpi/register``, ``/ocpi/invite``, ``/ocpi/connections``: the operator connects CPOs and parts from them."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Request, Response
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from api import documentation as doc
from api.admin import AdminRequest, named, require_admin, services_of
from api.branch import Branch
from api.connection_views import ConnectionView, view, view_of
from api.strict_json import strict_body
from charging.errors import Problem
from charging.ocpi.registration import Failure, HandshakeFailed, Registrar, our_url
from charging.store.peer_health import HealthStore
from charging.store.sync_states import SyncStateStore
from charging.tariffs.rules import TariffRules

router = Branch(
    prefix="/ocpi",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    responses=doc.problems("unauthorized", "service_unavailable"),
)

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]+$")]


class RegisterCpo(AdminRequest):
    """A CPO that gave us its versions URL and a registration token (TOKEN_A)."""

    cpo_name: Name
    versions_url: Annotated[str, Field(min_length=1, max_length=255)]
    token: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
    power_factor: Annotated[int, Field(ge=1)] = 1


class InviteCpo(AdminRequest):
    """A CPO that shall register itself with us."""

    cpo_name: Name
    power_factor: Annotated[int, Field(ge=1)] = 1


class ChangeConnection(AdminRequest):
    """How a CPO is worked with; what is not given stays.

    ``start_token``: sessions start each with a ``one_time`` token, or with the stable APP_USER token of its user.
    ``max_profile_periods``: so many periods fit into one charging profile. ``hold_minimum``: its chargers resume badly
    from 0 W, so a plan's pauses are sent as the least power. ``pauses_are_parking``: it bills such pauses as parking.
    ``tariff_rules``: how it reads tariffs where OCPI can be read in two ways; what is not named there is as its version
    says.
    """

    start_token: Literal["one_time", "user"] | None = None
    max_profile_periods: Annotated[int, Field(ge=2, le=1000)] | None = None
    hold_minimum: bool | None = None
    pauses_are_parking: bool | None = None
    tariff_rules: TariffRules | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> "ChangeConnection":
        if not self.settings():
            raise PydanticCustomError("empty_change", "Name at least one setting.")
        return self

    def settings(self) -> dict[str, Any]:
        """What was given."""
        return self.model_dump(exclude_none=True, exclude_unset=True)


class ConnectionList(BaseModel):
    """All connections, by name."""

    connections: list[ConnectionView]


class Invitation(BaseModel):
    """What to hand to the CPO, over a channel that others cannot read. The token is shown once."""

    cpo_name: str
    versions_url: str
    token: str


@router.post(
    "/register",
    status_code=201,
    responses=doc.problems(*doc.BODY_CODES, *doc.HANDSHAKE_CODES),
    openapi_extra=doc.body(RegisterCpo),
)
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
    connection = await services_of(request).synchroniser.first_pull(connection)
    return await view_of(request, connection)


@router.post(
    "/invite",
    status_code=201,
    responses=doc.problems(*doc.BODY_CODES, "power_factor_refused", "cpo_connected"),
    openapi_extra=doc.body(InviteCpo),
)
async def invite_cpo(request: Request, wanted: Annotated[InviteCpo, Depends(strict_body(InviteCpo))]) -> Invitation:
    """A token with which a CPO can register itself; it dies with its first use."""
    try:
        _registrar(request).check_power_factor(wanted.power_factor)
    except HandshakeFailed as error:
        raise _problem(error) from error
    parts = services_of(request)
    try:
        token = await parts.connections.invite(wanted.cpo_name, power_factor=wanted.power_factor)
    except ValueError as error:
        raise Problem(409, "cpo_connected", "A connection of that name is active.") from error
    return Invitation(cpo_name=wanted.cpo_name, versions_url=our_url(parts.settings), token=token)


@router.get("/connections")
async def list_connections(request: Request) -> ConnectionList:
    """All connections, by name."""
    parts = services_of(request)
    states, health = await SyncStateStore(parts.database).all(), await HealthStore(parts.database).all()
    found = await parts.connections.list()
    return ConnectionList(connections=[view(c, states.get(c.id, {}), health) for c in found])


@router.patch(
    "/connections/{name}",
    responses=doc.problems(*doc.BODY_CODES, "connection_not_found"),
    openapi_extra=doc.body(ChangeConnection),
)
async def change_connection(
    request: Request, name: str, wanted: Annotated[ChangeConnection, Depends(strict_body(ChangeConnection))]
) -> ConnectionView:
    """Change how a CPO, by name or id, is worked with.

    Sessions that have begun keep their token; their charging profiles change with the next one that is sent.
    """
    connection = await named(services_of(request).connections, name)
    await services_of(request).connections.change(connection.id, **wanted.settings())
    return await view_of(request, await named(services_of(request).connections, connection.id))


@router.delete("/connections/{name}", status_code=204, responses=doc.problems("connection_not_found"))
async def remove_connection(request: Request, name: str) -> Response:
    """Part from a CPO, by name or id: both sides' tokens are dead. Its sessions and receipts stay."""
    await _registrar(request).unregister(await named(services_of(request).connections, name))
    return Response(status_code=204)


@router.post(
    "/connections/{name}/rotate",
    responses=doc.problems("connection_not_found", "connection_not_active", *doc.HANDSHAKE_CODES),
)
async def rotate_connection(request: Request, name: str) -> ConnectionView:
    """New tokens with a CPO, by name or id, in both directions; also moves to the highest version that both speak."""
    connection = await named(services_of(request).connections, name)
    if not connection.is_active:
        raise Problem(409, "connection_not_active", "The CPO is not connected.")
    try:
        rotated = await _registrar(request).rotate(connection)
    except HandshakeFailed as error:
        raise _problem(error) from error
    if rotated.version != connection.version:
        rotated = await services_of(request).synchroniser.first_pull(rotated)
    return await view_of(request, rotated)


def _registrar(request: Request) -> Registrar:
    parts = services_of(request)
    return Registrar(parts.connections, parts.peers, parts.settings)


def _problem(error: HandshakeFailed) -> Problem:
    # The CPO's faults are a bad gateway; what the admin can mend is the request's.
    is_theirs = error.failure in (Failure.UNREACHABLE, Failure.REFUSED, Failure.UNREADABLE)
    return Problem(502 if is_theirs else 422, error.failure.code, f"{error}.")
