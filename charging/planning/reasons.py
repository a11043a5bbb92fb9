"""Pieces as the periods of a plan, each with its reason in words. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from charging.planning.bill import Piece
from charging.planning.plan import PlannedPeriod
from charging.planning.slots import KW, SECOND, Slot

GUARANTEED: Final = "The guaranteed energy first, at once."


class Words(NamedTuple):
    """What reasons are made of: ``charging`` why power flows, ``unit`` what a price is called, until when the
    guaranteed energy flows, and the power of a pause."""

    charging: str
    waiting: str
    unit: str
    guaranteed_until: int = 0
    pause: int = 0


def periods(pieces: Sequence[Piece], slots: Sequence[Slot], words: Words, *, ends: bool) -> tuple[PlannedPeriod, ...]:
    """``pieces`` and the pauses between them; ``ends``: a last period of 0 W follows."""
    said: list[PlannedPeriod] = []
    begins = [slot.begin for slot in slots]
    at = 0
    for begin, end, power in _joined(pieces, words.guaranteed_until):
        if begin > at:
            said.append(_period(at, 0, f"{_prices(slots, begins, at, begin, words.unit)}{words.waiting}"))
        if begin < words.guaranteed_until:
            reason = GUARANTEED
        else:
            why = words.waiting if words.waiting and power == words.pause else words.charging
            reason = f"{_prices(slots, begins, begin, end, words.unit)}{why}"
        said.append(_period(begin, power, reason))
        at = end
    if ends:
        said.append(_period(at, 0, "The energy is in." if pieces else "No energy is needed."))
    return tuple(said)


def _joined(pieces: Sequence[Piece], guaranteed_until: int) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if piece.end <= piece.begin:
            continue
        before = joined[-1] if joined else None
        if before and before.end == piece.begin != guaranteed_until and before.power == piece.power:
            piece = Piece(joined.pop().begin, piece.end, piece.power)
        joined.append(piece)
    return joined


def _period(begin: int, power: int, reason: str) -> PlannedPeriod:
    return PlannedPeriod(
        start_period=begin // SECOND, limit=Decimal(power) * 1000 / KW, reason=reason[:1].upper() + reason[1:]
    )


def _prices(slots: Sequence[Slot], begins: Sequence[int], begin: int, end: int, unit: str) -> str:
    """The least and the greatest price from ``begin`` to ``end``, and a colon."""
    first = max(bisect_right(begins, begin) - 1, 0)
    found = [band.price for slot in slots[first : bisect_right(begins, end - 1)] for band in slot.bands]
    if not found:
        return ""
    low, high = min(found), max(found)
    span = f"{low.normalize():f}" if low == high else f"{low.normalize():f} to {high.normalize():f}"
    return f"{span} {unit}: "
