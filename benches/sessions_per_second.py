"""Whole sessions per second: from POST /start to the paid receipt, against a bare workflow of the same size."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from benches.bare import whole_bare
from benches.bare_workflow import Amount
from benches.canonical import canonical_amount
from benches.charge import Charge
from benches.programs import temporal_process
from benches.rows import Budget, Row
from benches.servers import Databases
from benches.stack import Stack, running_stack

AT_ONCE = 50
SESSIONS = 100
ROUNDS = 3


async def measure(databases: Databases) -> list[Row]:
    """Both sides in turn, ``AT_ONCE`` at once, on the same server."""
    async with running_stack("sqlite", databases) as stack:
        same = await canonical_amount(stack)
        await per_second(sessions(stack, AT_ONCE))
        await per_second(_bares(stack, same, AT_ONCE))
        ours, reference = [], []
        for _ in range(ROUNDS):
            before = cpu_seconds(stack)
            ours.append(await per_second(sessions(stack, SESSIONS)))
            between = cpu_seconds(stack)
            reference.append(await per_second(_bares(stack, same, SESSIONS)))
            after = cpu_seconds(stack)
    notes = _used("session", before, between, ("API", "worker", "Temporal"))
    notes |= _used("bare workflow", between, after, ("bare worker", "Temporal"))
    words = f"bare workflow of {same.activities} activities, {same.local_activities} local ones, {same.signals} signals"
    return [
        Row(
            f"whole sessions per second, {AT_ONCE} at once",
            words,
            "1/s",
            ours,
            reference,
            Budget("ratio", "≥", 0.6, 0.8),
            notes,
        )
    ]


def _used(by: str, before: Mapping[str, float], after: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    return {f"cpu ms per {by}, {name}": round((after[name] - before[name]) / SESSIONS * 1000, 1) for name in names}


def sessions(stack: Stack, count: int) -> list[Callable[[], Awaitable[None]]]:
    """So many whole sessions, to be run."""

    async def whole(number: int) -> None:
        await (await Charge.begin(stack, number)).whole()

    return [lambda number=number: whole(number) for number in stack.evse_numbers(count)]  # type: ignore[misc] # default


def _bares(stack: Stack, same: Amount, count: int) -> list[Callable[[], Awaitable[None]]]:
    return [lambda: whole_bare(stack.temporal, same)] * count


async def per_second(tasks: Iterable[Callable[[], Awaitable[None]]]) -> float:
    """Run ``tasks``, ``AT_ONCE`` at once; how many end per second."""
    waiting = list(tasks)
    count, began = len(waiting), time.perf_counter()

    async def work() -> None:
        while waiting:
            await waiting.pop()()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - began)


def cpu_seconds(stack: Stack) -> dict[str, float]:
    """What each process of ``stack`` has used so far."""
    ours = {"API": stack.api_process, "worker": stack.worker}
    programs = {**ours, "bare worker": stack.bare_worker, "Temporal": temporal_process()}
    return {name: process.cpu_s for name, process in programs.items()}
