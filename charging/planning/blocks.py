"""The cheapest way to charge in few blocks, with a car that always takes the same and prices by the clock only. Pure.

In each slot power is off, full, or (where there is one) at the minimum throughout, but for one slot at most: energy
moved between two slots that are neither changes the cost linearly, so moved in the better direction until one of them
is one of these it costs no more, and adds no block. So a plan is a path of such slots from the left, another one from
the right, and between them one slot that takes what is missing. Paths that have drawn the same in as many blocks are
one, and a path is followed only while the bound of what it costs at last (``bounds``) is below a way that is known.

At each edge between slots the most promising paths are kept. The way found is optimal if none that was dropped
promised less.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import inf
from typing import Final, NamedTuple

from charging.planning.bill import Piece, band_at
from charging.planning.bounds import Fare, Rest, price_of, rest
from charging.planning.slots import HOUR, KWH, Slot
from charging.planning.task import Task

MOST_BLOCKS: Final = 40
_KEPT: Final = (8, 64)  # paths at an edge: at first to know some good way, then to find the best
_TIE: Final = 1e-9  # money: for so much no block more


class Found(NamedTuple):
    """What to draw, and whether nothing can be cheaper."""

    pieces: list[Piece]
    is_optimal: bool


class _Way(NamedTuple):
    """What a path from the left and one from the right cost, with ``slot`` between them drawing ``drawn``: a part of
    the slot, or throughout (``is_whole``)."""

    cost: float
    slot: int
    left: "Key"
    right: "Key"
    drawn: int
    is_whole: bool


# A path at an edge: what it has drawn (microseconds of full power), its blocks, whether power flows. And what it costs
# (what is drawn paid back), where it came from, and the bound of what it costs at last.
Key = tuple[int, int, bool]
Layer = dict[Key, tuple[float, Key | None, float]]


def fewest(task: Task, slots: Sequence[Slot], max_blocks: int) -> Found:
    """The cheapest way to draw in ``slots`` what is needed after the fixed pieces, in ``max_blocks`` with those.

    Never more than ``MOST_BLOCKS``. Where prices depend on power, those of full power are taken.
    """
    pieces, is_best = _Search(task, slots, min(max_blocks, MOST_BLOCKS)).found()
    is_even = all(len(slot.bands) == 1 for slot in slots)
    return Found(pieces, is_best and is_even and max_blocks <= MOST_BLOCKS)


class _Search:
    def __init__(self, task: Task, slots: Sequence[Slot], blocks: int) -> None:
        self.task, self.slots, self.blocks = task, slots, blocks
        self.need = -int(-(task.need - task.energy) // task.car.limit)
        self.share = task.minimum / task.car.limit if 0 < task.minimum < task.car.limit else 1.0
        self.fares = [self._fare(slot) for slot in slots]
        self.start: Key = (0, 1, True) if task.first else (0, 0, False)
        begun = self.start[1]
        self.price = price_of(self.fares, self.need, blocks - begun, is_on=bool(begun))

    def _fare(self, slot: Slot) -> Fare:
        band = band_at(slot, self.task.car.limit, 0)
        length = slot.end - slot.begin
        least = round(length * self.share)
        per_drawn = float(band.price) * self.task.car.limit / KWH
        per_time = float(band.time_price - slot.idle_price) / HOUR
        whole = per_time * length
        return Fare(length, least, per_drawn * length + whole, per_drawn * least + whole, per_drawn, per_time)

    def found(self) -> Found:
        """Paths from both ends, and where they meet best."""
        back = self.fares[::-1]
        to_right, to_left = (rest(fares, self.price, self.blocks) for fares in (self.fares, back))
        best: _Way | None = None
        for most in _KEPT:
            below = inf if best is None else best.cost
            lefts, left_out = self._layers(self.fares, self.start, to_right, below, most)
            rights, right_out = self._layers(back, (0, 0, False), to_left, below, most)
            rights.reverse()
            met = min(self._met(lefts, rights), default=None)
            if met is not None and met.cost < below:
                best = met
                pieces = self._pieces(lefts, rights, met)
            if best is not None and best.cost <= min(left_out, right_out) + _TIE * self.blocks:
                return Found(pieces, True)
        if best is None:  # hardly any time to spare
            return Found([Piece(self.task.begin, -int(-self.task.taken // 1), self.task.car.limit)], False)
        return Found(pieces, False)

    def _layers(
        self, fares: Sequence[Fare], start: Key, ahead: Rest, below: float, most: int
    ) -> tuple[list[Layer], float]:
        """The ``most`` promising paths at each edge that may cost less than ``below``, and the least bound left out."""
        paid = self.price * self.need
        rooms = list(accumulate((fare.length for fare in reversed(fares)), initial=0))[-2::-1]
        layer: Layer = {start: (0.0, None, paid)}
        layers, left_out = [layer], inf
        for at, (fare, room) in enumerate(zip(fares, rooms, strict=True), 1):
            whole = {
                fare.length: fare.full - self.price * fare.length,
                fare.least: fare.slow - self.price * fare.least,
            }
            offs, ons = ([bounds[at] + paid for bounds in rows] for rows in (ahead.off, ahead.on))
            after: Layer = {}
            for key, (cost, _, _) in layer.items():
                drawn, blocks, is_on = key
                bound = cost + offs[self.blocks - blocks]
                if bound < below and drawn + room >= self.need and (blocks < self.blocks or drawn == self.need):
                    _keep(after, (drawn, blocks, False), cost, key, bound)
                if not is_on:
                    if blocks == self.blocks:
                        continue
                    blocks += 1
                    cost += _TIE
                for more, what in whole.items():
                    bound = cost + what + ons[self.blocks - blocks]
                    if bound < below and drawn + more <= self.need <= drawn + more + room:
                        _keep(after, (drawn + more, blocks, True), cost + what, key, bound)
            if len(after) > most:
                ranked = sorted(after.items(), key=_bound)
                left_out = min(left_out, _bound(ranked[most]))
                after = dict(ranked[:most])
            layers.append(after)
            layer = after
        return layers, left_out

    def _met(self, lefts: Sequence[Layer], rights: Sequence[Layer]) -> Iterator[_Way]:
        """Every way that two paths and the slot between them make."""
        paid = self.price * self.need
        for number, fare in enumerate(self.fares):
            ends = sorted(rights[number + 1].items())
            drawn = [key[0] for key, _ in ends]
            for left, (cost, _, _) in lefts[number].items():
                left_over = self.need - left[0]
                first, beyond = bisect_left(drawn, left_over - fare.length), bisect_right(drawn, left_over)
                for right, (more, _, _) in ends[first:beyond]:
                    x = left_over - right[0]
                    blocks, on = left[1] + right[1], left[2] + right[2]
                    both = cost + more + paid - self.price * x
                    if x <= self._part(fare) and blocks + (x > 0 and not on) <= self.blocks:
                        slowed = fare.per_time / self.share if fare.per_time < 0 else fare.per_time
                        yield _Way(both + (fare.per_drawn + slowed) * x, number, left, right, x, False)
                    if x >= fare.least and blocks + 1 - on <= self.blocks:
                        whole = fare.per_drawn * x + fare.per_time * fare.length
                        yield _Way(both + whole, number, left, right, x, True)

    def _part(self, fare: Fare) -> int:
        """What a part of a slot draws at most: where idling costs more than charging, it is drawn slowly."""
        return fare.least if fare.per_time < 0 else fare.length

    def _pieces(self, lefts: Sequence[Layer], rights: Sequence[Layer], way: _Way) -> list[Piece]:
        before = [self._whole(self.slots[at - 1], drawn) for at, drawn in _drawn(lefts, way.slot, way.left, -1)]
        after = [self._whole(self.slots[at], drawn) for at, drawn in _drawn(rights, way.slot + 1, way.right, 1)]
        slot = self.slots[way.slot]
        if way.is_whole:
            between = self._whole(slot, way.drawn)
        else:
            share = self.share if self.fares[way.slot].per_time < 0 else 1.0
            span = min(-int(-way.drawn / share // 1), slot.end - slot.begin)
            begin = slot.end - span if way.right[2] and not way.left[2] else slot.begin
            between = Piece(begin, begin + span, round(self.task.car.limit * share))
        return [piece for piece in (*before[::-1], between, *after) if piece.power and piece.end > piece.begin]

    def _whole(self, slot: Slot, drawn: int) -> Piece:
        return Piece(slot.begin, slot.end, round(self.task.car.limit * drawn / (slot.end - slot.begin)))


def _keep(layer: Layer, key: Key, cost: float, before: Key, bound: float) -> None:
    known = layer.get(key)
    if known is None or cost < known[0]:
        layer[key] = cost, before, bound


def _bound(item: tuple[Key, tuple[float, Key | None, float]]) -> float:
    return item[1][2]


def _drawn(layers: Sequence[Layer], edge: int, key: Key, step: int) -> Iterator[tuple[int, int]]:
    """What each slot of a path drew, with the edge behind it, back to where the path begins."""
    while (before := layers[edge][key][1]) is not None:
        yield edge, key[0] - before[0]
        edge, key = edge + step, before
