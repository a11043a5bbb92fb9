"""What a plan delivers and costs: its pieces integrated, exactly. Pure. Units as in ``slots``."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from charging.planning.car import Car, Number
from charging.planning.slots import HOUR, KWH, Band, Slot


class Piece(NamedTuple):
    """From ``begin`` to ``end`` draw at most ``power`` (more than 0)."""

    begin: int
    end: int
    power: int


def delivered(pieces: Iterable[Piece], car: Car, until: int) -> Number:
    """The energy that has flowed by ``until``."""
    energy: Number = 0
    for piece in pieces:
        span = min(piece.end, until) - piece.begin
        if span > 0:
            energy = car.energy(energy, span, piece.power)
    return energy


def cost(pieces: Iterable[Piece], slots: Sequence[Slot], car: Car) -> Decimal:
    """What it costs until the last slot's end, pauses included."""
    energy_money = time_money = Decimal(0)
    for slot in slots:
        if slot.idle_price:
            time_money += slot.idle_price * (slot.end - slot.begin)
    for slot, band, drawn, span in _flows(pieces, slots, car):
        energy_money += band.price * decimal(drawn)
        if band.time_price or slot.idle_price:
            time_money += (band.time_price - slot.idle_price) * decimal(span)
    return energy_money / KWH + time_money / HOUR


def decimal(number: Number) -> Decimal:
    """``number`` to 28 digits."""
    return Decimal(number) if isinstance(number, int) else Decimal(number.numerator) / number.denominator


def band_at(slot: Slot, power: int, energy: Number) -> Band:
    """The prices that hold at ``power`` when ``energy`` has been delivered."""
    for band in slot.bands:
        if (band.below is None or power < band.below) and (band.upto is None or energy < band.upto):
            return band
    return slot.bands[-1]


def _flows(pieces: Iterable[Piece], slots: Sequence[Slot], car: Car) -> Iterator[tuple[Slot, Band, Number, Number]]:
    """Each stretch in which one power flows at one price: its slot and band, energy and time."""
    energy: Number = 0
    at = 0
    for piece in pieces:
        while at < len(slots) and slots[at].end <= piece.begin:
            at += 1
        for slot in _from(slots, at):
            if slot.begin >= piece.end:
                break
            left: Number = min(piece.end, slot.end) - max(piece.begin, slot.begin)
            if len(slot.bands) == len(car.steps) == 1:
                yield slot, slot.bands[0], piece.power * left, left
                energy += piece.power * left
                continue
            while left > 0:
                power = min(piece.power, car.power(energy))
                band = band_at(slot, power, energy)
                span = _unchanged(energy, power, left, car, slot)
                yield slot, band, power * span, span
                energy += power * span
                left -= span


def _from(slots: Sequence[Slot], at: int) -> Iterator[Slot]:
    for index in range(at, len(slots)):
        yield slots[index]


def _unchanged(energy: Number, power: int, left: Number, car: Car, slot: Slot) -> Number:
    """How long, of ``left``, neither the car's limit nor the band changes."""
    bounds = [band.upto for band in slot.bands if band.upto is not None and band.upto > energy]
    step = car.next_step(energy)
    if step is not None:
        bounds.append(step)
    return min(left, Fraction(min(bounds) - energy) / power) if bounds else left
