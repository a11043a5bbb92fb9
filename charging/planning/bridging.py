"""Short gaps between two blocks are bridged: a switch off and on again wears a charger and saves cents. Pure."""

from collections.abc import Sequence
from itertools import pairwise

from charging.planning.plan import PlannedPeriod


def bridged(periods: Sequence[PlannedPeriod], shortest_s: float) -> tuple[PlannedPeriod, ...]:
    """``periods`` with each block that follows a gap of less than ``shortest_s`` s moved up to where the gap began.

    A block only moves as a whole and forwards, so the energy stays the same and is there no later.
    """
    kept: list[PlannedPeriod] = []
    moved = 0
    for at, period in enumerate(periods):
        begin = period.start_period - moved
        is_gap = period.limit == 0 and bool(kept) and at + 1 < len(periods)
        # Only the block that follows moves: the pause behind it begins earlier and ends when it would have ended.
        if period.limit == 0:
            moved = 0
        if is_gap and periods[at + 1].start_period - begin < shortest_s:
            moved = periods[at + 1].start_period - begin
            continue
        kept.append(period.model_copy(update={"start_period": begin}))
    return _joined(kept)


def _joined(periods: Sequence[PlannedPeriod]) -> tuple[PlannedPeriod, ...]:
    joined = list(periods[:1])
    joined += [after for before, after in pairwise(periods) if after.limit != before.limit]
    return tuple(joined)
