"""How long a robot waits for POST /start, against the ``start_workflow`` that is in it."""

import asyncio
import time
from statistics import median

from benches.bare import start_bare
from benches.bare_workflow import Amount
from benches.charge import start_request
from benches.http import Connection
from benches.rows import Budget, Row
from benches.servers import Databases
from benches.stack import Stack, running_stack

ROUNDS = 3
PAIRS = 25
_REST_S = 0.06  # so that what a start sets going does not slow down the next one


async def measure(databases: Databases) -> list[Row]:
    """One at a time, both sides in turn; the p50 of each round."""
    async with running_stack("sqlite", databases) as stack:
        await _round(stack)
        rounds = [await _round(stack) for _ in range(ROUNDS)]
    ours, reference = zip(*rounds, strict=True)
    what, against = "POST /start, p50, one at a time", "bare start_workflow"
    return [Row(what, against, "ms", list(ours), list(reference), Budget("ratio", "≤", 1.5, 1.2))]


async def _round(stack: Stack) -> tuple[float, float]:
    ours, reference = [], []
    connection = await Connection.open(stack.api)
    for number in stack.evse_numbers(PAIRS):
        began = time.perf_counter()
        answer = await connection.ask(start_request(number))
        ours.append((time.perf_counter() - began) * 1000)
        assert answer.status == 201, answer
        await stack.cpo.arrived("START_SESSION", str(number))
        await asyncio.sleep(_REST_S)
        began = time.perf_counter()
        bare = await start_bare(stack.temporal, Amount(activities=0, local_activities=0, signals=0))
        reference.append((time.perf_counter() - began) * 1000)
        await bare.result()
        await asyncio.sleep(_REST_S)
    connection.close()
    return median(ours), median(reference)
