"""Temporal's database in the wrong hands: what can be read there (docs/trust.md 2.49, I12)."""

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from sqlalchemy import select
from temporalio.api.common.v1 import Payload, SearchAttributes, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import QueryWorkflowRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from charging import names
from charging.ocpi.peers import Peers
from charging.payload_codec import ENCODING, data_converter
from charging.settings import Settings
from charging.store import tables
from tests.stack import EVSE, Stack, running_stack, user_token, with_converter
from tests.waiting import eventually
from worker import build_worker

USER = "robot-owner@example.com"
CONTRACT = "FI-EVP-C0004242"
KEYS = "the-key-of-this-test"
# What the client library notes in plain words of each local activity: which one ran, when, how often.
OF_A_PATCH = {"id", "deprecated"}
OF_A_LOCAL_ACTIVITY = {
    *("seq", "attempt", "activity_id", "activity_type", "complete_time", "backoff", "original_schedule_time"),
    "activation_index",
}


@pytest.fixture
async def sealed(temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Stack]:
    """The engine as in production: what it writes to Temporal is encrypted."""
    path = tmp_path / "charging.db"
    shutil.copy(sqlite_template, path)
    settings = {"encrypt_payloads": True, "secret_keys": KEYS, "profile_wait_s": 0.2}
    async with running_stack(temporal, f"sqlite+aiosqlite:///{path}", settings=settings, stop_confirm_s=2) as stack:
        stack.api.headers["Authorization"] = f"Bearer {user_token(USER, contract_id=CONTRACT)}"
        yield stack


@pytest.mark.trust("2.49")
async def test_histories_hold_ciphertext_only(sealed: Stack) -> None:
    session_id, session = await sealed.charging(
        battery_target_kwh=60, robot_id="robot-77", job_id="job-88", metadata={"plate": "ABC-123"}
    )
    profile = f"/v1/sessions/{session_id}/charging-profile"
    await sealed.api.post(profile, json={"max_charge_rate_kw": 7.4})
    shown = await current_details(sealed, session_id)
    await end(sealed, session_id, session)
    messages = [shown, *await histories(sealed), *await schedules(sealed)]
    payloads = [payload for message in messages for payload in payloads_in(message)]
    assert len(payloads) > 50
    plain = [json.loads(payload.data) for payload in payloads if payload.metadata["encoding"] != ENCODING]
    assert [told for told in plain if set(told) not in (OF_A_LOCAL_ACTIVITY, OF_A_PATCH)] == []
    row = await row_of(sealed, session_id)
    personal = (USER, CONTRACT, row.token_uid, row.authorization_reference, "robot-77", "ABC-123", sealed.cpo.token_a)
    raw = b"".join(message.SerializeToString() for message in messages).lower()
    assert [word for word in personal if word.lower().encode() in raw] == []
    # What operators filter by is plain, and nowhere else is it said.
    assert raw.count(EVSE.lower().encode()) == raw.count(b"evseid") > 0


async def test_operators_see_summaries_and_details_through_the_codec_only(sealed: Stack) -> None:
    session_id, session = await sealed.charging()
    described = await sealed.workflow(session_id).describe()
    config = described.raw_description.execution_config
    assert config.user_metadata.summary.metadata["encoding"] == ENCODING
    assert await described.static_summary() == f"Charge at {EVSE} (Virta)"
    raw = (await current_details(sealed, session_id)).query_result.payloads[0]
    (decoded,) = await data_converter(sealed.settings).decode([raw])
    assert "charging" in str(decoded)
    await end(sealed, session_id, session)


