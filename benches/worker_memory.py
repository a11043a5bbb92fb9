"""Memory of a worker per 1,000 sessions that are charging, against workflows that only wait."""

from benches.bare import start_bare
from benches.bare_workflow import Amount, BareWorkflow
from benches.canonical import active_sessions, batches
from benches.programs import Program
from benches.rows import Budget, Row
from benches.servers import Databases
from benches.stack import Stack, running_stack

WARM_UP = 50
SESSIONS = 300


async def measure(databases: Databases) -> list[Row]:
    """The growth of the worker process from ``WARM_UP`` open ones to ``SESSIONS`` more."""
    async with running_stack("sqlite", databases) as stack:
        await active_sessions(stack, WARM_UP)
        before = stack.worker.rss_mb
        await active_sessions(stack, SESSIONS)
        ours = _per_1000(stack.worker, before)
        await _open_bares(stack, WARM_UP)
        before = stack.bare_worker.rss_mb
        await _open_bares(stack, SESSIONS)
        reference = _per_1000(stack.bare_worker, before)
    return [
        Row(
            "worker memory per 1,000 open sessions",
            "bare workflow of as many activities, local activities and signals until then",
            "MB",
            [ours],
            [reference],
            Budget("ours", "≤", 80, 40),
            {"measured with": SESSIONS},
        )
    ]


def _per_1000(worker: Program, before: float) -> float:
    return (worker.rss_mb - before) / SESSIONS * 1000


async def _open_bares(stack: Stack, count: int) -> None:
    """As far as a session that charges: hold and START, three signals, four publications, and one more to wait for."""
    amount = Amount(activities=3, local_activities=7, signals=4)

    async def one(_number: int) -> None:
        bare = await start_bare(stack.temporal, amount)
        for _ in range(amount.signals - 1):
            await bare.signal(BareWorkflow.go_on, "go on")
        await bare.query(BareWorkflow.signals)

    await batches(one, list(range(count)))
