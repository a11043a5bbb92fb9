"""What the operator of this engine does: connect CPOs and part from them. ``X-API-Key`` on all of it."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api import workflow_calls
from api.services import Services
from api.strict_json import strict_body
from charging.errors import Problem
from charging.ocpi.findings import RULES, Finding, section_of
from charging.ocpi.registration import Failure, HandshakeFailed, Registrar, our_url
from charging.pulling import Module, Pull, Synchronisation, SyncState
from charging.store.connections import Connection, ConnectionStore
from charging.store.findings import EXAMINED, Counted, FindingStore
from charging.store.peer_health import HealthRecord, HealthStore
from charging.store.sync_states import SyncStateStore

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


class ChangeConnection(_Request):
    """How a CPO is worked with; what is not given stays.

    ``start_token``: sessions start each with a ``one_time`` token, or with the stable APP_USER token of its user.
    ``max_profile_periods``: so many periods fit into one charging profile. ``hold_minimum``: its chargers resume badly
    from 0 W, so a plan's pauses are sent as the least power. ``pauses_are_parking``: it bills such pauses as parking.
    """

    start_token: Literal["one_time", "user"] | None = None
    max_profile_periods: Annotated[int, Field(ge=2, le=1000)] | None = None
    hold_minimum: bool | None = None
    pauses_are_parking: bool | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> "ChangeConnection":
        if not self.model_dump(exclude_none=True):
            raise PydanticCustomError("empty_change", "Name at least one setting.")
        return self


class SyncOrder(_Request):
    """Which module, or all; everything (``full``) or only what is new since the last pull."""

    module: Literal["sessions", "cdrs", "tariffs", "locations"] | None = None
    full: bool = False


class PullView(BaseModel):
    """What became of one module's objects. ``error``: why the pull was given up; what it had read by then is kept.

    ``missing``: stored, but not in a full list any more. ``broken``: kept as odd messages.
    """

    module: Module
    full: bool
    pages: int
    seen: int
    created: int
    changed: int
    unchanged: int
    broken: int
    missing: int
    error: str | None


class SyncReport(BaseModel):
    """What a synchronisation changed, module by module."""

    connection: str
    pulls: list[PullView]


class SyncView(BaseModel):
    """When a module was last pulled well, and wholly; what was wrong with the last pull, if anything."""

    last_ok_at: str | None
    last_full_at: str | None
    last_error: str | None


class HealthView(BaseModel):
    """How a connection is doing, as one kind of process (``api`` or ``worker``) finds.

    ``state`` is its circuit breaker's: ``closed`` (calls go out), ``open`` (none until ``retry_at``), ``probing``.
    """

    process: str
    state: str
    failures: int
    retry_at: str | None
    last_error: str | None
    last_ok_at: str | None


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
    start_token: str
    max_profile_periods: int
    hold_minimum: bool
    pauses_are_parking: bool
    locations_synced_at: str | None
    sync: dict[Module, SyncView]
    health: list[HealthView]


class ConnectionList(BaseModel):
    """All connections, by name."""

    connections: list[ConnectionView]


class FindingView(BaseModel):
    """One rule that a peer breaks. ``messages`` of the ``examined`` ones of this module broke it."""

    rule: str
    level: str
    module: str
    messages: int
    examined: int
    example: str
    words: str
    section: str
    first_at: str
    last_at: str


class Diagnosis(BaseModel):
    """What was seen in a peer's traffic. Of each module up to five messages a second are examined."""

    name: str
    version: str | None
    examined: int
    findings: list[FindingView]


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
    connection = await _services(request).synchroniser.first_pull(connection)
    return await _view_of(request, connection)


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
    parts = _services(request)
    states, health = await SyncStateStore(parts.database).all(), await HealthStore(parts.database).all()
    found = await parts.connections.list()
    return ConnectionList(connections=[_view(c, states.get(c.id, {}), health) for c in found])


@router.patch("/connections/{name}")
async def change_connection(
    request: Request, name: str, wanted: Annotated[ChangeConnection, Depends(strict_body(ChangeConnection))]
) -> ConnectionView:
    """Change how a CPO, by name or id, is worked with.

    Sessions that have begun keep their token; their charging profiles change with the next one that is sent.
    """
    connection = await _named(_services(request).connections, name)
    await _services(request).connections.change(connection.id, **wanted.model_dump(exclude_none=True))
    return await _view_of(request, await _named(_services(request).connections, connection.id))


@router.get("/connections/{name}/findings")
async def list_findings(request: Request, name: str) -> Diagnosis:
    """What a CPO, by name or id, violates of OCPI, seen in its traffic. The most frequent first."""
    parts = _services(request)
    connection = await _named(_services(request).connections, name)
    await parts.peers.doctor.flush()
    counted = await FindingStore(parts.database).of(connection.id)
    examined = {each.module: each.count for each in counted if each.rule == EXAMINED}
    return Diagnosis(
        name=connection.name,
        version=connection.version,
        examined=sum(examined.values()),
        findings=[_finding(each, examined.get(each.module, 0)) for each in counted if each.rule in RULES],
    )


