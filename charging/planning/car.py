"""What flows at full power: the limit, and less as the battery fills. Pure. Units as in ``slots``."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from charging.planning.request import Acceptance
from charging.planning.slots import KW, KWH

Number = int | Fraction


class Step(NamedTuple):
    """From ``begin`` (energy so far) on, at most ``power``."""

    begin: int
    power: int


class Car:
    """Power that falls (or rises) with the energy delivered, up to ``need``; ``limit`` is the most that ever flows."""

    def __init__(self, limit: int, acceptance: Sequence[Acceptance], need: int) -> None:
        ordered = sorted(acceptance, key=lambda entry: entry.upto_kwh)
        powers = [min(limit, int(entry.max_kw * KW)) for entry in ordered] or [limit]
        begins = [0, *(int(entry.upto_kwh * KWH) for entry in ordered[:-1])]
        steps: list[Step] = []
        for begin, power in zip(begins, powers, strict=True):
            if not steps or (power != steps[-1].power and begin < need):
                steps.append(Step(begin, power))
        self.steps = tuple(steps)
        self.limit = max(step.power for step in steps)

    def power(self, energy: Number) -> int:
        """The most that flows when ``energy`` has been delivered."""
        return next(step.power for step in reversed(self.steps) if step.begin <= energy)

    def next_step(self, energy: Number) -> int | None:
        """The energy beyond ``energy`` from which on another power holds."""
        return next((step.begin for step in self.steps if step.begin > energy), None)

    def duration(self, first: Number, last: Number) -> Number:
        """How long full power takes from ``first`` to ``last``."""
        taken: Number = 0
        while first < last:
            step = self.next_step(first)
            upto = last if step is None else min(step, last)
            taken += Fraction(upto - first) / self.power(first)
            first = upto
        return taken

    def energy(self, first: Number, span: Number, limit: int | None = None) -> Number:
        """How much has been delivered after ``span`` at ``limit`` (None: full power) from ``first`` on."""
        while span > 0:
            power, step = self.power(first), self.next_step(first)
            power = power if limit is None else min(limit, power)
            if step is None or first + power * span <= step:
                return first + power * span
            span -= Fraction(step - first) / power
            first = step
        return first
