"""Planning a departure a week ahead on prices by the quarter of an hour: the whole plan, its greedy, and the search."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isclose, sin, tau
from statistics import median
from typing import Any

from benches.rows import Budget, Row
from benches.servers import Databases
from charging.planning.greedy import fill
from charging.planning.planner import plan
from charging.planning.request import PlanRequest
from charging.planning.slots import Slot, prices_of
from charging.planning.task import Task, task_of
from tests.planning.oracle import linear
from tests.planning.oracle.world import world

SLOTS = 672
ROUNDS = 5
_TIMES = 50
_NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_TAPER = [{"upto_kwh": 40, "max_kw": 11}, {"upto_kwh": 50, "max_kw": 7}, {"upto_kwh": 60, "max_kw": 3}]


async def measure(_: Databases) -> list[Row]:
    """Milliseconds per plan, the median of each round, against the bare sorting of the prices.

    The plan costs what a linear program finds to be the least.
    """
    request = _request()
    slots, task = prices_of(request).slots, task_of(request)
    assert len(slots) == SLOTS
    prices = [slot.bands[0].price for slot in slots]
    notes = {"its cost": _cost(request), "the least cost, by a linear program": round(_least(request), 6)}
    assert isclose(*notes.values(), abs_tol=1e-4), notes

    taper, blocks = _request(acceptance=_TAPER), _request(max_blocks=3)
    rows: list[Row] = []
    for what, work, times, limit in (
        (f"departure plan, {SLOTS} slots", lambda: plan(request), _TIMES, 1.0),
        (f"departure plan, {SLOTS} slots, its greedy alone", lambda: _greedy(slots, task), _TIMES, 1.0),
        (f"departure plan, {SLOTS} slots, taper", lambda: plan(taper), 3, 200.0),
        (f"departure plan, {SLOTS} slots, at most 3 blocks", lambda: plan(blocks), 3, 200.0),
    ):
        ours = [_median(work, times) for _ in range(ROUNDS)]
        bare = [_median(lambda: sorted(prices), _TIMES) for _ in range(ROUNDS)]
        budget = Budget("ours", "≤", limit)
        rows.append(Row(what, "sorting the prices", "ms", ours, bare, budget, {} if rows else notes))
    return rows


def _greedy(slots: Sequence[Slot], task: Task) -> object:
    return fill(slots, task.need, minimum=task.minimum, limit=task.car.limit)


def _cost(request: PlanRequest) -> float:
    return float(plan(request).cost or 0)


def _least(request: PlanRequest) -> float:
    return linear.optimum(world(request)) or 0.0


def _request(**more: Any) -> PlanRequest:
    """A week of prices that rise and fall by the day, no two neighbours alike."""
    quarter = timedelta(minutes=15)
    prices = [
        {
            "start": _NOW + n * quarter,
            "end": _NOW + (n + 1) * quarter,
            "price": Decimal(round(20_000 + 10_000 * sin(n / 96 * tau) + n * 7919 % 5000)) / 100_000,
        }
        for n in range(SLOTS)
    ]
    need = {"energy_kwh": 60, "max_charge_rate_kw": 11}
    departure = _NOW + SLOTS * quarter
    return PlanRequest.model_validate({"now": _NOW, "departure_time": departure, "prices": prices, **need, **more})


def _median(work: Callable[[], object], times: int) -> float:
    """Milliseconds of the middle one of so many calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken)
