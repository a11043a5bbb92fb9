"""The optimum in at most K blocks as a mixed-integer program, at full power or none in each step of a grid."""

from fractions import Fraction

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from tests.planning.oracle.world import HOUR, World


def optimum(world: World, step: int) -> float | None:
    """The least cost with power switched every ``step`` s only; None where the need cannot be met."""
    count = int(world.until / step)
    needed = world.need / (world.max_kw * step / HOUR)
    assert needed.denominator == 1, "the need is not on the grid"
    spans = [next(s for s in world.spans if s.start <= i * step < s.end) for i in range(count)]
    bands = [span.band(world.max_kw, Fraction(0)) for span in spans]
    hours = Fraction(step, HOUR)
    extra = [
        float((world.max_kw * band.price + band.hourly - span.idle) * hours)
        for span, band in zip(spans, bands, strict=True)
    ]
    # Variables: on or off in each step, then whether a block starts there.
    starts = np.hstack([np.eye(count) - np.eye(count, k=-1), -np.eye(count)])
    on = np.hstack([np.ones(count), np.zeros(count)])
    begun = np.hstack([np.zeros(count), np.ones(count)])
    blocks = world.request.max_blocks or count
    found = milp(
        [*extra, *[0.0] * count],
        integrality=np.ones(2 * count),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(starts, -np.inf, 0),
            LinearConstraint(on, int(needed), int(needed)),
            LinearConstraint(begun, 0, blocks),
        ],
    )
    return float(sum((s.idle * hours for s in spans), Fraction(0))) + float(found.fun) if found.success else None
