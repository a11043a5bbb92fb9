"""The worker: connect, build the activities, run. Wiring only; start it with ``python worker.py``."""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import uvloop
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.cpo import CpoActivities
from activities.curves import CurveActivities
from activities.payments import PaymentActivities
from activities.plans import PlanActivities
from activities.records import RecordActivities
from activities.synchronisation import SynchronisationActivities
from activities.webhooks import WebhookActivities
from charging import logs, names, temporal, tracing
from charging.curve_refresher import CurveRefresher
from charging.live_costs import LiveCosts
from charging.neighbours.purse import payments_port
from charging.ocpi.peers import Peers
from charging.ocpi.worker_metrics import WorkerMetrics
from charging.receiver import Receiver
from charging.scheduler import Scheduler
from charging.settings import Settings, get_settings
from charging.store.commands import CommandStore
from charging.store.connections import ConnectionStore
from charging.store.curves import CurveStore
from charging.store.decisions import DecisionStore
from charging.store.engine import Database
from charging.store.evse_turns import EvseTurns
from charging.store.webhooks import WebhookStore
from charging.synchroniser import Synchroniser
from charging.webhooks.sender import WebhookSender
from workflows.charging_session import ChargingSessionWorkflow
from workflows.curves import RefreshCurveWorkflow
from workflows.late_session import LateSessionWorkflow
from workflows.settlement import SettlementWorkflow
from workflows.synchronisation import SynchroniseWorkflow
from workflows.webhook import WebhookWorkflow

AT_ONCE = 16  # workflow tasks, and local activities, of one process
SESSION_WORKFLOWS = [
    ChargingSessionWorkflow,
    LateSessionWorkflow,
    SettlementWorkflow,
    SynchroniseWorkflow,
    RefreshCurveWorkflow,
]
WEBHOOK_WORKFLOWS = [WebhookWorkflow]


def build_worker(
    client: Client, database: Database, peers: Peers, settings: Settings, runner: WorkflowRunner | None = None
) -> Worker:
    """A worker for every workflow and activity of this engine; the caller closes ``database`` and ``peers``.

    ``runner``: workflows run outside of Temporal's sandbox unless another one is given (docs/adr/0007).
    """
    connections = ConnectionStore(database, settings.secret_keys)
    decisions = DecisionStore(database)
    receiver = Receiver(database, settings)
    commands, turns = CommandStore(database, connections), EvseTurns(database)
    cpo = CpoActivities(commands, decisions, turns, peers, receiver, settings.public_url)
    synchroniser = Synchroniser(database, connections, peers, receiver, settings)
    synchronisation = SynchronisationActivities(synchroniser)
    curves = CurveActivities(CurveRefresher(database, peers))
    plans = PlanActivities(Scheduler(database, CurveStore(database), settings.policy))
    records = RecordActivities(decisions, LiveCosts(database))
    payments = PaymentActivities(payments_port(settings, database), database)
    return Worker(
        client,
        task_queue=names.TASK_QUEUE,
        workflows=SESSION_WORKFLOWS,
        # More at once only makes each slower, until heartbeats come too late: let it wait at the server.
        max_concurrent_local_activities=AT_ONCE,
        max_concurrent_workflow_tasks=AT_ONCE,
        # Few threads: workflow code only computes, and more would keep Python's lock from the loop of the activities.
        workflow_task_executor=ThreadPoolExecutor(2, "workflow"),
        # By default a heartbeat is kept back for most of its time-out; then a busy moment of this process is its end.
        max_heartbeat_throttle_interval=timedelta(seconds=1),
        activities=[
            *_activities(cpo),
            *_activities(plans),
            *_activities(records),
            *_activities(payments),
            *_activities(synchronisation),
            *_activities(curves),
        ],
        # What a CPO is asked while we are told to end is waited for: a START cut off would be of unknown outcome.
        graceful_shutdown_timeout=timedelta(seconds=settings.cpo_timeout_s + 2),
        # A worker that was killed is found out sooner: by default its sessions' next tasks wait ten seconds for it.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=5),
        max_cached_workflows=settings.max_cached_workflows,
        deployment_config=_deployment(settings),
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
    )


def build_webhook_worker(client: Client, database: Database, sender: WebhookSender, settings: Settings) -> Worker:
    """A worker for deliveries to webhooks, with slots of its own."""
    activities = WebhookActivities(WebhookStore(database, settings.secret_keys), sender)
    return Worker(
        client,
        task_queue=names.WEBHOOK_QUEUE,
        workflows=WEBHOOK_WORKFLOWS,
        activities=_activities(activities),
        deployment_config=_deployment(settings),
        graceful_shutdown_timeout=timedelta(seconds=2),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=5),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    """With a build id, open sessions move to the version that an operator makes the current one (docs/adr/0009)."""
    if settings.build_id is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(names.DEPLOYMENT, settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


def _activities(partner: object) -> list[Callable[..., Any]]:
    methods = (getattr(partner, name) for name in dir(partner))
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = get_settings()
    logs.configure(log_format=settings.log_format, our_level=settings.log_level)
    temporal.use_our_logs()
    tracing.start("charging-worker")
    for warning in settings.warnings():
        logging.getLogger(__name__).warning(warning)
    runtime = temporal.measured_runtime(settings.metrics_address) if settings.metrics_address else None
    database, client = Database(settings.database_url), await temporal.connect(settings, runtime=runtime)
    peers = Peers(database, settings)
    if runtime is not None:
        peers.health.on_call = WorkerMetrics(runtime.metric_meter).called
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    sender = WebhookSender(allow_private=settings.allow_private_peers)
    webhooks = build_webhook_worker(client, database, sender, settings)
    async with build_worker(client, database, peers, settings), webhooks:
        logging.getLogger(__name__).info("worker is running")
        await stopped.wait()
    await sender.aclose()
    await peers.aclose()
    await database.close()


if __name__ == "__main__":
    gc.freeze()  # what is imported stays; without this each full collection walks through it, a tenth of a second
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
