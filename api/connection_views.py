"""A connection as the admin sees it."""

from collections.abc import Mapping, Sequence

from fastapi import Request
from pydantic import BaseModel

from api.admin import services_of, text_of
from charging.pulling import Module, SyncState
from charging.store.connections import Connection
from charging.store.peer_health import HealthRecord, HealthStore
from charging.store.sync_states import SyncStateStore
from charging.tariffs.rules import TariffRules


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
    tariff_rules: TariffRules
    locations_synced_at: str | None
    sync: dict[Module, SyncView]
    health: list[HealthView]


async def view_of(request: Request, connection: Connection) -> ConnectionView:
    """How it stands now."""
    database = services_of(request).database
    states, health = await SyncStateStore(database).of(connection.id), await HealthStore(database).all()
    return view(connection, states, health)


def view(connection: Connection, states: Mapping[Module, SyncState], health: Sequence[HealthRecord]) -> ConnectionView:
    """What is known of it: the states of its synchronisation, and of ``health`` what is about it."""
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
        tariff_rules=connection.tariff_rules,
        locations_synced_at=text_of(connection.locations_synced_at),
        sync={module: _sync_view(states[module]) for module in Module if module in states},
        health=[_health(record) for record in health if record.connection_id == connection.id],
    )


def _sync_view(state: SyncState) -> SyncView:
    return SyncView(
        last_ok_at=text_of(state.last_ok_at), last_full_at=text_of(state.last_full_at), last_error=state.last_error
    )


def _health(record: HealthRecord) -> HealthView:
    return HealthView(
        process=record.process,
        state=record.state,
        failures=record.failures,
        retry_at=text_of(record.retry_at),
        last_error=record.last_error,
        last_ok_at=text_of(record.last_ok_at),
    )
