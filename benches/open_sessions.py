"""Many sessions that charge at the same time: the memory of each process, and how soon a new worker has them all."""

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack

from sqlalchemy import func, select

from benches.canonical import batches
from benches.charge import Charge
from benches.footprint import store_bytes, temporal_bytes
from benches.programs import temporal_process
from benches.rows import Budget, Row
from benches.servers import Databases
from benches.sizes import size
from benches.stack import Stack, running_stack
from charging import names
from charging.store.tables import sessions
from tests.waiting import eventually

WARM_UP = 50
_AT_ONCE = 100
_PATIENCE_S = 120


async def measure(databases: Databases) -> list[Row]:
    """``BENCH_OPEN`` sessions are opened; then the worker is killed, and each is told something and asks a new one.

    ``BENCH_HELPERS`` more workers, none unless told, help to open them and end before anything is read.
    """
    count = size("OPEN", 1_000)
    async with running_stack("sqlite", databases, evses=WARM_UP + count) as stack:
        await _open(stack, WARM_UP)
        before = await _held(stack)
        async with AsyncExitStack() as helpers:
            for _ in range(size("HELPERS", 0)):
                await helpers.enter_async_context(stack.another_worker())
            began = time.perf_counter()
            ids = await _open(stack, count)
            opening = time.perf_counter() - began
        after = await _held(stack)
        rows = [_row(name, count, before[name], after[name]) for name in before]
        return [*rows, await _resumed(stack, ids, opening)]


async def _open(stack: Stack, count: int) -> list[str]:
    """So many sessions that charge; their ids. Nobody stays connected."""
    ids = []

    async def one(number: int) -> None:
        charge = await Charge.begin(stack, number)
        await charge.flow()
        charge.connection.close()
        ids.append(charge.id)

    active = await _active(stack) + count
    await batches(one, stack.evse_numbers(count))

    async def all_active() -> bool:
        return await _active(stack) == active

    await eventually(all_active, within_s=_PATIENCE_S, every_s=0.2)
    return ids


async def _active(stack: Stack) -> int:
    async with stack.database.read() as store:
        query = select(func.count()).select_from(sessions).where(sessions.c.status == "active")
        return int(await store.scalar(query) or 0)


async def _held(stack: Stack) -> dict[str, float]:
    """MB."""
    return {
        "memory of the API": stack.api_process.rss_mb,
        "memory of the worker": stack.worker.rss_mb,
        "memory of Temporal": temporal_process().rss_mb,
        "size of the store": await store_bytes(stack.database) / 1e6,
        "size of Temporal's file": temporal_bytes(stack.directory) / 1e6,
    }


def _row(what: str, count: int, before: float, after: float) -> Row:
    notes = {"kB more per session": round((after - before) / count * 1000, 1)}
    against, limit = f"with {WARM_UP}", _LIMITS_MB[what] * max(count, 1_000) / 1_000
    budget = Budget("ratio", "≤", 1.5) if what == "memory of the API" else Budget("ours", "≤", limit)
    return Row(f"{count:,} open sessions: {what}", against, "MB", [after], [before], budget, notes)


# For 1,000 open sessions; the API is asked for a ratio, for it holds none of them.
_LIMITS_MB = {
    "memory of the API": 0,
    "memory of the worker": 250,
    "memory of Temporal": 600,
    "size of the store": 50,
    "size of Temporal's file": 100,
}


async def _resumed(stack: Stack, ids: list[str], opening: float) -> Row:
    """The worker is killed; each session gets a signal, and answers a query from where the signal left it."""
    os.kill(stack.worker.pid, signal.SIGKILL)
    began = time.perf_counter()
    async with stack.another_worker() as worker:
        ready = time.perf_counter() - began
        waiting = list(ids)

        async def work() -> None:
            while waiting:
                await _answers(stack, waiting.pop())

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        resuming = time.perf_counter() - began
        notes = {
            "until the new worker works, s": round(ready, 1),
            "sessions per second then": round(len(ids) / (resuming - ready), 1),
            "cpu ms of the worker per session": round(worker.cpu_s / len(ids) * 1000, 1),
            "memory of the new worker, MB": round(worker.rss_mb),
        }
    what, budget = f"{len(ids):,} open sessions: resumed after a kill of the worker", Budget("ratio", "≤", 1, 0.5)
    return Row(what, "opening them", "s", [resuming], [opening], budget, notes)


async def _answers(stack: Stack, session_id: str) -> None:
    handle = stack.temporal.get_workflow_handle(names.charging_session_id(session_id))
    await handle.signal(names.Signal.PRICES_CHANGED)
    state = await handle.query(names.Query.STATUS)
    assert state["status"] == "active", state
