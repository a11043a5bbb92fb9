"""Which method finds the cheapest way. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from charging.planning.bill import Piece
from charging.planning.blocks import fewest
from charging.planning.exact import search
from charging.planning.greedy import fill
from charging.planning.plan import PlanWarning
from charging.planning.slots import Slot
from charging.planning.task import Task

NOT_OPTIMAL = PlanWarning(code="not_optimal", detail="A good plan, but a cheaper one may exist.")


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
    if len(task.car.steps) == 1 and all(band.upto is None for slot in slots for band in slot.bands):
        filled = fill(slots, left, minimum=task.minimum, limit=task.car.limit)
        if task.max_blocks is None or _blocks([*task.first, *filled.pieces]) <= task.max_blocks:
            return Choice(filled.pieces, filled.marginal)
        found = fewest(task, slots, task.max_blocks)
    else:
        found = search(task, slots, task.max_blocks)
    return Choice(found.pieces, warnings=() if found.is_optimal else (NOT_OPTIMAL,))


def _blocks(pieces: Sequence[Piece]) -> int:
    return bool(pieces) + sum(before.end < after.begin for before, after in pairwise(pieces))
