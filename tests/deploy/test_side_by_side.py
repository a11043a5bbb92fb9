"""A deployment with sessions in flight: the old worker, the new one beside it, then the new one alone.

Real worker processes on two copies of the code, of which the new one has a patched change (docs/deploying.md).
"""

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import RoutingConfigUpdateState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeWorkerDeploymentRequest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from charging import names
from tests.programs import program
from tests.stack import Stack, running_stack
from tests.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)]

ROOT = Path(__file__).parent.parent.parent
CODE = ("charging", "workflows", "activities", "api")
BEFORE = "        rules.stop_sent(self._state, workflow.now())\n"
# What a developer would do who wants another step in the life of a session.
PATCHED = '        if workflow.patched("pause"):\n            await workflow.sleep(1)\n' + BEFORE


@pytest.mark.parametrize("versioned", [False, True], ids=["unversioned", "versioned"])
async def test_sessions_in_flight_end_properly_under_the_new_code(
    temporal: WorkflowEnvironment, store_url: str, tmp_path: Path, versioned: bool
) -> None:
    old, new = copy_of_the_code(tmp_path / "old"), copy_of_the_code(tmp_path / "new")
    workflow = new / "workflows" / "charging_session.py"
    assert BEFORE in workflow.read_text()
    workflow.write_text(workflow.read_text().replace(BEFORE, PATCHED))
    async with running_stack(temporal, store_url, stop_confirm_s=20) as stack:
        await stack.worker.shutdown()
        await stack.webhook_worker.shutdown()
        async with worker(stack, old, versioned) as before:
            await make_current(stack, "old", versioned)
            active, session = await stack.charging(id="S1")
            stopping, other = await stack.charging(id="S2", evse_id="FI*VRT*E12346", connector_type="Type2")
            await stack.stop(stopping)
            await eventually(lambda: stack.cpo.stops)
            async with worker(stack, new, versioned):
                await make_current(stack, "new", versioned)
                await stack.stop(active)
                await eventually(lambda: len(stack.cpo.stops) > 1)
                await ended_by(before)
                await end(stack, active, session, "CDR1")
                await end(stack, stopping, other, "CDR2")
                later, another = await stack.charging(id="S3")
                await stack.stop(later)
                await eventually(lambda: len(stack.cpo.stops) > 2)
                await end(stack, later, another, "CDR3")
                assert await is_patched(stack.workflow(later))
                assert not await is_patched(stack.workflow(stopping))
                if versioned:  # else chance decides which worker took the stop
                    assert await is_patched(stack.workflow(active))


def copy_of_the_code(to: Path) -> Path:
    for package in CODE:
        shutil.copytree(ROOT / package, to / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "worker.py", to)
    return to


@asynccontextmanager
async def worker(stack: Stack, code: Path, versioned: bool) -> AsyncIterator[Process]:
    """The worker of a copy of the code; its build id is the copy's name."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(code),
        "CHARGING_DATABASE_URL": stack.settings.database_url,
        "CHARGING_PUBLIC_URL": stack.settings.public_url,
        "CHARGING_ALLOW_PRIVATE_PEERS": "true",
        **({"CHARGING_BUILD_ID": code.name} if versioned else {}),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "worker.py", cwd=code, env=environment, stdin=DEVNULL
    )
    polled = DescribeTaskQueueRequest(
        namespace=stack.temporal.namespace,
        task_queue=TaskQueue(name=names.TASK_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )

    async def polls() -> bool:
        pollers = (await stack.temporal.workflow_service.describe_task_queue(polled)).pollers
        return any(poller.identity.startswith(f"{process.pid}@") for poller in pollers)

    try:
        await eventually(polls, within_s=60, every_s=0.5)
        yield process
    finally:
        if process.returncode is None:
            await ended_by(process)


async def ended_by(process: Process) -> None:
    """It ends as a deployment ends it."""
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 40) == 0


async def make_current(stack: Stack, build_id: str, versioned: bool) -> None:
    """As docs/deploying.md says; again until the worker has made its version known."""
    if not versioned:
        return
    address = stack.temporal.service_client.config.target_host
    command = [program("temporal"), "worker", "deployment", "set-current-version", "--address", address, "--yes"]
    command += ["--deployment-name", names.DEPLOYMENT, "--build-id", build_id]

    async def succeeds() -> bool:
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        return await process.wait() == 0

    await eventually(succeeds, every_s=0.5)
    described = DescribeWorkerDeploymentRequest(namespace=stack.temporal.namespace, deployment_name=names.DEPLOYMENT)

    async def is_known_everywhere() -> bool:
        answer = await stack.temporal.workflow_service.describe_worker_deployment(described)
        state = answer.worker_deployment_info.routing_config_update_state
        return state == RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_COMPLETED

    await eventually(is_known_everywhere, every_s=0.5)


async def end(stack: Stack, session_id: str, session: dict[str, Any], cdr: str) -> None:
    """The CPO ends and bills it; it is paid."""
    ended = {**session, "status": "COMPLETED", "kwh": 1}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended, id=cdr))
    await stack.until(session_id, "completed", within_s=60)
    receipt = (await stack.api.get(f"/v1/sessions/{session_id}/receipt")).json()
    assert receipt["payment_status"] == "paid"


async def is_patched(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether the new code has taken its new step."""
    history = await handle.fetch_history()
    markers = [event.marker_recorded_event_attributes for event in history.events]
    told = [payload.data for marker in markers for part in marker.details.values() for payload in part.payloads]
    return any(b'"pause"' in data for data in told)
