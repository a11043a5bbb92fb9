"""Which method finds the cheapest way. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from charging.planning.bill import Piece
from charging.planning.greedy import fill
from charging.planning.plan import PlanWarning
from charging.planning.slots import Slot
from charging.planning.task import Task


class Choice(NamedTuple):
    """What to draw besides what is fixed. ``marginal``: the number of the piece that is the dearest."""

    pieces: list[Piece]
    marginal: int | None = None
    warnings: tuple[PlanWarning, ...] = ()


def cheapest(task: Task, slots: Sequence[Slot]) -> Choice:
    """The cheapest way to draw in ``slots`` what is needed besides what is fixed."""
    left = -int(-(task.need - task.energy) // 1)
    if left <= 0:
        return Choice([])
    filled = fill(slots, left, minimum=task.minimum, limit=task.car.limit)
    return Choice(filled.pieces, filled.marginal)
