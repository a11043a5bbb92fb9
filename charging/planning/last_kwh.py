"""When charging ends at the least cost where power flows in pauses, too. Pure.

Until the end every slot has at least the pause's power, and the rest of the need lies in the cheapest slots on top of
it. As the end moves later within a slot, less is left for the dearest slot that is used, so the cost is convex there:
it is least where that slot's price falls below what a later end costs, or at a bound of the slot. One candidate per
slot is therefore enough; which of them is best is reckoned in floats, what is drawn then in exact numbers.
"""

from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

from charging.planning.slots import HOUR, KWH, Slot


class _Past(NamedTuple):
    """A slot that has ended: its price, and how long it was."""

    price: float
    span: int


def best_end(slots: Sequence[Slot], need: int, pause: int, limit: int) -> int | None:
    """The end of the cheapest way to draw ``need`` in ``slots``, which follow each other without gaps, have one price
    each, and all draw at least ``pause`` until then and at most ``limit``; None where none of them fits.
    """
    past: list[_Past] = []
    best: tuple[float, int] | None = None
    begun, paid = slots[0].begin, 0.0  # ``paid``: what the pause's power and time have cost until the slot begins
    for slot in slots:
        price, hour = _prices(slot)
        end = _end_within(slot, past, need, pause, limit)
        rest = need - pause * (end - begun)
        if 0 <= rest <= (limit - pause) * (end - begun):
            passed = (price * pause / KWH + hour / HOUR) * (end - slot.begin)
            above = _filled(sorted([*past, _Past(price, end - slot.begin)]), rest, limit - pause)
            best = min(best or (float("inf"), 0), (paid + passed + above, end))
        paid += (price * pause / KWH + hour / HOUR) * (slot.end - slot.begin)
        insort(past, _Past(price, slot.end - slot.begin))
    return best and best[1]


def _prices(slot: Slot) -> tuple[float, float]:
    """A kWh, and what an hour costs more with power than without."""
    band = slot.bands[0]
    return float(band.price), float(band.time_price - slot.idle_price)


def _end_within(slot: Slot, past: Sequence[_Past], need: int, pause: int, limit: int) -> int:
    """The moment in ``slot`` up to which all cheaper slots are full, so that a later end would not be cheaper."""
    price, hour = _prices(slot)
    power = limit if hour >= 0 else pause
    worth = price + hour / HOUR / power * KWH
    drawn = sum(span * (limit if before <= worth else pause) for before, span in past)
    return min(max(slot.begin - -(need - drawn) // power, _earliest(slot, past, need, limit), slot.begin), slot.end)


def _earliest(slot: Slot, past: Sequence[_Past], need: int, limit: int) -> int:
    return slot.begin - -(need - limit * sum(span for _, span in past)) // limit


def _filled(slots: Sequence[_Past], energy: int, power: int) -> float:
    """What ``energy`` costs in the cheapest of ``slots``, which are in the order of their prices."""
    cost = 0.0
    for price, span in slots:
        part = min(power * span, energy)
        cost += price * part / KWH
        energy -= part
        if energy <= 0:
            break
    return cost
