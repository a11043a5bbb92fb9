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
    """Ascending states and the energy at each; ``complete``: an optimal charge is among them."""

    at: list[int]
    energy: list[float]
    corners: list[Corner]
    complete: bool


def states_of(task: Task, slots: Sequence[Slot], share: float, most: int) -> States:
    """At most about ``most`` states; ``share`` is how full power slows at the minimum (1: there is only full power)."""
    corners = _corners(task, slots)
    start, end = corners[0].at, -int(-task.taken // 1)
    lengths = Counter(slot.end - slot.begin for slot in slots)
    if share < 1:
        for length, count in list(lengths.items()):
            lengths[round(length * share)] += count
    found = {start, *(corner.at for corner in corners), end}
    sums = _sums(lengths, end - start, most)
    if sums is not None:
        for anchor in list(found):
            found.update(anchor + step for step in sums if anchor + step <= end)
            found.update(anchor - step for step in sums if anchor - step >= start)
    complete = sums is not None and len(found) <= most
    if not complete:
        found = {start, *(corner.at for corner in corners), end}
        found.update(start + (end - start) * step // most for step in range(most))
    at = sorted(found)
    return States(at, list(_energies(at, corners)), corners, complete)


def _corners(task: Task, slots: Sequence[Slot]) -> list[Corner]:
    energies = {step.begin for step in task.car.steps}
    energies |= {band.upto for slot in slots for band in slot.bands if band.upto is not None}
    begin = int(task.energy)
    found = [begin, *sorted(energy for energy in energies if begin < energy < task.need)]
    return [
        Corner(-int(-task.car.duration(0, e) // 1) if e > begin else task.begin, e, task.car.power(e)) for e in found
    ]


def _sums(lengths: Counter[int], span: int, most: int) -> set[int] | None:
    """All sums up to ``span`` of the lengths, each taken up to so many times; None if there are more than ``most``."""
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
