"""The optimum on a fine grid of time and energy, by dynamic programming: blocks, taper, prices by energy, any of them.

It is exact, switching at any second included, where everything falls on the grid: spans, steps of acceptance and price,
the need. The cost is then piecewise linear in the moments of switching, with all its corners on the grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tests.planning.oracle.world import HOUR, Band, Span, World


@dataclass(frozen=True)
class Grid:
    """``step`` s of time. ``kwh[k]`` is the energy in state k; one step at a power climbs by one of ``climbs``."""

    step: int
    kwh: Sequence[Fraction]
    climbs: Sequence[int]

    @classmethod
    def of_powers(cls, world: World, step: int, *, unit_kw: Fraction, powers: Sequence[Fraction]) -> "Grid":
        """States of as much energy as ``unit_kw`` brings in a step; ``powers`` are multiples of it."""
        unit = unit_kw * step / HOUR
        states = world.need / unit
        assert states.denominator == 1, "the need is not on the grid"
        climbs = [power / unit_kw for power in powers]
        assert all(climb.denominator == 1 for climb in climbs), "a power is not on the grid"
        return cls(step, [unit * k for k in range(int(states) + 1)], [int(climb) for climb in climbs])

    @classmethod
    def at_full_power(cls, world: World, step: int) -> "Grid":
        """States of the hours charged so far, always at the most that the car accepts."""
        kwh = [Fraction(0)]
        while kwh[-1] < world.need:
            kwh.append(kwh[-1] + world.accepted(kwh[-1]) * step / HOUR)
        assert kwh[-1] == world.need, "the need is not on the grid"
        return cls(step, kwh, [1])


def optimum(world: World, grid: Grid) -> float | None:
    """The least cost of the need in at most ``max_blocks`` blocks, full power first for what is guaranteed.

    None where it cannot be met.
    """
    steps = world.until / grid.step
    assert steps.denominator == 1, "the departure is not on the grid"
    top = len(grid.kwh) - 1
    blocks = world.request.max_blocks
    rows = 1 if blocks is None else blocks + 1
    off = np.full((rows, top + 1), np.inf)
    on = off.copy()
    off[0, 0] = float(world.flat)
    promised = min(Fraction(world.request.guaranteed_kwh), world.need)
    forced = next(k for k, kwh in enumerate(grid.kwh) if kwh >= promised)
    assert grid.kwh[forced] == promised, "what is guaranteed is not on the grid"
    priced: dict[int, list[np.ndarray]] = {}
    index = 0
    climbed = 0
    for step in range(int(steps)):
        while world.spans[index].end <= step * grid.step:
            index += 1
        span = world.spans[index]
        if index not in priced:
            priced[index] = [_costs(span, grid, climb) for climb in grid.climbs]
        must = climbed < forced
        was_off, was_on = off, on
        off = np.full_like(off, np.inf) if must else np.minimum(was_off, was_on) + float(span.idle) * grid.step / HOUR
        on = np.full_like(on, np.inf)
        starts = was_off if blocks is None else np.vstack([np.full(top + 1, np.inf), was_off[:-1]])
        flowing = np.minimum(was_on, starts)
        for climb, costs in zip(grid.climbs, priced[index], strict=True):
            if (must and climb != max(grid.climbs)) or climb > top:
                continue
            on[:, climb:] = np.minimum(on[:, climb:], flowing[:, : top + 1 - climb] + costs)
        climbed += max(grid.climbs)
    best = float(min(off[:, top].min(), on[:, top].min()))
    return best if best < np.inf else None


def _costs(span: Span, grid: Grid, climb: int) -> np.ndarray:
    """What one step that climbs by ``climb`` costs, from each state on."""
    hours = Fraction(grid.step, HOUR)
    pairs = zip(grid.kwh, grid.kwh[climb:], strict=False)
    return np.array([float(_cost(span.band((high - low) / hours, low), high - low, hours)) for low, high in pairs])


def _cost(band: Band, kwh: Fraction, hours: Fraction) -> Fraction:
    return band.price * kwh + band.hourly * hours
