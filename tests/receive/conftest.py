"""The receive path without a worker: the API's OCPI endpoints, the store, and a real Temporal that keeps signals."""

import base64
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import Row, Table, insert, select, update
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from api.services import Services
from charging import names
from charging.inbox import Inbox
from charging.ocpi import wire
from charging.ocpi.peers import Peers
from charging.receiver import Receiver
from charging.session.model import SessionSpec
from charging.settings import Settings
from charging.store import tables
from charging.store.connections import Connection, ConnectionStore
from charging.store.engine import Database
from charging.store.starts import NewSession, StartStore
from charging.temporal import start_charging_session
from tests.peer import ScriptedCpo

Body = dict[str, Any]
START = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)


def at(minutes: float) -> str:
    """An OCPI DateTime so many minutes after the session's start."""
    return wire.format_datetime(START + timedelta(minutes=minutes))


def session_body(**fields: Any) -> Body:
    """A Session as CPO FI/VRT pushes it; ``fields`` replace or add."""
    return {
        "country_code": "FI",
        "party_id": "VRT",
        "id": "S1",
        "start_date_time": at(0),
        "kwh": 0,
        "cdr_token": {"uid": "SOMEBODYELSE", "type": "RFID", "contract_id": "FI-RBT-C00000001-X"},
        "auth_method": "COMMAND",
        "location_id": "LOC1",
        "evse_uid": "3256",
        "connector_id": "1",
        "currency": "EUR",
        "status": "ACTIVE",
        "last_updated": at(0),
    } | fields


def period(minutes: float, **volumes: float) -> Body:
    """A charging period with one dimension per keyword."""
    dimensions = [{"type": kind, "volume": volume} for kind, volume in volumes.items()]
    return {"start_date_time": at(minutes), "dimensions": dimensions}


