"""The one way to Temporal: how to connect, and how each workflow is started or signalled.

Connection settings are Temporal's own (``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``, TLS, API key …), read by
``temporalio.envconfig`` from the environment or its TOML profiles.
"""

from datetime import timedelta

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig

from charging import names
from charging.session.messages import CdrReceived, LateSession
from charging.session.model import SessionSpec, SessionState, Status

RPC_TIMEOUT = timedelta(seconds=5)


async def connect(*, lazy: bool = False) -> Client:
    """A client for the configured Temporal server. One per process. Raises when the server is away.

    ``lazy``: connects at the first call instead, so that the API starts, and takes what CPOs push, without Temporal.
    """
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    return await Client.connect(**config, data_converter=pydantic_data_converter, lazy=lazy)


def search_attributes(spec: SessionSpec, status: Status) -> TypedSearchAttributes:
    """What operators filter by in Temporal UI. Plain text on the server: ids and keyed hashes only."""
    values = {
        names.SearchAttribute.CHARGING_STATUS: status.value,
        names.SearchAttribute.EVSE_ID: spec.evse_id,
        names.SearchAttribute.NETWORK: spec.network,
        names.SearchAttribute.USER_ID: spec.user_key,
        names.SearchAttribute.JOB_ID: spec.job_id,
    }
    return TypedSearchAttributes(
        [SearchAttributePair(SearchAttributeKey.for_keyword(key), value) for key, value in values.items() if value]
    )


async def start_charging_session(client: Client, spec: SessionSpec) -> None:
    """Start the workflow of ``spec``; a no-op where it runs already. Raises ``RPCError`` when Temporal is away."""
    await client.start_workflow(
        names.Workflow.CHARGING_SESSION,
        SessionState(spec=spec),
        id=names.charging_session_id(spec.session_id),
        task_queue=names.TASK_QUEUE,
        # Truth for "once" is the store's unique row; these two only keep a repeat from being an error (ADR 0005).
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=search_attributes(spec, Status.PENDING),
        static_summary=f"Charge at {spec.evse_id} ({spec.network})",
        static_details=_details(spec),
        rpc_timeout=RPC_TIMEOUT,
    )


def _details(spec: SessionSpec) -> str:
    need = f"{spec.need_kwh} kWh" if spec.need_kwh is not None else "until stopped"
    return (
        f"EVSE **{spec.evse_id}**, connector {spec.connector_id}, {spec.max_power_kw} kW, **{spec.network}**\n\n"
        f"Need: {need}; stops at {spec.cost_limit} {spec.currency}\n\n"
        f"Robot {spec.robot_id or 'unknown'}, job {spec.job_id or 'none'}, "
        f"`authorization_reference` {spec.authorization_reference}"
    )


async def signal_charging_session(client: Client, session_id: str, signal: names.Signal, message: BaseModel) -> None:
    """Send one signal. Raises ``RPCError`` NOT_FOUND when the workflow is gone, others when Temporal is away."""
    handle = client.get_workflow_handle(names.charging_session_id(session_id))
    await handle.signal(signal, message, rpc_timeout=RPC_TIMEOUT)


async def settle(client: Client, session_id: str, message: CdrReceived) -> None:
    """Signal-with-start the settlement of a session; its id is reusable, so a later CDR settles again."""
    await client.start_workflow(
        names.Workflow.SETTLEMENT,
        session_id,
        id=names.settlement_id(session_id),
        task_queue=names.TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=names.Signal.CDR_RECEIVED,
        start_signal_args=[message],
        static_summary="Settle all CDRs of a session",
        rpc_timeout=RPC_TIMEOUT,
    )


async def stop_late_session(client: Client, late: LateSession, *, parked: bool) -> None:
    """Start the workflow that stops a Session nobody waits for; a no-op where it runs or has run."""
    workflow_id = names.late_session_id(late.session_id, late.ocpi_session_id if parked else None)
    await client.start_workflow(
        names.Workflow.LATE_SESSION,
        late,
        id=workflow_id,
        task_queue=names.TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Stop late CPO Session {late.ocpi_session_id}",
        rpc_timeout=RPC_TIMEOUT,
    )
