"""The cheapest way to draw an amount of energy where only power and the time of day decide its price. Pure.

In each slot the power is 0 or between a minimum and the limit, and switching inside a slot is allowed; so any mixture
of the attainable points (power, cost per hour) is attainable too, and only the lower convex hull of those points
matters. Climbing all slots' hulls in the order of their slopes is exact (a continuous knapsack). Where idle time costs
more than time in which power flows, flowing at the minimum pays by itself; without a minimum there would be no
smallest power that flows, so 0.1 kW is taken for it. Not exact, and not done here: a car that takes less as it fills,
prices that depend on the energy so far, and a bound on the number of blocks (see ``exact``).
"""

from collections.abc import Sequence
from heapq import heapify, heappop
from itertools import pairwise
from typing import NamedTuple

from charging.planning.bill import Piece
from charging.planning.slots import KW, Slot

SMALLEST = KW // 10
_SAME = 1e-9


class Filled(NamedTuple):
    """What to draw. ``marginal``: the number of the piece that takes what is left (None: all take whole slots)."""

    pieces: list[Piece]
    marginal: int | None = None


class _Climb(NamedTuple):
    """One segment of a slot's hull: money per kWh for going from one power to the next."""

    slope: float
    slot: int
    lower: int
    upper: int


def fill(slots: Sequence[Slot], need: int, *, minimum: int, limit: int) -> Filled:
    """Draw ``need`` in ``slots`` as cheaply as can be, at ``limit`` at most; all of it, as far as time allows.

    Among ways that cost the same: fewer switches, then earlier.
    """
    climbs: list[_Climb] = []
    for at, slot in enumerate(slots):
        climbs += _climbs(at, slot, minimum, limit)
    heapify(climbs)  # most are never taken, so they need no order
    climbed: list[_Climb] = []
    powers = [0] * len(slots)
    left = need
    while climbs:
        climb = heappop(climbs)
        room = (climb.upper - climb.lower) * _length(slots[climb.slot])
        if room >= left:
            tied = _tied(climbed, climb, climbs)
            if len(tied) > 1 and not any(other.lower for other in tied):
                return _fill_tied(slots, powers, tied, need)
            return _mixed(slots, powers, climb, left)
        climbed.append(climb)
        powers[climb.slot] = climb.upper
        left -= room
    return Filled(_pieces(slots, powers))


def _climbs(at: int, slot: Slot, minimum: int, limit: int) -> list[_Climb]:
    if len(slot.bands) == 1:
        band = slot.bands[0]
        if band.time_price == slot.idle_price:
            return [_Climb(float(band.price), at, 0, limit)]
        if band.time_price > slot.idle_price:
            per_kwh = float(band.time_price - slot.idle_price) * KW / limit
            return [_Climb(float(band.price) + per_kwh, at, 0, limit)]
    hull = _hull([(0, 0.0), *_points(slot, minimum or SMALLEST, limit)])
    return [
        _Climb((upper[1] - lower[1]) * KW / (upper[0] - lower[0]), at, lower[0], upper[0])
        for lower, upper in pairwise(hull)
    ]


def _points(slot: Slot, minimum: int, limit: int) -> list[tuple[int, float]]:
    """Power and its cost per hour (against idling) at both ends of each band."""
    minimum = min(minimum, limit)
    points: dict[int, float] = {}
    floor = minimum
    for band in slot.bands:
        top = limit if band.below is None else min(band.below - 1, limit)
        for power in (floor, top):
            if floor <= top:
                points[power] = float(band.price) * power / KW + float(band.time_price - slot.idle_price)
        floor = max(floor, top + 1)
    if limit not in points:  # a limit above all bands: the last one holds
        band = slot.bands[-1]
        points[limit] = float(band.price) * limit / KW + float(band.time_price - slot.idle_price)
    return sorted(points.items())


