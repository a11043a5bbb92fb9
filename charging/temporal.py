"""The one way to Temporal: how to connect, and how each workflow is started or signalled.

Connection settings are Temporal's own (``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``, TLS, API key …), read by
``temporalio.envconfig`` from the environment or its TOML profiles.
"""

import logging
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowHandle,
)
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.envconfig import ClientConfig
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RPCError, RPCStatusCode

from charging import log_lines, names, tracing
from charging.payload_codec import data_converter
from charging.planning.publication import LOOK, CurveNews, CurveRefresh
from charging.pulling import Pull, Synchronisation
from charging.session.messages import CdrReceived, LateSession
from charging.session.model import SessionSpec, SessionState, Status
from charging.settings import Settings

RPC_TIMEOUT = timedelta(seconds=5)
_BUCKETS: Final = {
    "charging_phase_seconds": (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 3 * 3600, 8 * 3600, 86400, 7 * 86400),
    "charging_cpo_seconds": (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0),
    "charging_plan_drift_kwh": (0.1, 0.25, 0.5, 1, 2, 5, 10, 20),
}


async def connect(settings: Settings, *, lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A client for the configured Temporal server. One per process. Raises when the server is away.

    ``settings`` say whether what it writes is encrypted, and with which keys.
    ``lazy``: connects at the first call instead, so that the API starts, and takes what CPOs push, without Temporal.
    ``runtime``: one that is measured.
    """
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    return await Client.connect(
        **config,
        data_converter=data_converter(settings),
        interceptors=tracing.interceptors(),
        lazy=lazy,
        runtime=runtime,
    )


# The library's core would write to the terminal by itself, past our formatter (charging.logs).
_LOGGING = LoggingConfig(
    filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
    forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
)


def use_our_logs() -> None:
    """What the library logs goes where everything else goes, and what workflows and activities log names their session.
    Call it once, before the first client of a process.
    """
    log_lines.ask_also(session_of_task)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=_LOGGING)))


def session_of_task() -> str | None:
    """The session that the running workflow or activity is about; None outside of both."""
    if workflow.in_workflow():
        workflow_id: str | None = workflow.info().workflow_id
    else:
        workflow_id = activity.info().workflow_id if activity.in_activity() else None
    kind, _, session_id = (workflow_id or "").partition("/")
    return session_id if kind in ("charging-session", "settlement", "late-session") else None


def measured_runtime(address: str) -> Runtime:
    """A runtime that shows Prometheus its metrics on http://``address``/metrics. Raises where that cannot be bound."""
    prometheus = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides=_BUCKETS,
    )
    return Runtime(telemetry=TelemetryConfig(logging=_LOGGING, metrics=prometheus))


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


async def stop_late_session(client: Client, late: LateSession, *, parked: bool = False, has_news: bool = False) -> None:
    """Start the workflow that stops a Session nobody waits for. One that runs looks again where this ``has_news``."""
    workflow_id = names.late_session_id(late.session_id, late.ocpi_session_id if parked else None)
    await client.start_workflow(
        names.Workflow.LATE_SESSION,
        late,
        id=workflow_id,
        task_queue=names.TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=names.Signal.SESSION_UPDATED if has_news else None,
        static_summary=f"Stop late CPO Session {late.ocpi_session_id}",
        rpc_timeout=RPC_TIMEOUT,
    )


async def deliver(client: Client, webhook_id: str) -> None:
    """Signal-with-start the deliveries to a webhook."""
    await client.start_workflow(
        names.Workflow.WEBHOOK,
        webhook_id,
        id=names.webhook_id(webhook_id),
        task_queue=names.WEBHOOK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=names.Signal.DELIVER,
        static_summary="Deliver events to a webhook",
        rpc_timeout=RPC_TIMEOUT,
    )


async def synchronise(client: Client, wish: Synchronisation, cpo: str) -> WorkflowHandle[Any, list[Pull]]:
    """Start a synchronisation, or join the one of the same wish that runs. ``cpo``: its name, for Temporal UI."""
    modules = "+".join(wish.modules) if wish.modules else "due"
    handle: WorkflowHandle[Any, list[Pull]] = await client.start_workflow(
        names.Workflow.SYNCHRONISE,
        wish,
        id=names.asked_synchronise_id(wish.connection_id, f"{modules}/{'full' if wish.full else 'news'}"),
        task_queue=names.TASK_QUEUE,
        result_type=list[Pull],
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Synchronise with {cpo}",
        rpc_timeout=RPC_TIMEOUT,
    )
    return handle


