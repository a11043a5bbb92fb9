"""The cheapest way where greed fails: a car that takes less as it fills, prices by the energy so far, few blocks. Pure.

The state at a slot's edge is h, how long full power has flowed. Between edges h grows by 0 to the slot's length, which
costs C(h) after less C(h) before, C being what charging from the start costs at this slot's prices: piecewise linear,
with corners where the car's power or the price changes. For a given pattern of slots that are off, on and partly on
the cost is thus linear between corners, and some optimum has no free part: each run of edges that hang together by
slots that are wholly on or off contains the start, the end or a corner. All such h are sums of slot lengths counted
from one of these (``states``), so dynamic programming over them is exact. A slot takes sliding-window minima.

Blocks are counted by a state of their own: on or off at the edge, blocks so far. (A car that always takes the same, at
prices by the clock only, is planned in few blocks by ``blocks``.)

Not exact, and said so: more states than ``BUDGET`` allows (then slots are rounded to a coarser clock, and blocks may
be fewer than allowed); prices that depend on power; idle time that costs more than charging, or few blocks, where
power could be lower than full.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from math import inf
from operator import add, sub
from typing import Literal, NamedTuple

from charging.planning.bill import Piece, band_at
from charging.planning.blocks import Found
from charging.planning.slots import HOUR, KWH, Slot
from charging.planning.states import coarse, states_of
from charging.planning.task import Task
from charging.planning.windows import Windows

BUDGET = 450_000
_FEWEST = 64
_PER_BLOCK = 6  # as much work as the states alone
_SLACK = 2  # what rounding states to microseconds takes
_TIE = 1e-9

Values = list[float]


class _Key(NamedTuple):
    """What is known at a slot's edge besides h: how many blocks so far, and whether power flows."""

    blocks: int = 0
    is_on: bool = False


class _Move(NamedTuple):
    """How a slot passes: ``span`` of full power, at the slot's start or end."""

    span: int
    at_end: bool


Kind = Literal["off", "part", "whole"]
Layer = dict[_Key, Values]


def search(task: Task, slots: Sequence[Slot], max_blocks: int | None) -> Found:
    """The cheapest way to draw in ``slots`` what is needed after the fixed pieces; those are a block too."""
    return _Search(task, slots, max_blocks).found()


