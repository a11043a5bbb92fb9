"""The whole engine in one process, for tests: real API over HTTP, real worker, real Temporal, a CPO under control.

::

    async with running_stack(temporal, store_url, confirm_s=3) as stack:
        session = await stack.start()
        await stack.until(session, "pending", phase="awaiting_cpo")
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
from sqlalchemy import func, select, update
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from api.app import create_app
from charging import names
from charging.ocpi import wire
from charging.ocpi.peers import Peers
from charging.payload_codec import data_converter
from charging.session.model import Policy
from charging.settings import DEVELOPMENT_SECRET, Settings
from charging.store import tables
from charging.store.engine import Database
from charging.temporal import drop_sync_schedule
from charging.webhooks.sender import WebhookSender
from tests.peer import ScriptedCpo
from tests.serving import free_port, serve
from tests.waiting import eventually
from worker import build_webhook_worker, build_worker

EVSE = "FI-VRT-E12345"
USER = "user-1"


def user_token(sub: str = USER, **claims: Any) -> str:
    """A development JWT of ``sub``, valid for an hour."""
    expires = datetime.now(UTC) + timedelta(hours=1)
    return jwt.encode({"sub": sub, "exp": expires, **claims}, DEVELOPMENT_SECRET, algorithm="HS256")


@dataclass
class Stack:
    """A running engine. ``api`` is authenticated as ``USER``."""

    settings: Settings
    database: Database
    temporal: Client
    cpo: ScriptedCpo
    api: httpx.AsyncClient
    worker: Worker
    webhook_worker: Worker
    employ: Callable[[], Awaitable[Worker]]

    @asynccontextmanager
    async def worker_away(self) -> AsyncIterator[None]:
        """Nobody works within the block; afterwards another one does."""
        await self.worker.shutdown()
        yield
        self.worker = await self.employ()

    async def start(self, **body: Any) -> str:
        """POST /v1/sessions/start at the first EVSE; the session's id."""
        answer = await self.api.post(
            "/v1/sessions/start",
            json={"evse_id": EVSE, "connector_type": "CCS", **body},
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )
        assert answer.status_code == 201, answer.text
        session_id: str = answer.json()["session_id"]
        return session_id

    async def started(self, **body: Any) -> str:
        """A session whose START_SESSION the CPO has."""
        before = len(self.cpo.starts)
        session_id = await self.start(**body)
        await eventually(lambda: len(self.cpo.starts) > before)
        return session_id

    async def charging(self, *, id: str = "S1", minutes: int = 0, **body: Any) -> tuple[str, dict[str, Any]]:
        """A session that is active since so many minutes of the CPO's clock, and the CPO's Session object."""
        session_id = await self.started(**body)
        since = wire.format_datetime(datetime.now(UTC) - timedelta(minutes=minutes))
        session = self.cpo.session(id=id, start_date_time=since, last_updated=since)
        await self.cpo.push_session(session)
        await self.until(session_id, "active")
        return session_id, session

    async def stop(self, session_id: str) -> dict[str, Any]:
        """POST /v1/sessions/stop."""
        answer = await self.api.post("/v1/sessions/stop", json={"session_id": session_id})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def status(self, session_id: str) -> dict[str, Any]:
        """GET …/status."""
        answer = await self.api.get(f"/v1/sessions/{session_id}/status")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def until(self, session_id: str, status: str, *, within_s: float = 60, **expected: Any) -> dict[str, Any]:
        """The first status answer that says ``status`` and all of ``expected``."""
        wanted = {"status": status, **expected}
        seen: dict[str, Any] = {}

        async def matches() -> bool:
            seen.update(await self.status(session_id))
            return all(seen[key] == value for key, value in wanted.items())

        await eventually(matches, within_s=within_s, describe=lambda: f"wanted {wanted}, last seen {seen}")
        return seen

    async def events(self, session_id: str) -> list[str]:
        """The types of the session's events, in order."""
        query = select(tables.events.c.type).where(tables.events.c.session_id == session_id)
        async with self.database.read() as store:
            return list((await store.scalars(query.order_by(tables.events.c.seq))).all())

    async def held(self, session_id: str) -> int:
        """What is still held for the session, in minor units."""
        ledger = tables.ledger.c
        query = select(func.coalesce(func.sum(ledger.amount_minor), 0)).where(
            ledger.account == f"session/{session_id}/held"
        )
        async with self.database.read() as store:
            return int(await store.scalar(query) or 0)

    async def make_silent(self, session_id: str) -> None:
        """As if no push of this session had come for the configured silence."""
        due = update(tables.sessions).where(tables.sessions.c.id == session_id).values(poll_at=datetime.now(UTC))
        async with self.database.write() as store:
            await store.execute(due)

    def workflow(self, session_id: str) -> WorkflowHandle[Any, Any]:
        """The session's workflow."""
        return self.temporal.get_workflow_handle(names.charging_session_id(session_id))


@asynccontextmanager
async def running_stack(
    temporal: WorkflowEnvironment,
    store_url: str,
    *,
    settings: dict[str, Any] | None = None,
    version: str = wire.VERSION,
    **policy: Any,
) -> AsyncIterator[Stack]:
    """Start everything; ``policy`` shortens deadlines, ``settings`` changes others; the CPO speaks OCPI ``version``.

    Temporal is shared by tests.
    """
    port = free_port()
    chosen = Settings(
        database_url=store_url,
        public_url=f"http://127.0.0.1:{port}",
        allow_private_peers=True,
        policy=Policy(**policy),
        **(settings or {}),
    )
    async with AsyncExitStack() as stack:
        client = with_converter(temporal.client, data_converter(chosen))
        if not temporal.supports_time_skipping:  # that one serves a single test and cannot list
            stack.push_async_callback(_terminate_all, client)
        database = Database(store_url)
        stack.push_async_callback(database.close)
        peers = Peers(database, chosen)
        stack.push_async_callback(peers.aclose)
        cpo = await stack.enter_async_context(ScriptedCpo(version=version))
        connection = await cpo.befriend(database, chosen)
        if not temporal.supports_time_skipping:
            stack.push_async_callback(drop_sync_schedule, client, connection.id)
        url = await stack.enter_async_context(serve(create_app(chosen), port))
        # In Temporal's sandbox, unlike production (docs/adr/0007): here it finds what a workflow must not do.
        in_sandbox = SandboxedWorkflowRunner()

        async def employ() -> Worker:
            return await stack.enter_async_context(build_worker(client, database, peers, chosen, in_sandbox))

        worker = await employ()
        sender = WebhookSender(allow_private=True)
        stack.push_async_callback(sender.aclose)
        webhook_worker = build_webhook_worker(client, database, sender, chosen)
        await stack.enter_async_context(webhook_worker)
        headers = {"Authorization": f"Bearer {user_token()}"}
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=40))
        yield Stack(chosen, database, client, cpo, api, worker, webhook_worker, employ)


def with_converter(client: Client, converter: DataConverter) -> Client:
    """The same client, whose interceptors know how to skip time, with another way to write."""
    options = client.config()
    options["data_converter"] = converter
    return Client(**options)


async def _terminate_all(client: Client) -> None:
    """No workflow outlives its test: the next test's worker has another database."""
    async for running in client.list_workflows('ExecutionStatus="Running"'):
        await client.get_workflow_handle(running.id, run_id=running.run_id).terminate("end of test")