def _hull(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The lower convex hull, from the least power to the most."""
    hull: list[tuple[int, float]] = []
    for power, money in points:
        while len(hull) > 1 and _turns(hull[-2], hull[-1], (power, money)):
            hull.pop()
        hull.append((power, money))
    return hull


def _turns(first: tuple[int, float], middle: tuple[int, float], last: tuple[int, float]) -> bool:
    rise = (middle[1] - first[1]) * (last[0] - first[0])
    return rise >= (last[1] - first[1]) * (middle[0] - first[0]) - _SAME


def _tied(climbed: Sequence[_Climb], climb: _Climb, ahead: list[_Climb]) -> list[_Climb]:
    """All segments as steep as ``climb``: of those climbed already, itself, and of the heap ``ahead``."""
    same = [climb]
    for before in reversed(climbed):
        if before.slope < climb.slope - _SAME:
            break
        same.append(before)
    while ahead and ahead[0].slope <= climb.slope + _SAME:
        same.append(heappop(ahead))
    return sorted(same)


def _length(slot: Slot) -> int:
    return slot.end - slot.begin


def _fill_tied(slots: Sequence[Slot], powers: list[int], tied: Sequence[_Climb], need: int) -> Filled:
    """Of slots that cost the same take those that make the fewest blocks: first gaps that can be closed, the shortest
    first; then what adjoins a block; then the longest run that stands alone, or the first one that suffices."""
    for climb in tied:
        powers[climb.slot] = 0
    left = need - sum(power * _length(slot) for power, slot in zip(powers, slots, strict=True))
    upper = {climb.slot: climb.upper for climb in tied}
    while True:
        run = _next_run(slots, powers, _runs(sorted(upper)), upper, left)
        from_right = _is_on(powers, run[-1] + 1) and not _is_on(powers, run[0] - 1)
        for at in reversed(run) if from_right else run:
            room = upper[at] * _length(slots[at])
            if room >= left:
                return _mixed(slots, powers, _Climb(0.0, at, 0, upper[at]), left)
            powers[at] = upper.pop(at)
            left -= room


def _next_run(
    slots: Sequence[Slot], powers: Sequence[int], runs: list[list[int]], upper: dict[int, int], left: int
) -> list[int]:
    def room(run: list[int]) -> int:
        return sum(upper[at] * _length(slots[at]) for at in run)

    def sides(run: list[int]) -> int:
        return _is_on(powers, run[0] - 1) + _is_on(powers, run[-1] + 1)

    closing = [run for run in runs if sides(run) == 2 and room(run) <= left]
    adjoining = [run for run in runs if sides(run)]
    sufficient = [run for run in runs if room(run) >= left]
    if closing:
        return min(closing, key=room)
    return (adjoining or sufficient or [max(runs, key=room)])[0]


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _is_on(powers: Sequence[int], at: int) -> bool:
    return 0 <= at < len(powers) and powers[at] > 0


def _mixed(slots: Sequence[Slot], powers: list[int], climb: _Climb, left: int) -> Filled:
    """All that is decided, and ``left`` by climbing a part of one more segment: beside a neighbour that is on if there
    is one, else first."""
    slot = slots[climb.slot]
    span = -(-left // (climb.upper - climb.lower))
    at_end = not climb.lower and _is_on(powers, climb.slot + 1) and not _is_on(powers, climb.slot - 1)
    if at_end:
        parts = [Piece(slot.end - span, slot.end, climb.upper)]
    else:
        parts = [Piece(slot.begin, slot.begin + span, climb.upper), Piece(slot.begin + span, slot.end, climb.lower)]
    powers[climb.slot] = 0
    pieces = sorted([*_pieces(slots, powers), *(part for part in parts if part.power and part.end > part.begin)])
    return Filled(pieces, pieces.index(parts[0]))


def _pieces(slots: Sequence[Slot], powers: Sequence[int]) -> list[Piece]:
    return [Piece(slot.begin, slot.end, power) for slot, power in zip(slots, powers, strict=True) if power]
