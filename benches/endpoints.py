"""How long each endpoint takes with 1, 50 and 200 callers at once, on both databases."""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

from benches.canonical import batches
from benches.charge import Charge, bearer, start_request
from benches.http import Address, Answer, Connection, request
from benches.rows import Budget, Row
from benches.servers import KINDS, Databases
from benches.sizes import size
from benches.stack import Stack, running_stack

AT_ONCE = (1, 50, 200)
SHOWN = 50  # of these, the one in the row itself
FINISHED = 10
_KWH = 0.0001  # more in every push, and never more than the car can take

# p50 with ``SHOWN`` at once, against an answer of FastAPI that does nothing: at most so many times as long.
_LIMITS = {
    "POST /start": 150,
    "GET /status": 10,
    "GET /sessions": 25,
    "GET /history": 25,
    "GET /evses/{evse_id}": 40,
    "POST /quotes": 40,
    "POST /plans": 60,
    "POST /charging-profile": 250,
    "CPO's PUT of a Session": 25,
    "CPO's PATCH of a Session": 25,
    "POST /stop": 100,
    "GET /receipt": 15,
}


@dataclass(frozen=True)
class Served:
    """What became of some requests: milliseconds of each that was answered well, and how many were not."""

    ms: list[float]
    refused: int

    def __str__(self) -> str:
        cuts = quantiles(self.ms, n=100, method="inclusive")
        shown = " / ".join(f"{cuts[percent - 1]:.3g}" for percent in (50, 95, 99))
        return f"{shown} ms of {len(self.ms)}" + (f", {self.refused} refused" if self.refused else "")


Times = dict[int, Served]  # by callers at once


async def measure(databases: Databases) -> list[Row]:
    """The row is the p50 with 50 callers at once; all quantiles are in its notes."""
    rows = []
    for kind in KINDS:
        async with running_stack(kind, databases) as stack:
            times = await _all(stack)
            trivial = median(times.pop("trivial")[SHOWN].ms)
            rows += [_row(f"{what}, {kind}", found, trivial, _LIMITS[what]) for what, found in times.items()]
    return rows


def _row(what: str, times: Times, trivial: float, limit: float) -> Row:
    notes = {f"p50, p95, p99 at {at_once}": str(found) for at_once, found in times.items()}
    budget = Budget("ratio", "≤", limit)
    return Row(
        f"{what}: p50 at {SHOWN}", "trivial FastAPI answer", "ms", [median(times[SHOWN].ms)], [trivial], budget, notes
    )


async def _all(stack: Stack) -> dict[str, Times]:
    """In the order of a session's life; between two of them nothing is under way."""
    least = size("REQUESTS", 40)  # by one caller; a p99 of so few is their longest
    charges: dict[int, list[Charge]] = {}
    starts: Times = {}
    for at_once in AT_ONCE:
        numbers = stack.evse_numbers(max(least, at_once))
        starts[at_once], answers = await _timed(stack.api, [start_request(number) for number in numbers], at_once)
        charges[at_once] = [await _ordered(stack, *each) for each in zip(numbers, answers, strict=True)]
        await _flow(charges[at_once])
    everybody = list(itertools.chain(*charges.values()))
    repeated: dict[str, Callable[[Charge], bytes]] = {
        "GET /status": Charge.status_request,
        "GET /sessions": lambda charge: _get(charge, "/v1/sessions"),
        "GET /history": lambda charge: _get(charge, "/v1/history"),
        "GET /evses/{evse_id}": lambda charge: _get(charge, f"/v1/evses/{_evse_id(charge)}"),
        "POST /quotes": _quote,
        "POST /plans": _plan,
        "CPO's PUT of a Session": lambda charge: charge.push_request("PUT", _KWH),
        "CPO's PATCH of a Session": lambda charge: charge.push_request("PATCH", _KWH),
    }
    found = {"trivial": await _repeated(stack.reference, lambda _: request("GET", "/trivial"), everybody, least)}
    found["POST /start"] = starts
    for what, asking in repeated.items():
        found[what] = await _repeated(stack.api, asking, everybody, least)
    found["POST /charging-profile"] = {
        at_once: await _profiles(stack.api, some, at_once) for at_once, some in charges.items()
    }
    found["POST /stop"] = {
        at_once: (await _timed(stack.api, [charge.stop_request() for charge in some], at_once))[0]
        for at_once, some in charges.items()
    }
    finished = everybody[:FINISHED]
    await asyncio.gather(*(_finish(charge) for charge in finished))
    found["GET /receipt"] = await _repeated(stack.api, Charge.receipt_request, finished, least)
    return found