@pytest.mark.soak  # a workflow task that failed is tried again after 10 s
async def test_a_worker_without_the_key_leaves_the_session_waiting_for_one_that_has_it(sealed: Stack) -> None:
    session_id, session = await sealed.charging()
    await sealed.worker.shutdown()
    async with worker_with(sealed, "some-other-key") as worker:
        await sealed.stop(session_id)
        failure = await eventually(lambda: last_task_failure(sealed, session_id, worker.client))
        assert "CHARGING_SECRET_KEYS" in failure
        assert (await sealed.status(session_id))["status"] != "failed"
        assert sealed.cpo.stops == []
    async with worker_with(sealed, f"a-newer-key,{KEYS}"):
        await end(sealed, session_id, session)


async def end(stack: Stack, session_id: str, session: dict[str, Any]) -> None:
    """Stopped by its user, ended by the CPO, billed and paid."""
    await stack.stop(session_id)
    await eventually(lambda: stack.cpo.stops, within_s=40)
    ended = {**session, "status": "COMPLETED", "kwh": 2.5}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended, total_cost=1.0))
    await stack.until(session_id, "completed", within_s=40)


@asynccontextmanager
async def worker_with(stack: Stack, keys: str) -> AsyncIterator[Worker]:
    """Another worker of the same engine whose payload keys are ``keys``."""
    converter = data_converter(Settings.model_validate({"encrypt_payloads": True, "secret_keys": keys}))
    client = with_converter(stack.temporal, converter)
    peers = Peers(stack.database, stack.settings)
    try:
        async with build_worker(client, stack.database, peers, stack.settings) as worker:
            yield worker
    finally:
        await peers.aclose()


async def last_task_failure(stack: Stack, session_id: str, reader: Client) -> str:
    """What the last failed workflow task says, as ``reader`` can read it."""
    events = (await stack.workflow(session_id).fetch_history()).events
    failed = [e for e in events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
    if not failed:
        return ""
    failure = failed[-1].workflow_task_failed_event_attributes.failure
    return str(await reader.data_converter.decode_failure(failure))


async def current_details(stack: Stack, session_id: str) -> Any:
    """What Temporal UI is given for a session's current details, as it comes."""
    request = QueryWorkflowRequest(
        namespace=stack.temporal.namespace,
        execution=WorkflowExecution(workflow_id=stack.workflow(session_id).id),
        query=WorkflowQuery(query_type="__temporal_workflow_metadata"),
    )
    return await stack.temporal.workflow_service.query_workflow(request)


async def histories(stack: Stack) -> list[Message]:
    """Every event of every workflow that this engine has started, and what is shown of each."""
    found: list[Message] = []
    since = (await row_of(stack)).created_at.isoformat()
    query = f"StartTime > '{since}' OR ExecutionStatus = 'Running'"
    async for workflow in stack.temporal.list_workflows(query):
        handle = stack.temporal.get_workflow_handle(workflow.id, run_id=workflow.run_id)
        found.append((await handle.describe()).raw_description)
        found += (await handle.fetch_history()).events
    return found


async def schedules(stack: Stack) -> list[Message]:
    """The schedules of this engine's CPOs; other tests have left theirs at the server."""
    handles = [stack.temporal.get_schedule_handle(names.sync_schedule_id(id)) for id in await connection_ids(stack)]
    return [(await handle.describe()).raw_description for handle in handles]


async def connection_ids(stack: Stack) -> list[str]:
    async with stack.database.read() as connection:
        return list(await connection.scalars(select(tables.connections.c.id)))


async def row_of(stack: Stack, session_id: str | None = None) -> Any:
    query = select(tables.sessions)
    if session_id:
        query = query.where(tables.sessions.c.id == session_id)
    async with stack.database.read() as connection:
        return (await connection.execute(query)).one()


def payloads_in(message: Message) -> Iterator[Payload]:
    """Every payload at any depth, but for search attributes: Temporal has to read those."""
    if isinstance(message, Payload):
        yield message
    elif not isinstance(message, SearchAttributes):
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            values = [value] if isinstance(value, Message) else value
            if field.message_type.GetOptions().map_entry:
                values = value.values()
            for part in values:
                if isinstance(part, Message):
                    yield from payloads_in(part)
