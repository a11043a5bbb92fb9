"""What is to be done, in the planner's units (see ``slots``). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from charging.planning.bill import Piece, delivered
from charging.planning.car import Car, Number
from charging.planning.request import PlanRequest
from charging.planning.slots import KW, SECOND, Slot, micros


@dataclass(frozen=True)
class Task:
    """``need`` until ``horizon``; power is 0 or from ``minimum`` to what the ``car`` takes, in ``max_blocks`` blocks.

    ``first`` is what is fixed: the guaranteed energy at once. ``taken``: how long all takes at full power.
    ``pause``: the power that flows in pauses.
    """

    horizon: int
    need: int
    minimum: int
    car: Car
    first: tuple[Piece, ...]
    taken: Number
    max_blocks: int | None
    pause: int = 0

    @property
    def begin(self) -> int:
        """When what is fixed ends."""
        return self.first[-1].end if self.first else 0

    @property
    def energy(self) -> Number:
        """What has been delivered by then."""
        return delivered(self.first, self.car, self.begin)

    def free(self, slots: Sequence[Slot]) -> Sequence[Slot]:
        """What of ``slots`` can still be chosen from."""
        begin = self.begin
        if begin == 0:
            return slots
        return [Slot(max(slot.begin, begin), *slot[1:]) for slot in slots if slot.end > begin]


def task_of(request: PlanRequest) -> Task:
    """The task that ``request`` sets."""
    need = energy_of(request.energy_kwh)
    car = Car(int(request.max_charge_rate_kw * KW), request.acceptance, need)
    guaranteed = car.duration(0, min(energy_of(request.guaranteed_kwh), need))
    seconds = -int(-guaranteed // SECOND)
    return Task(
        horizon=micros(request.departure_time - request.now),
        need=need,
        minimum=min(int(request.min_charge_rate_kw * KW), car.limit),
        car=car,
        first=(Piece(0, seconds * SECOND, car.limit),) if seconds else (),
        taken=car.duration(0, need),
        max_blocks=request.max_blocks,
        pause=min(int(request.pause_kw * KW), car.limit),
    )


def energy_of(kwh: Decimal) -> int:
    """``kwh`` in whole 0.1 Ws, rounded down: what can be met exactly."""
    return int(kwh * KW * 3600) * SECOND
