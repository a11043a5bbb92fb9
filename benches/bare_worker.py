"""A worker of ``BareWorkflow`` with the options of ours: ``python -m benches.bare_worker``."""

import asyncio
import signal
from datetime import timedelta

from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benches.bare_workflow import BARE_QUEUE, BareWorkflow, nothing
from charging.settings import get_settings
from charging.temporal import connect


async def main() -> None:
    """Run until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with Worker(
        await connect(get_settings()),
        task_queue=BARE_QUEUE,
        workflows=[BareWorkflow],
        activities=[nothing],
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=5),
        max_cached_workflows=get_settings().max_cached_workflows,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
