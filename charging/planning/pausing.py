"""Pauses in which a little power flows, for charge points that resume badly from 0 W. Pure.

First it is found when charging ends at the least cost. Until then the pause's power flows all the time, and what is
still missing is planned on top of it. With a car that takes less as it fills, or prices by power or energy, that cannot
be planned on top: a plan is then made as if pauses were free of power, and what is too much is left out at the end,
which may not be the cheapest way.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from charging.planning.bill import Piece
from charging.planning.car import Car
from charging.planning.choice import NOT_OPTIMAL, Choice, cheapest
from charging.planning.last_kwh import best_end
from charging.planning.slots import Band, Slot
from charging.planning.task import Task


def with_pauses(task: Task, slots: Sequence[Slot], pause: int) -> Choice:
    """The cheapest way to charge in ``slots`` of which pauses draw ``pause``."""
    left = task.need - int(task.energy)
    is_simple = len(task.car.steps) == 1 and all(len(slot.bands) == 1 for slot in slots)
    if left <= 0 or not slots:
        return Choice([])
    end = best_end(slots, left, pause, task.car.limit) if is_simple and pause < task.car.limit else None
    if end is None:
        choice = cheapest(task, slots)
        return Choice(_filled(choice.pieces, pause, task.begin), warnings=(NOT_OPTIMAL,))
    return _on_top(task, slots, pause, end, left - pause * (end - task.begin))


def _on_top(task: Task, slots: Sequence[Slot], pause: int, end: int, need: int) -> Choice:
    """``pause`` until ``end``, and ``need`` in the cheapest slots on top of it."""
    if need == 0:
        return Choice([Piece(task.begin, end, pause)])
    car = Car(task.car.limit - pause, (), need)
    above = replace(
        task, need=need, minimum=max(task.minimum - pause, 0), car=car, first=(), taken=car.duration(0, need)
    )
    choice = cheapest(above, [_by_energy(slot, end) for slot in slots if slot.begin < end])
    raised = [piece._replace(power=piece.power + pause) for piece in choice.pieces]
    pieces = [*_filled(raised, pause, task.begin), Piece(raised[-1].end, end, pause)]
    marginal = None if choice.marginal is None else pieces.index(raised[choice.marginal])
    return Choice(pieces, marginal, choice.warnings)


def _filled(pieces: Sequence[Piece], pause: int, at: int) -> list[Piece]:
    """``pieces`` with ``pause`` before and between them."""
    filled: list[Piece] = []
    for piece in pieces:
        if piece.begin > at:
            filled.append(Piece(at, piece.begin, pause))
        filled.append(piece)
        at = piece.end
    return filled


def _by_energy(slot: Slot, end: int) -> Slot:
    """``slot`` until ``end`` without its prices of time: power flows all the time."""
    return Slot(slot.begin, min(slot.end, end), (Band(slot.bands[0].price, Decimal(0)),), Decimal(0))