async def keep_sync_schedule(client: Client, connection_id: str, cpo: str, network: str, every: timedelta) -> None:
    """Have a CPO synchronised ``every`` so often; the schedule that is there is brought up to date.

    Connections come at different moments, by their ids; one that still runs is not overtaken.
    """
    network_attribute = SearchAttributePair(SearchAttributeKey.for_keyword(names.SearchAttribute.NETWORK), network)
    attributes = TypedSearchAttributes([network_attribute])
    interval = ScheduleIntervalSpec(every=every, offset=every * (zlib.crc32(connection_id.encode()) / 2**32))
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            names.Workflow.SYNCHRONISE,
            Synchronisation(connection_id=connection_id),
            id=names.synchronise_id(connection_id),
            task_queue=names.TASK_QUEUE,
            static_summary=f"Synchronise with {cpo}",
            typed_search_attributes=attributes,
        ),
        spec=ScheduleSpec(intervals=[interval], jitter=every / 10),
        # What was due while Temporal was away is one run, not many: each reads from where the last one ended.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=every),
        state=ScheduleState(note=f"Pulls what {cpo} has"),
    )
    await _keep_schedule(client, names.sync_schedule_id(connection_id), schedule, attributes)


async def drop_sync_schedule(client: Client, connection_id: str) -> None:
    """End the synchronisation of a CPO; a no-op where there is none."""
    await _drop_schedule(client, names.sync_schedule_id(connection_id))


async def refresh_curve(client: Client, name: str) -> WorkflowHandle[Any, CurveNews]:
    """Start a refresh of a curve that was asked for, or join the one that runs."""
    handle: WorkflowHandle[Any, CurveNews] = await client.start_workflow(
        names.Workflow.REFRESH_CURVE,
        CurveRefresh(name=name, asked=True),
        id=names.asked_refresh_curve_id(name),
        task_queue=names.TASK_QUEUE,
        result_type=CurveNews,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Refresh the curve {name}",
        rpc_timeout=RPC_TIMEOUT,
    )
    return handle


async def keep_curve_schedule(client: Client, name: str) -> None:
    """Have a curve looked after, and fetched now for the first time."""
    interval = ScheduleIntervalSpec(every=LOOK, offset=LOOK * (zlib.crc32(name.encode()) / 2**32))
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            names.Workflow.REFRESH_CURVE,
            CurveRefresh(name=name),
            id=names.refresh_curve_id(name),
            task_queue=names.TASK_QUEUE,
            static_summary=f"Refresh the curve {name}",
        ),
        spec=ScheduleSpec(intervals=[interval]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=LOOK),
        state=ScheduleState(note=f"Fetches the curve {name} where it is published"),
    )
    await _keep_schedule(client, names.curve_schedule_id(name), schedule)
    await client.get_schedule_handle(names.curve_schedule_id(name)).trigger(rpc_timeout=RPC_TIMEOUT)


async def drop_curve_schedule(client: Client, name: str) -> None:
    """Do not look after a curve any more; a no-op where nobody does."""
    await _drop_schedule(client, names.curve_schedule_id(name))


async def _keep_schedule(
    client: Client, schedule_id: str, schedule: Schedule, attributes: TypedSearchAttributes | None = None
) -> None:
    try:
        await client.create_schedule(schedule_id, schedule, search_attributes=attributes, rpc_timeout=RPC_TIMEOUT)
    except ScheduleAlreadyRunningError:

        def renewed(known: ScheduleUpdateInput) -> ScheduleUpdate:
            # Its state stays: an operator may have paused it.
            return ScheduleUpdate(schedule=replace(schedule, state=known.description.schedule.state))

        await client.get_schedule_handle(schedule_id).update(renewed, rpc_timeout=RPC_TIMEOUT)


async def _drop_schedule(client: Client, schedule_id: str) -> None:
    try:
        await client.get_schedule_handle(schedule_id).delete(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
