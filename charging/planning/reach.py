"""What to say when the departure cannot be met. Pure."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from charging.planning.car import Car
from charging.planning.plan import PlanWarning
from charging.planning.request import PlanRequest
from charging.planning.slots import HOUR, KW
from charging.planning.task import Task

_UNBOUNDED = 100_000 * KW


def not_reachable(request: PlanRequest, task: Task, flowed: Decimal) -> Iterator[PlanWarning]:
    """How much is missing, what it would take, and which cap would do if it is the cap that is too low."""
    ready = request.now + timedelta(microseconds=int(task.taken // 1))
    required = request.energy_kwh * HOUR / task.horizon
    yield PlanWarning(
        code="not_reachable",
        detail=f"{flowed:.3f} kWh of {request.energy_kwh:f} kWh will be in at the departure, "
        f"{request.energy_kwh - flowed:.3f} kWh short. That would take {required:.3f} kW all the time; "
        f"at full power it is ready at {ready:%Y-%m-%d %H:%M:%S} UTC, and charging goes on until then.",
    )
    cap = _sufficient_cap(request, task)
    if cap is not None:
        yield PlanWarning(
            code="cap_too_low",
            detail=f"A cap of {Decimal(cap) / KW:.4f} kW would do; it is {request.max_charge_rate_kw:f} kW.",
        )


def _sufficient_cap(request: PlanRequest, task: Task) -> int | None:
    """The least cap that meets the departure; None where the car itself takes too little for that."""

    def suffices(cap: int) -> bool:
        return Car(cap, request.acceptance, task.need).duration(0, task.need) <= task.horizon

    low, high = task.car.limit, _UNBOUNDED
    if not suffices(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
