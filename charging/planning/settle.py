"""From pieces that are right to the microsecond to blocks of whole seconds that deliver the need exactly. Pure.

Edges are moved outwards to whole seconds; what would flow too much by that is taken from one piece, by whole seconds
and then by a lower limit: tenths of a watt, in two steps 0.1 W apart where one does not divide. So the need is met to
0.1 Ws and never exceeded. No piece is lowered below the minimum, or to where another price holds: it is made a second
shorter and stronger instead, or its last second is weaker at another price. Where the minimum leaves no room for that
either, the energy of less than a second is missing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from charging.planning.bill import Piece, delivered
from charging.planning.car import Car, Number
from charging.planning.slots import SECOND, Slot
from charging.planning.task import Task


def settle(task: Task, pieces: Sequence[Piece], slots: Sequence[Slot], trim: int = -1) -> list[Piece]:
    """``pieces`` with edges at whole seconds from now, delivering the need; the one of number ``trim`` pays for it.

    ``slots`` say at which powers the same prices hold.
    """
    need, car = task.need, task.car
    whole = _to_seconds(pieces)
    at = trim % len(whole) if whole else 0
    while whole and (surplus := delivered(whole, car, whole[-1].end) - need) > 0:
        piece = whole[at]
        too_long = int(surplus // min(piece.power, car.power(need))) // SECOND * SECOND
        if too_long >= piece.end - piece.begin:
            del whole[at]
            at = len(whole) - 1
        elif too_long:
            whole = _closed([*whole[:at], _shorter(whole, at, too_long), *whole[at + 1 :]], at, too_long)
        else:
            return _lowered(whole, at, need, car, _room(task, piece, slots))
    return whole


def _closed(pieces: list[Piece], at: int, gap: int) -> list[Piece]:
    """``pieces`` without a ``gap`` that shortening the one at ``at`` has left in a block: what follows there comes
    earlier, by seconds that cost next to nothing. A block stays one."""
    for after in range(at + 1, len(pieces)):
        before, piece = pieces[after - 1], pieces[after]
        if piece.begin != before.end + gap:
            break
        pieces[after] = Piece(piece.begin - gap, piece.end - gap, piece.power)
    return pieces


class _Room(NamedTuple):
    """The least and the greatest power at which prices are the same, and the least that may flow at all."""

    least: int
    low: int
    high: int


def _room(task: Task, piece: Piece, slots: Sequence[Slot]) -> _Room:
    least = low = max(min(task.minimum, piece.power), 1)
    high = task.car.limit
    for slot in slots:
        if slot.begin < piece.end and slot.end > piece.begin:
            for band in slot.bands:
                if band.below is not None and band.below <= piece.power:
                    low = max(low, band.below)
                elif band.below is not None:
                    high = min(high, band.below - 1)
    return _Room(least, low, high)


def _to_seconds(pieces: Sequence[Piece]) -> list[Piece]:
    whole: list[Piece] = []
    for at, piece in enumerate(pieces):
        begin = piece.begin // SECOND * SECOND
        end = -(-piece.end // SECOND) * SECOND
        if at + 1 < len(pieces) and pieces[at + 1].begin == piece.end and pieces[at + 1].power > piece.power:
            end = piece.end // SECOND * SECOND  # the second that both share goes to the greater power
        begin = max(begin, whole[-1].end) if whole else begin
        whole.append(Piece(begin, max(begin, end), piece.power))
    return whole


def _shorter(whole: Sequence[Piece], at: int, by: int) -> Piece:
    """The piece at ``at`` without ``by`` at the end that adjoins no other piece."""
    piece = whole[at]
    if at + 1 < len(whole) and whole[at + 1].begin == piece.end and not (at and whole[at - 1].end == piece.begin):
        return Piece(piece.begin + by, piece.end, piece.power)
    return Piece(piece.begin, piece.end - by, piece.power)


def _lowered(whole: list[Piece], at: int, need: int, car: Car, room: _Room) -> list[Piece]:
    """``whole`` with just as much power at the end of the piece at ``at`` as makes the sum right."""
    piece = whole[at]
    before, after = whole[:at], whole[at + 1 :]
    later = sum(other.power * (other.end - other.begin) for other in after)
    seconds = _steady(piece, delivered(before, car, piece.begin), car)
    head = Piece(piece.begin, piece.end - seconds * SECOND, piece.power)
    left = int((need - later - delivered([*before, head], car, head.end)) // SECOND)
    if left // seconds < room.low:
        seconds -= 1
        rest = left - piece.power * seconds
        if left > room.high * seconds and rest >= room.least:
            last = piece.end - SECOND
            return [*before, Piece(piece.begin, last, piece.power), Piece(last, piece.end, rest), *after]
    if seconds == 0:
        return [*before, *after]
    power, more = divmod(min(left, room.high * seconds), seconds)
    end = head.end + seconds * SECOND
    middle = head.end + more * SECOND
    lowered = [head, Piece(head.end, middle, power + 1), Piece(middle, end, power)]
    pieces = [*before, *lowered, *after]
    return _closed(pieces, len(before) + 2, piece.end - end) if end < piece.end else pieces


def _steady(piece: Piece, energy: Number, car: Car) -> int:
    """For how many seconds up to its end a piece draws what it has at the end."""
    seconds = (piece.end - piece.begin) // SECOND
    while (step := car.next_step(energy)) is not None:
        span = -int(-(step - energy) // (min(piece.power, car.power(energy)) * SECOND))
        if span >= seconds:
            break
        seconds -= span
        energy = car.energy(energy, span * SECOND, piece.power)
    return max(seconds, 1)
