"""The optimum where the price does not depend on the energy so far: a linear program over how long which power flows.

Within a span any mixture of powers in time can be had, so the extreme powers of each price are enough.
"""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

from tests.planning.oracle.integrate import at_once, hours_at_full_power
from tests.planning.oracle.world import HOUR, Span, World

SMALLEST_KW = Fraction(1, 10)  # where charging slowly pays (it saves the price of idling), nothing smaller is planned

LIMIT_EXACT_TO = Fraction(1, 10_000)  # kW


def optimum(world: World) -> float | None:
    """The least cost of the need, after what is guaranteed was charged at full power; None where it cannot be met."""
    promised = min(Fraction(world.request.guaranteed_kwh), world.need)
    begin = hours_at_full_power(world, promised) * HOUR
    if begin > world.until:
        return None
    cost: list[float] = []
    energy: list[float] = []
    spans: list[int] = []
    room = [float(max(span.end - max(span.start, begin), Fraction(0)) / HOUR) for span in world.spans]
    for index, span in enumerate(world.spans):
        for kw, hourly in _powers(world, span):
            spans.append(index)
            energy.append(float(kw))
            cost.append(float(hourly - span.idle))
    per_span = np.zeros((len(world.spans), len(cost)))
    per_span[spans, range(len(cost))] = 1
    rest = float(world.need - promised)
    found = linprog(cost, A_ub=per_span, b_ub=room, A_eq=[energy], b_eq=[rest], bounds=(0, None))
    return float(at_once(world, promised).cost) + float(found.fun) if found.success else None


def _powers(world: World, span: Span) -> Iterator[tuple[Fraction, Fraction]]:
    """Every power that can be an extreme, with its cost per hour: those around a tier's edge are 0.1 W apart."""
    least = world.min_kw or SMALLEST_KW
    edges = {band.below_kw for band in span.bands if band.below_kw is not None}
    powers = {least, world.max_kw} | edges | {edge - LIMIT_EXACT_TO for edge in edges}
    for kw in sorted(kw for kw in powers if least <= kw <= world.max_kw):
        band = span.band(kw, Fraction(0))
        yield kw, kw * band.price + band.hourly
