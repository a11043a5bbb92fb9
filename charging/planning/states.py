"""The states that an optimal charge can pass through at the edges of slots (see ``exact``). Pure.

A state is for how long full power has flowed, in microseconds; ``Corner`` is where the car's power or a price changes.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from charging.planning.slots import Slot
from charging.planning.task import Task


class Corner(NamedTuple):
    """From ``at`` on, with ``energy`` delivered, full power is ``power``."""

    at: int
    energy: int
    power: int


class States(NamedTuple):
    """Ascending states and the energy at each."""

    at: list[int]
    energy: list[float]
    corners: list[Corner]


def states_of(task: Task, slots: Sequence[Slot], most: int) -> States | None:
    """The states, None if there are more than ``most``."""
    corners = _corners(task, slots)
    start, end = corners[0].at, -int(-task.taken // 1)
    found = {start, end, *(corner.at for corner in corners)}
    # What lies after the last slot is the end itself, and before the first one the start.
    for anchors, sign, passed in (
        ([start], 1, slots[:-1]),
        ([end], -1, slots[1:]),
        ([corner.at for corner in corners[1:]], 1, slots[1:-1]),
        ([corner.at for corner in corners[1:]], -1, slots[1:-1]),
    ):
        sums = _sums(passed, end - start, most) if anchors else set()
        if sums is None:
            return None
        found.update(h for anchor in anchors for step in sums if start <= (h := anchor + sign * step) <= end)
    at = sorted(found)
    return States(at, list(_energies(at, corners)), corners) if len(at) <= most else None


def _corners(task: Task, slots: Sequence[Slot]) -> list[Corner]:
    energies = {step.begin for step in task.car.steps}
    energies |= {band.upto for slot in slots for band in slot.bands if band.upto is not None}
    begin = int(task.energy)
    found = [begin, *sorted(energy for energy in energies if begin < energy < task.need)]
    return [
        Corner(-int(-task.car.duration(0, e) // 1) if e > begin else task.begin, e, task.car.power(e)) for e in found
    ]


def _sums(slots: Sequence[Slot], span: int, most: int) -> set[int] | None:
    """All sums up to ``span`` of the slots' lengths; None if there are more than ``most``."""
    lengths = Counter(slot.end - slot.begin for slot in slots)
    sums = {0}
    for length, count in lengths.items():
        sums = {before + n * length for before in sums for n in range(min(count, (span - before) // length) + 1)}
        if len(sums) > most:
            return None
    return sums


def _energies(states: Iterable[int], corners: Sequence[Corner]) -> Iterable[float]:
    begins = [corner.at for corner in corners]
    for state in states:
        corner = corners[max(bisect_right(begins, state) - 1, 0)]
        yield float(corner.energy + corner.power * (state - corner.at))


def coarse(task: Task, slots: Sequence[Slot], most: int) -> list[Slot]:
    """``slots`` with edges at a clock so coarse that there are about ``most`` states."""
    corners = _corners(task, slots)
    begin, span = slots[0].begin, -int(-task.taken // 1) - corners[0].at
    tick = max(span * 2 * len(corners) // most, 1)

    def rounded(at: int) -> int:
        return begin + (at - begin) // tick * tick

    return [
        Slot(rounded(slot.begin), rounded(slot.end), *slot[2:])
        for slot in slots
        if rounded(slot.begin) < rounded(slot.end)
    ]
