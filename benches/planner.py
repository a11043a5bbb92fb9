"""Planning a departure a week ahead on prices by the quarter of an hour: the greedy, the whole plan, and the search."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import sin, tau
from statistics import median
from typing import Any

from benches.rows import Budget, Row
from benches.servers import Databases
from charging.planning.greedy import fill
from charging.planning.planner import plan
from charging.planning.request import PlanRequest
from charging.planning.slots import prices_of
from charging.planning.task import task_of

SLOTS = 672
ROUNDS = 5
_TIMES = 50
_NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_TAPER = [{"upto_kwh": 40, "max_kw": 11}, {"upto_kwh": 50, "max_kw": 7}, {"upto_kwh": 60, "max_kw": 3}]


async def measure(_: Databases) -> list[Row]:
    """Milliseconds per plan, the median of each round, against the bare sorting of the prices."""
    request = _request()
    slots, task = prices_of(request).slots, task_of(request)
    assert len(slots) == SLOTS
    prices = [slot.bands[0].price for slot in slots]

    def greedy() -> object:
        return fill(slots, task.need, minimum=task.minimum, limit=task.car.limit)

    whole = {"the whole plan, ms": round(_median(lambda: plan(request), _TIMES), 3)}
    taper, blocks = _request(acceptance=_TAPER), _request(max_blocks=3)
    rows = []
    for what, work, times, limit in (
        (f"departure plan, {SLOTS} slots", greedy, _TIMES, 1.0),
        (f"departure plan, {SLOTS} slots, taper", lambda: plan(taper), 3, 200.0),
        (f"departure plan, {SLOTS} slots, at most 3 blocks", lambda: plan(blocks), 3, 200.0),
    ):
        ours = [_median(work, times) for _ in range(ROUNDS)]
        bare = [_median(lambda: sorted(prices), _TIMES) for _ in range(ROUNDS)]
        notes = whole if work is greedy else {}
        rows.append(Row(what, "sorting the prices", "ms", ours, bare, Budget("ours", "≤", limit), notes))
    return rows


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
