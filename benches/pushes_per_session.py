"""What a session costs against the number of its meter pushes: history, rows, and CPU."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from benches.canonical import active_session, finish, workflow_of
from benches.charge import Charge
from benches.footprint import store_rows
from benches.histories import history
from benches.rows import Budget, Row
from benches.servers import Databases
from benches.sessions_per_second import cpu_seconds
from benches.sizes import size
from benches.stack import Stack, running_stack
from charging import names

PUSHES = (0, 30, 300)
SESSIONS = 4  # at once, for each number of pushes

_KWH = 0.0001  # more in every push, and never more than the car can take


@dataclass(frozen=True)
class Cost:
    """Of one session."""

    events: float
    rows: float
    cpu_ms: Mapping[str, float]  # by process


async def measure(databases: Databases) -> list[Row]:
    """Sessions without a push are the reference of those with many."""
    async with running_stack("sqlite", databases) as stack:
        await _cost(stack, 1)  # every process has done everything once
        costs = {pushes: await _cost(stack, pushes) for pushes in (*PUSHES, size("PUSHES", 3_000))}
    return [row for pushes, cost in costs.items() if pushes for row in _rows(pushes, cost, costs[0])]


def _rows(pushes: int, cost: Cost, least: Cost) -> list[Row]:
    notes = {f"cpu ms per session, {name}": round(ms) for name, ms in cost.cpu_ms.items()}
    against, having = "without a push", f"a session with {pushes:,} meter pushes"
    per_push = {name: (ms - least.cpu_ms[name]) / pushes for name, ms in cost.cpu_ms.items()}
    rows = [
        Row(
            f"history events, {having}",
            against,
            "events",
            [cost.events],
            [least.events],
            Budget("ratio", "≤", 1),
            notes,
        ),
        Row(f"store rows, {having}", against, "rows", [cost.rows], [least.rows], Budget("ratio", "≤", 1.1)),
    ]
    if pushes >= PUSHES[-1]:  # fewer are lost in what a session costs anyhow
        ours, others = [per_push.pop("API")], [sum(per_push.values())]
        against = "worker and Temporal"
        rows.append(Row(f"CPU of the API per push, {having}", against, "ms", ours, others, Budget("ours", "≤", 5)))
    return rows


async def _cost(stack: Stack, pushes: int) -> Cost:
    rows, cpu = await store_rows(stack.database), cpu_seconds(stack)
    charges = await asyncio.gather(*(_whole(stack, number, pushes) for number in stack.evse_numbers(SESSIONS)))
    used = {name: (after - cpu[name]) * 1000 / SESSIONS for name, after in cpu_seconds(stack).items()}
    added = (await store_rows(stack.database)).total() - rows.total()
    events = [await _events(charge) for charge in charges]
    return Cost(sum(events) / SESSIONS, added / SESSIONS, used)


async def _whole(stack: Stack, number: int, pushes: int) -> Charge:
    charge = await active_session(stack, number)
    for _ in range(pushes):
        (await charge.connection.ask(charge.push_request("PATCH", _KWH))).json()
    await finish(charge)
    return charge


async def _events(charge: Charge) -> int:
    settlement = charge.stack.temporal.get_workflow_handle(names.settlement_id(charge.id))
    await settlement.result()
    return len(await history(workflow_of(charge))) + len(await history(settlement))
