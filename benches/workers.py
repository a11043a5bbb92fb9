"""Whole sessions per second with 1, 2 and 4 worker processes, and with a second API, all on one store and one Temporal.

Nothing that a session needs is in one process's memory: it is ordered at one API, stopped at the other, and both say
the same of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from benches.charge import Charge, start_request
from benches.http import Address, Connection
from benches.programs import Program, temporal_process
from benches.rows import Budget, Row
from benches.servers import Databases
from benches.sessions_per_second import AT_ONCE, per_second, sessions
from benches.sizes import size
from benches.stack import Stack, running_stack
from tests.waiting import eventually

WARM_UP = 20
WORKERS = (1, 2, 4)


async def measure(databases: Databases) -> list[Row]:
    """One worker with one API is the reference. On a machine with few cores it shows what more of them cost."""
    count = size("SESSIONS", 80)
    rates: dict[str, float] = {}
    async with AsyncExitStack() as more:
        stack = await more.enter_async_context(running_stack("postgresql", databases))
        workers = [stack.worker]
        for wanted in WORKERS:
            while len(workers) < wanted:
                workers.append(await more.enter_async_context(stack.another_worker()))
            await per_second(sessions(stack, WARM_UP))
            rates[f"{wanted} workers, 1 API"] = await per_second(sessions(stack, count))
        process, second = await more.enter_async_context(stack.another_api())
        await per_second(_across(stack, second, WARM_UP, compared=True))
        processes = {f"API {at + 1}": api for at, api in enumerate((stack.api_process, process))}
        processes |= {f"worker {at + 1}": worker for at, worker in enumerate(workers)}
        processes["Temporal"] = temporal_process()
        before = _cpu(processes)
        rates[f"{len(workers)} workers, 2 APIs"] = await per_second(_across(stack, second, count))
        used = {name: after - before[name] for name, after in _cpu(processes).items()}
    assert all(used.values()), f"a process did nothing: {used}"
    single, *others = rates
    notes = {f"cpu ms per session, {name}": round(s / count * 1000, 1) for name, s in used.items()}
    what = f"whole sessions per second, {AT_ONCE} at once"
    return [
        Row(
            f"{what}, {name}",
            single,
            "1/s",
            [rates[name]],
            [rates[single]],
            Budget("ratio", "≥", 0.8),
            notes if name == others[-1] else {},
        )
        for name in others
    ]


def _across(
    stack: Stack, second: Address, count: int, *, compared: bool = False
) -> list[Callable[[], Awaitable[None]]]:
    """So many whole sessions, each at both APIs, every other one ordered at the second."""

    async def whole(number: int) -> None:
        here, there = (stack.api, second) if number % 2 else (second, stack.api)
        connection = await Connection.open(here)
        charge = await Charge.ordered(stack, number, connection, await connection.ask(start_request(number)))
        await charge.accept_start()
        await charge.flow()
        if compared:
            await _same(charge, await Connection.open(there))
        charge.connection.close()
        charge.connection = await Connection.open(there)
        for step in (charge.ask_stop, charge.accept_stop, charge.end, charge.bill):
            await step()
        await charge.completed()

    return [lambda number=number: whole(number) for number in stack.evse_numbers(count)]  # type: ignore[misc] # default


async def _same(charge: Charge, other: Connection) -> None:
    """Both APIs say that it charges, and say the same."""
    await charge.until(status="active")

    async def equal() -> bool:
        asked = charge.status_request()
        here, there = await asyncio.gather(charge.connection.ask(asked), other.ask(asked))
        return bool(here.json() == there.json())

    await eventually(equal, describe=lambda: "the two APIs disagree")
    other.close()


def _cpu(processes: dict[str, Program]) -> dict[str, float]:
    return {name: process.cpu_s for name, process in processes.items()}
