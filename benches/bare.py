"""Driving bare workflows from the client."""

import itertools

from temporalio.client import Client, WorkflowHandle

from benches.bare_workflow import BARE_QUEUE, Amount, BareWorkflow

_numbers = itertools.count()

Bare = WorkflowHandle[BareWorkflow, str]


async def start_bare(client: Client, amount: Amount) -> Bare:
    """Start one that does ``amount``."""
    return await client.start_workflow(BareWorkflow.run, amount, id=f"bare/{next(_numbers)}", task_queue=BARE_QUEUE)


async def whole_bare(client: Client, amount: Amount) -> None:
    """Start one, send its signals one after the other, wait for its end."""
    bare = await start_bare(client, amount)
    for _ in range(amount.signals):
        await bare.signal(BareWorkflow.go_on, "go on")
    await bare.result()
