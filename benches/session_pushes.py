"""A CPO's session pushes per second, each one durable before it is acknowledged, on both databases."""

import itertools
from collections.abc import Iterator

from benches.canonical import active_sessions
from benches.charge import Charge
from benches.http import request, requests_per_second
from benches.rows import Budget, Row
from benches.servers import KINDS, Databases
from benches.stack import Stack, running_stack

IN_FLIGHT = 32
SECONDS = 2.0
ROUNDS = 3

_KWH = 0.0001  # more in every push, and never more than the car can take


async def measure(databases: Databases) -> list[Row]:
    """``IN_FLIGHT`` sessions, each with one push in flight: whole Sessions (PUT), and their changes (PATCH)."""
    rows = []
    for kind in KINDS:
        async with running_stack(kind, databases) as stack:
            rows += await _measure(stack)
    return rows


async def _measure(stack: Stack) -> list[Row]:
    charges = await active_sessions(stack, IN_FLIGHT)
    puts, patches, trivial = [], [], []
    for _ in range(ROUNDS):
        puts.append(await _per_second(stack, charges, "PUT"))
        trivial.append(await requests_per_second(stack.reference, [_trivial() for _ in charges], SECONDS))
        patches.append(await _per_second(stack, charges, "PATCH"))
    budget = Budget("ratio", "≥", 0.08, 0.15)
    what = f"session pushes per second, {stack.kind}"
    return [
        Row(f"{what}, PUT", "trivial FastAPI answer", "1/s", puts, trivial, budget),
        Row(f"{what}, PATCH", "trivial FastAPI answer", "1/s", patches, trivial, budget),
    ]


async def _per_second(stack: Stack, charges: list[Charge], method: str) -> float:
    return await requests_per_second(stack.api, [_pushes(charge, method) for charge in charges], SECONDS)


def _pushes(charge: Charge, method: str) -> Iterator[bytes]:
    while True:
        yield charge.push_request(method, _KWH)


def _trivial() -> Iterator[bytes]:
    return itertools.repeat(request("GET", "/trivial"))