async def _repeated(api: Address, asking: Callable[[Charge], bytes], charges: Sequence[Charge], least: int) -> Times:
    """Requests that may be repeated at will, about one session after the other."""
    turns = itertools.cycle(charges)
    times = {}
    for at_once in AT_ONCE:
        requests = [asking(charge) for charge in itertools.islice(turns, max(5 * least, 5 * at_once))]
        times[at_once], _ = await _timed(api, requests, at_once)
    return times


async def _timed(api: Address, requests: Sequence[bytes], at_once: int) -> tuple[Served, list[Answer]]:
    """All of ``requests``, with so many on their way."""
    times = [0.0] * len(requests)
    answers: list[Answer] = [Answer(0, b"")] * len(requests)
    waiting = iter(enumerate(requests))
    connections = [await Connection.open(api) for _ in range(at_once)]

    async def work(connection: Connection) -> None:
        for number, each in waiting:
            began = time.perf_counter()
            answers[number] = await connection.ask(each)
            times[number] = (time.perf_counter() - began) * 1000

    await asyncio.gather(*(work(connection) for connection in connections))
    for connection in connections:
        connection.close()
    ms = [took for took, answer in zip(times, answers, strict=True) if 200 <= answer.status < 300]
    return Served(ms, len(requests) - len(ms)), answers


async def _profiles(api: Address, charges: Sequence[Charge], at_once: int) -> Served:
    """The charge points accept as soon as they are asked."""
    accepting = [asyncio.create_task(charge.accept_profile()) for charge in charges]
    served, _ = await _timed(api, [charge.profile_request(7.4) for charge in charges], at_once)
    if served.refused:  # those are never asked
        for task in accepting:
            task.cancel()
    await asyncio.gather(*accepting, return_exceptions=True)
    return served


async def _ordered(stack: Stack, number: int, answer: Answer) -> Charge:
    return await Charge.ordered(stack, number, await Connection.open(stack.api), answer)


async def _flow(charges: Sequence[Charge]) -> None:
    async def one(number: int) -> None:
        await charges[number].flow()
        await charges[number].until(status="active")

    await batches(one, list(range(len(charges))))


async def _finish(charge: Charge) -> None:
    for step in (charge.accept_stop, charge.end, charge.bill, charge.completed):
        await step()


def _get(charge: Charge, path: str) -> bytes:
    return request("GET", path, authorization=bearer(charge.number))


def _quote(charge: Charge) -> bytes:
    body = {"evse_id": _evse_id(charge), "connector_type": "CCS", "energy_kwh": 30.0}
    return request("POST", "/v1/quotes", authorization=bearer(charge.number), body=body)


def _plan(charge: Charge) -> bytes:
    departure = f"{datetime.now(UTC) + timedelta(hours=8):%Y-%m-%dT%H:%M:%SZ}"
    body = {"evse_id": _evse_id(charge), "connector_type": "CCS", "energy_kwh": 30.0, "departure_time": departure}
    return request("POST", "/v1/plans", authorization=bearer(charge.number), body=body)


def _evse_id(charge: Charge) -> str:
    return f"FI-VRT-E{charge.number:05}"
