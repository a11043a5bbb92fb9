"""What the rest of a charge in few blocks costs at least (see ``blocks``). Pure.

With a price on what is drawn (a Lagrange multiplier) in the place of the need, the best way is a recursion over the
slots, and what it costs, the price given back, is a lower bound. The price is chosen so that the bound of the whole
charge is high; for that each start has a price too.
"""

from collections.abc import Sequence
from math import inf
from typing import Final, NamedTuple

_MOST_PRICES: Final = 40
_MOST_STARTS: Final = 20
_EXACT_TO: Final = 1e-6


class Fare(NamedTuple):
    """A slot: how long it is, what it draws at the minimum (microseconds of full power; ``length`` where there is no
    minimum), what it costs whole, full or at the minimum, and what drawing and time cost per microsecond."""

    length: int
    least: int
    full: float
    slow: float
    per_drawn: float
    per_time: float

    def at(self, price: float) -> tuple[float, int]:
        """What being on costs, and draws, full or at the minimum, where what is drawn is paid back at ``price``."""
        return min((self.full - price * self.length, self.length), (self.slow - price * self.least, self.least))


class Rest(NamedTuple):
    """What follows costs at least, by how many more blocks may begin and by how many slots are past; power flows
    (``on``) or not (``off``) before it."""

    off: list[list[float]]
    on: list[list[float]]


class _Way(NamedTuple):
    cost: float
    drawn: int
    starts: int


def rest(fares: Sequence[Fare], price: float, starts: int) -> Rest:
    """The bounds for up to ``starts`` more blocks, where what is drawn is paid back at ``price``."""
    costs = [fare.at(price)[0] for fare in reversed(fares)]
    off: list[list[float]] = []
    on: list[list[float]] = []
    for left in range(starts + 1):
        idle, flowing = 0.0, 0.0
        offs, ons = [idle], [flowing]
        for at, cost in enumerate(costs):
            before = idle
            idle = min(idle, cost + on[left - 1][len(costs) - at]) if left else 0.0
            flowing = min(before, cost + flowing)
            offs.append(idle)
            ons.append(flowing)
        off.append(offs[::-1])
        on.append(ons[::-1])
    return Rest(off, on)


def price_of(fares: Sequence[Fare], need: int, starts: int, *, is_on: bool) -> float:
    """The price per microsecond of full power that makes the bound of drawing ``need`` high."""
    rates = [fare.full / fare.length for fare in fares] + [fare.slow / fare.least for fare in fares]
    steeper = [(f.full - f.slow) / (f.length - f.least) for f in fares if f.length > f.least]
    low, high = min(rates), max([*rates, *steeper])
    high += (high - low) * len(fares)  # dear slots between two cheap ones may have to be bridged
    best, highest = low, -inf
    for _ in range(_MOST_PRICES):
        price = (low + high) / 2
        bound, drawn = _bounded([fare.at(price) for fare in fares], starts, is_on=is_on)
        if bound + price * need > highest:
            best, highest = price, bound + price * need
        if drawn == need or high - low <= _EXACT_TO * abs(high):
            break
        low, high = (price, high) if drawn < need else (low, price)
    return best


def _bounded(costs: Sequence[tuple[float, int]], starts: int, *, is_on: bool) -> tuple[float, int]:
    """The highest bound for any price of a start, and what is drawn then."""
    many = _cheapest(costs, 0.0, is_on=is_on)
    if many.starts <= starts:
        return many.cost, many.drawn
    few, best = _Way(0.0, 0, 0), _Way(-inf, 0, 0)
    for _ in range(_MOST_STARTS):
        toll = (few.cost - many.cost) / (many.starts - few.starts)
        way = _cheapest(costs, toll, is_on=is_on)
        best = max(best, way._replace(cost=way.cost - toll * starts))
        way = way._replace(cost=way.cost - toll * way.starts)
        if way.starts in (few.starts, starts, many.starts):
            break
        few, many = (few, way) if way.starts > starts else (way, many)
    return best.cost, best.drawn


def _cheapest(costs: Sequence[tuple[float, int]], toll: float, *, is_on: bool) -> _Way:
    """The way of the least cost where each start costs ``toll``."""
    off, off_drawn, off_starts = 0.0, 0, 0
    on, on_drawn, on_starts = (0.0 if is_on else inf), 0, 0
    for cost, drawn in costs:
        begun = off + toll
        before = (on, on_drawn, on_starts)
        if begun < on:
            on, on_drawn, on_starts = begun, off_drawn, off_starts + 1
        on += cost
        on_drawn += drawn
        if before[0] < off:
            off, off_drawn, off_starts = before
    return min(_Way(on, on_drawn, on_starts), _Way(off, off_drawn, off_starts))