def _finding(counted: Counted, examined: int) -> FindingView:
    rule = RULES[counted.rule]
    return FindingView(
        rule=rule.id,
        level=rule.level,
        module=counted.module,
        messages=counted.count,
        examined=examined,
        example=counted.example,
        words=rule.words,
        section=section_of(Finding(rule.id, counted.module, counted.example)),
        first_at=counted.first_at.isoformat(),
        last_at=counted.last_at.isoformat(),
    )


@router.delete("/connections/{name}", status_code=204)
async def remove_connection(request: Request, name: str) -> Response:
    """Part from a CPO, by name or id: both sides' tokens are dead. Its sessions and receipts stay."""
    await _registrar(request).unregister(await _named(_services(request).connections, name))
    return Response(status_code=204)


@router.post("/connections/{name}/sync")
async def synchronise_connection(
    request: Request, name: str, wanted: Annotated[SyncOrder, Depends(strict_body(SyncOrder))]
) -> SyncReport:
    """Pull what a CPO has, now, and say what that changed. Joins a run of the same order that is under way.

    Waits for it for ten minutes; then it goes on alone, and the same order joins it again.
    """
    parts = _services(request)
    connection = await _named(parts.connections, name)
    if not connection.is_active:
        raise Problem(409, "connection_not_active", "The CPO is not connected.")
    offered = [module for module in Module if connection.endpoint(module, "SENDER")]
    modules = [module for module in offered if wanted.module in (None, module.value)]
    if not modules:
        raise Problem(422, "module_not_offered", "The CPO does not offer that module.")
    wish = Synchronisation(connection_id=connection.id, modules=modules, full=wanted.full)
    pulls = await workflow_calls.synchronise(parts.temporal, wish, connection.name)
    return SyncReport(connection=connection.name, pulls=[_pull_view(pull) for pull in pulls])


@router.post("/connections/{name}/rotate")
async def rotate_connection(request: Request, name: str) -> ConnectionView:
    """New tokens with a CPO, by name or id, in both directions; also moves to the highest version that both speak."""
    connection = await _named(_services(request).connections, name)
    if not connection.is_active:
        raise Problem(409, "connection_not_active", "The CPO is not connected.")
    try:
        rotated = await _registrar(request).rotate(connection)
    except HandshakeFailed as error:
        raise _problem(error) from error
    if rotated.version != connection.version:
        rotated = await _services(request).synchroniser.first_pull(rotated)
    return await _view_of(request, rotated)


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def _registrar(request: Request) -> Registrar:
    parts = _services(request)
    return Registrar(parts.connections, parts.peers, parts.settings)


async def _named(store: ConnectionStore, name: str) -> Connection:
    """The connection of this name or id."""
    connection = await store.by_name(name) or await store.get(name)
    if connection is None:
        raise Problem(404, "connection_not_found", "There is no such connection.")
    return connection


async def _view_of(request: Request, connection: Connection) -> ConnectionView:
    database = _services(request).database
    states, health = await SyncStateStore(database).of(connection.id), await HealthStore(database).all()
    return _view(connection, states, health)


def _pull_view(pull: Pull) -> PullView:
    return PullView(module=pull.module, full=pull.full, pages=pull.pages, error=pull.error, **pull.counts.model_dump())


def _sync_view(state: SyncState) -> SyncView:
    return SyncView(
        last_ok_at=_text(state.last_ok_at), last_full_at=_text(state.last_full_at), last_error=state.last_error
    )


def _view(connection: Connection, states: Mapping[Module, SyncState], health: Sequence[HealthRecord]) -> ConnectionView:
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
        start_token=connection.start_token,
        max_profile_periods=connection.max_profile_periods,
        hold_minimum=connection.hold_minimum,
        pauses_are_parking=connection.pauses_are_parking,
        locations_synced_at=_text(connection.locations_synced_at),
        sync={module: _sync_view(states[module]) for module in Module if module in states},
        health=[_health(record) for record in health if record.connection_id == connection.id],
    )


def _health(record: HealthRecord) -> HealthView:
    return HealthView(
        process=record.process,
        state=record.state,
        failures=record.failures,
        retry_at=_text(record.retry_at),
        last_error=record.last_error,
        last_ok_at=_text(record.last_ok_at),
    )


def _text(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat()


def _problem(error: HandshakeFailed) -> Problem:
    # The CPO's faults are a bad gateway; what the admin can mend is the request's.
    is_theirs = error.failure in (Failure.UNREACHABLE, Failure.REFUSED, Failure.UNREADABLE)
    return Problem(502 if is_theirs else 422, error.failure.code, f"{error}.")
