"""After a restore: brings a store and a Temporal whose copies are not of one moment together (docs/backup.md).

The store is the truth. A workflow that is behind it hears again what CPOs said since; one that is missing is started
again from its session's row, and finds there that START_SESSION was sent and answered. Run it once, while the API is
down and before a worker runs; running it again does no harm.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from charging import names
from charging.session.messages import SessionUpdated, StopRequest
from charging.session.model import Status
from charging.store.engine import Database
from charging.store.restored import OpenSession, RestoredStore
from charging.temporal import RPC_TIMEOUT, signal_charging_session, start_charging_session


@dataclass
class Reunion:
    """What was found, by session id, and how many messages will be delivered again.

    ``behind``: workflows that hear again what they have missed. ``started``: those that were missing.
    ``ended``: over in Temporal, open in the store. ``unknown``: running in Temporal, not in the store: for people.
    """

    behind: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    messages: int = 0


async def reunite(database: Database, client: Client, now: datetime) -> Reunion:
    """Do it. Raises ``RPCError`` while Temporal is away, ``StoreUnavailable`` while the store is."""
    store, found = RestoredStore(database), Reunion()
    for session in await store.open_sessions():
        await _reunite_one(store, client, session, found)
    async for session_id in _running(client):
        status = await store.status(session_id)
        if status is None:
            found.unknown.append(session_id)
        elif status is Status.COMPLETED:
            await store.take_no_decision(session_id)
            found.behind.append(session_id)
    found.messages = await store.redeliver([*found.behind, *found.started, *found.ended], now)
    return found


async def _reunite_one(store: RestoredStore, client: Client, session: OpenSession, found: Reunion) -> None:
    session_id = session.spec.session_id
    status = await _status(client, session_id)
    if status not in (None, WorkflowExecutionStatus.RUNNING):
        found.ended.append(session_id)
        return
    await store.take_any_decision(session_id)
    if status is None:
        await start_charging_session(client, session.spec)
    (found.started if status is None else found.behind).append(session_id)
    await _tell(client, session)


async def _tell(client: Client, session: OpenSession) -> None:
    """What the CPO has shown, before any wish to stop it: then it is known that there is something to stop."""
    session_id, meter = session.spec.session_id, session.meter
    if meter.ocpi_session_id:
        update = SessionUpdated(message_id=f"restored/{meter.seq}", meter=meter)
        await signal_charging_session(client, session_id, names.Signal.SESSION_UPDATED, update)
    # A START that has not left by now is too late: whoever wanted it has gone.
    if session.is_unsent or (session.is_stopping and meter.ocpi_session_id):
        await signal_charging_session(client, session_id, names.Signal.STOP, StopRequest(by="operator"))


async def _status(client: Client, session_id: str) -> WorkflowExecutionStatus | None:
    """Of the session's workflow; None where Temporal does not know it."""
    try:
        handle = client.get_workflow_handle(names.charging_session_id(session_id))
        return (await handle.describe(rpc_timeout=RPC_TIMEOUT)).status
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "namespace" not in error.message.lower():
            return None
        raise


async def _running(client: Client) -> AsyncIterator[str]:
    """The sessions whose workflows run."""
    query = f"WorkflowType = '{names.Workflow.CHARGING_SESSION}' AND ExecutionStatus = 'Running'"
    async for workflow in client.list_workflows(query):
        yield workflow.id.removeprefix(names.charging_session_id(""))