@dataclass
class Desk:
    """One eMSP with two CPOs as its peers: ``virta`` (FI/VRT) and ``other`` (DE/OTH)."""

    settings: Settings
    database: Database
    temporal: WorkflowEnvironment
    receiver: Receiver
    http: httpx.AsyncClient
    virta: Connection
    other: Connection
    cpo: ScriptedCpo
    tokens: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: Any = None, *, by: str = "virta") -> httpx.Response:
        """A request of a CPO; ``body`` as bytes goes out as it is."""
        content = body if isinstance(body, bytes | None) else wire.dumps(body)
        token = base64.b64encode(self.tokens[by].encode()).decode()
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        path = path if path.startswith("/") else f"/ocpi/emsp/2.2.1/{path}"
        return await self.http.request(method, path, content=content, headers=headers)

    async def put(self, body: Body, **options: Any) -> httpx.Response:
        """PUT of a Session under its own id."""
        return await self.call("PUT", f"sessions/FI/VRT/{body['id']}", body, **options)

    async def patch(self, session_id: str, **changes: Any) -> httpx.Response:
        """PATCH of a Session of FI/VRT."""
        return await self.call("PATCH", f"sessions/FI/VRT/{session_id}", changes)

    async def start(self, *, workflow: bool = False, created_at: datetime = START, **changes: Any) -> SessionSpec:
        """A session of ours at CPO FI/VRT; with ``workflow``, one that no worker runs: it only keeps its signals."""
        spec = SessionSpec(
            session_id=str(uuid.uuid4()),
            evse_id="FI-VRT-E12345",
            network="Virta",
            user_key="user",
            connection_id=self.virta.id,
            country_code="FI",
            party_id="VRT",
            location_id="LOC1",
            evse_uid=changes.pop("evse_uid", str(uuid.uuid4())),
            connector_id="1",
            authorization_reference=uuid.uuid4().hex.upper(),
            max_power_kw=Decimal(22),
            currency="EUR",
            hold=Decimal(50),
            cost_limit=Decimal(50),
            created_at=created_at,
        )
        token_uid = uuid.uuid4().hex[:20].upper()
        token = {"uid": token_uid, "type": "AD_HOC_USER", "last_updated": wire.format_datetime(created_at)}
        tariff = changes.pop("tariff", None)
        new = NewSession(spec, "user-1", {}, None, tariff, "Europe/Helsinki", token)
        await StartStore(self.database).begin(new, None, "")
        await self.change(spec, **{"admission": "running", **changes})
        if workflow:
            await start_charging_session(self.temporal.client, spec)
        return spec

    async def change(self, spec: SessionSpec, **columns: Any) -> None:
        """Write columns of a session, as its workflow or time would."""
        table = tables.sessions
        async with self.database.write() as store:
            await store.execute(update(table).where(table.c.id == spec.session_id).values(columns))

    async def row(self, spec: SessionSpec) -> Any:
        """The session's row."""
        return (await self.rows(tables.sessions, id=spec.session_id))[0]

    async def rows(self, table: Table, **equal: Any) -> list[Row[Any]]:
        """The rows of a table whose columns have these values."""
        query = select(table).where(*(table.c[name] == value for name, value in equal.items()))
        async with self.database.read() as store:
            return list((await store.execute(query)).all())

    async def token_uid(self, spec: SessionSpec) -> str:
        """The uid of the session's one-time token."""
        return str((await self.row(spec)).token_uid)

    async def events(self, spec: SessionSpec) -> list[tuple[str, Body]]:
        """The session's events: type and data."""
        return [(row.type, row.data) for row in await self.rows(tables.events, session_id=spec.session_id)]

    async def mail(self, spec: SessionSpec, state: str = "waiting") -> list[str]:
        """The kinds of the session's rows in the inbox, oldest first."""
        rows = await self.rows(tables.inbox, session_id=spec.session_id, state=state)
        return [row.kind for row in sorted(rows, key=lambda row: row.id)]

    async def command(self, spec: SessionSpec, kind: str) -> str:
        """A command that we have sent to the CPO of ``spec``; its id."""
        command_id = uuid.uuid4().hex
        values: Body = {"id": command_id, "session_id": spec.session_id, "connection_id": spec.connection_id}
        values |= {"command": kind, "state": "sending", "created_at": START}
        async with self.database.write() as store:
            await store.execute(insert(tables.commands).values(values))
        return command_id

    async def signals(self, spec: SessionSpec) -> list[tuple[str, Any]]:
        """What the session's workflow has been told: name and message."""
        handle = self.temporal.client.get_workflow_handle(names.charging_session_id(spec.session_id))
        converter = self.temporal.client.data_converter
        told = []
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signalled = event.workflow_execution_signaled_event_attributes
                told.append((signalled.signal_name, (await converter.decode(signalled.input.payloads))[0]))
        return told

    def inbox(self) -> Inbox:
        """An inbox of this process, kicked by its receiver."""
        inbox = Inbox(self.database, self.temporal.client)
        self.receiver.on_commit = inbox.kick
        return inbox


@pytest.fixture
async def desk(database: Database, temporal: WorkflowEnvironment) -> AsyncIterator[Desk]:
    """The eMSP of a test; nothing runs in its background."""
    settings = Settings(database_url=database.url, public_url="http://emsp.example", allow_private_peers=True)
    connections, peers = ConnectionStore(database, settings.secret_keys), Peers(database, settings)
    receiver = Receiver(database, settings)
    app = create_app(settings)
    app.state.services = Services(
        settings, database, temporal.client, connections, peers, receiver, started_at=datetime.now(UTC)
    )
    cpo, stranger = ScriptedCpo(), ScriptedCpo()
    stranger.role = {**stranger.role, "country_code": "DE", "party_id": "OTH"}
    virta = await cpo.befriend(database, settings)
    other = await stranger.befriend(database, settings, name="other")
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://emsp.example")
    tokens = {"virta": str(cpo.emsp_token), "other": str(stranger.emsp_token)}
    async with http:
        yield Desk(settings, database, temporal, receiver, http, virta, other, cpo, tokens)
    await peers.aclose()
    async for left in temporal.client.list_workflows('ExecutionStatus="Running"'):
        # No worker of another test may find it.
        await temporal.client.get_workflow_handle(left.id, run_id=left.run_id).terminate("end of test")
