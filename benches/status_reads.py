"""Status reads per second: the JWT checked and the row read, on both databases."""

import itertools
from collections.abc import Iterator

from benches.canonical import active_sessions
from benches.charge import Charge
from benches.http import request, requests_per_second
from benches.rows import Budget, Row
from benches.servers import KINDS, Databases
from benches.stack import Stack, running_stack

SESSIONS = 16
SECONDS = 2.0
ROUNDS = 3


async def measure(databases: Databases) -> list[Row]:
    """Against the least that FastAPI can answer, and against the same question asked of the workflow."""
    rows = []
    for kind in KINDS:
        async with running_stack(kind, databases) as stack:
            rows += await _measure(stack)
    return rows


async def _measure(stack: Stack) -> list[Row]:
    charges = await active_sessions(stack, SESSIONS)
    ours, trivial, queried = [], [], []
    for _ in range(ROUNDS):
        ours.append(await requests_per_second(stack.api, [_status(charge) for charge in charges], SECONDS))
        trivial.append(await requests_per_second(stack.reference, [_trivial() for _ in charges], SECONDS))
        queried.append(await requests_per_second(stack.reference, [_queried(charge) for charge in charges], SECONDS))
    by_query = "status asked of the workflow by a query"
    what, limit = f"status reads per second, {stack.kind}", 0.25 if stack.kind == "sqlite" else 0.15
    return [
        Row(what, "trivial FastAPI answer", "1/s", ours, trivial, Budget("ratio", "≥", limit, 0.5)),
        Row(f"{what}, against a query", by_query, "1/s", ours, queried, Budget("ratio", "≥", 5)),
    ]


def _status(charge: Charge) -> Iterator[bytes]:
    return itertools.repeat(charge.status_request())


def _trivial() -> Iterator[bytes]:
    return itertools.repeat(request("GET", "/trivial"))


def _queried(charge: Charge) -> Iterator[bytes]:
    return itertools.repeat(request("GET", f"/queried/{charge.id}"))