class _Search:
    def __init__(self, task: Task, slots: Sequence[Slot], max_blocks: int | None) -> None:
        self.task, self.slots, self.max_blocks = task, slots, max_blocks
        if max_blocks:
            self.max_blocks = min(max_blocks, max(BUDGET // (len(slots) * _FEWEST * _PER_BLOCK), 1))
        most = BUDGET // (len(slots) * (_PER_BLOCK * self.max_blocks + 1 if self.max_blocks else 1))
        states = states_of(task, slots, most)
        self.is_complete = states is not None and self.max_blocks == max_blocks
        if states is None:
            self.slots = coarse(task, slots, most)
            states = states_of(task, self.slots, most * 4)
        assert states is not None  # noqa: S101 the clock is coarse enough
        self.states = states
        self.windows = cache(self._windows)
        self.costs = cache(self._costs)

    def found(self) -> Found:
        """Forward through the slots, and back along what was best."""
        start = _Key(1, True) if self.task.first and self.max_blocks else _Key()
        layer = {key: [inf] * len(self.states.at) for key in self._keys()}
        layer[start][0] = 0.0
        layers = [layer]
        for slot in self.slots:
            layers.append(self._after(layers[-1], slot))
        moves = self._way(layers)
        if not moves:  # a coarse clock leaves no way when time is short
            return Found([Piece(self.task.begin, -int(-self.task.taken // 1), self.task.car.limit)], False)
        return Found(self._pieces(moves), self._is_exact())

    def _keys(self) -> list[_Key]:
        if self.max_blocks is None:
            return [_Key()]
        return [_Key(blocks, is_on) for blocks in range(self.max_blocks + 1) for is_on in (False, True)]

    def _sources(self, key: _Key) -> list[tuple[_Key, Kind]]:
        """How a slot can end in ``key``."""
        if self.max_blocks is None:
            return [(key, "part")]
        off, on = _Key(key.blocks - 1, False), _Key(key.blocks - 1, True)
        begun: list[tuple[_Key, Kind]] = [(off, "part"), (on, "part")] if key.blocks else []
        if not key.is_on:
            return [(key, "off"), (key._replace(is_on=True), "part"), *begun[:1]]
        return [(key, "whole"), *begun]

    def _after(self, layer: Layer, slot: Slot) -> Layer:
        reach = cache(lambda key, kind: self._reach(layer[key], kind, slot))
        after: Layer = {}
        for key in layer:
            ways = [reach(*source) for source in self._sources(key)]
            after[key] = list(map(min, *ways)) if ways[1:] else ways[0]
        return after

    def _reach(self, values: Values, kind: Kind, slot: Slot) -> Values:
        if kind == "off":
            return values
        costs = self.costs(slot)
        windows = self.windows(kind, slot.end - slot.begin)
        return list(map(add, windows.least(list(map(sub, values, costs))), costs))

    def _windows(self, kind: Kind, length: int) -> Windows:
        """From which states each state is reached in a slot."""
        at = self.states.at
        first = [bisect_left(at, h - length - _SLACK) for h in at]
        if kind == "part":
            return Windows(first, range(1, len(at) + 1))
        return Windows(first, [bisect_right(at, h - length + _SLACK) for h in at])

    def _costs(self, slot: Slot) -> Values:
        """C of a slot, by state."""
        if len(slot.bands) > 1:
            return list(self._banded(slot))
        band = slot.bands[0]
        price = float(band.price) / KWH
        per_time = float(band.time_price - slot.idle_price) / HOUR
        costs = [price * drawn for drawn in self.states.energy]
        return [cost + per_time * h for cost, h in zip(costs, self.states.at, strict=True)] if per_time else costs

    def _banded(self, slot: Slot) -> Iterator[float]:
        """C of a slot whose price depends on the energy so far."""
        corners = self.states.corners
        total, number = 0.0, 0
        before_h, before_energy = self.states.at[0], self.states.energy[0]
        for h, energy in zip(self.states.at, self.states.energy, strict=True):
            while number + 1 < len(corners) and corners[number + 1].at < h:
                number += 1
            band = band_at(slot, corners[number].power, corners[number].energy)
            total += float(band.price) / KWH * (energy - before_energy)
            total += float(band.time_price - slot.idle_price) / HOUR * (h - before_h)
            before_h, before_energy = h, energy
            yield total

    def _way(self, layers: Sequence[Layer]) -> list[_Move]:
        """The moves of the best way, a slot each; none if there is no way."""
        last = len(self.states.at) - 1
        best = min(values[last] for values in layers[-1].values())
        if best == inf:
            return []
        key, h = next(key for key, values in layers[-1].items() if values[last] <= best + _TIE), last
        moves: list[_Move] = []
        for slot, layer in zip(reversed(self.slots), reversed(layers[:-1]), strict=True):
            key, h, move = self._back(layer, slot, key, h)
            moves.append(move)
        return moves[::-1]

    def _back(self, layer: Layer, slot: Slot, key: _Key, h: int) -> tuple[_Key, int, _Move]:
        """From where the state ``h`` with ``key`` after ``slot`` was reached at the least cost."""
        costs, at = self.costs(slot), self.states.at
        best: tuple[float, _Key, int] | None = None
        for source, kind in self._sources(key):
            values = layer[source]
            first, beyond = self._window(kind, slot, h)
            for before in range(beyond - 1, first - 1, -1):
                value = values[before] + costs[h] - costs[before]
                if best is None or value < best[0] - _TIE:
                    best = value, source, before
        assert best is not None  # noqa: S101 the state was reached, so from somewhere
        _, source, before = best
        return source, before, _Move(at[h] - at[before], key.is_on)

    def _window(self, kind: Kind, slot: Slot, h: int) -> tuple[int, int]:
        if kind == "off":
            return h, h + 1
        windows = self.windows(kind, slot.end - slot.begin)
        return windows.first[h], windows.beyond[h]

    def _pieces(self, moves: Sequence[_Move]) -> list[Piece]:
        """What the moves draw; beside what flows after where no order is asked."""
        pieces: list[Piece] = []
        limit, end = self.task.car.limit, self.task.begin
        for number, (slot, move) in enumerate(zip(self.slots, moves, strict=True)):
            if not move.span:
                continue
            span = min(move.span, slot.end - slot.begin)
            goes_on = number + 1 < len(moves) and moves[number + 1].span > 0 and end < slot.begin
            at_end = move.at_end or (self.max_blocks is None and goes_on)
            begin = slot.end - span if at_end else slot.begin
            pieces.append(Piece(begin, begin + span, limit))
            end = begin + span
        return pieces

    def _is_exact(self) -> bool:
        by_power = any(band.below is not None for slot in self.slots for band in slot.bands)
        idle_is_dear = any(band.time_price < slot.idle_price for slot in self.slots for band in slot.bands)
        could_slow = self.task.minimum < self.task.car.limit
        if self.max_blocks is not None:
            could_slow = could_slow and self.task.minimum > 0
            return self.is_complete and not by_power and not could_slow
        return self.is_complete and not by_power and not (could_slow and idle_is_dear)
