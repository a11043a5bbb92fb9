"""What a plan's periods deliver and cost, integrated piece by piece in exact fractions."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise

from charging.planning.plan import PlannedPeriod
from tests.planning.oracle.world import HOUR, World


@dataclass(frozen=True)
class Piece:
    """From ``start`` to ``end`` (s) power is ``kw``; ``kwh`` have been delivered by ``end``."""

    start: Fraction
    end: Fraction
    kw: Fraction
    kwh: Fraction


@dataclass(frozen=True)
class Run:
    """What became of the periods by the departure."""

    pieces: tuple[Piece, ...]
    cost: Fraction

    @property
    def kwh(self) -> Fraction:
        return self.pieces[-1].kwh

    @property
    def blocks(self) -> int:
        return sum(flows for flows, _ in groupby(piece.kw > 0 for piece in self.pieces))

    @property
    def finish(self) -> Fraction:
        """The second in which power flows for the last time."""
        return max((piece.end for piece in self.pieces if piece.kw > 0), default=Fraction(0))

    def delivered_by(self, second: Fraction) -> Fraction:
        """The kWh delivered by ``second``."""
        held = next((piece for piece in self.pieces if piece.end >= second), self.pieces[-1])
        return held.kwh - held.kw * max(held.end - second, Fraction(0)) / HOUR


def run(world: World, periods: Iterable[PlannedPeriod], *, upto_kwh: Fraction | None = None) -> Run:
    """Draw what ``periods`` allow and the car accepts, until the departure; no more than ``upto_kwh`` where given."""
    limits = {Fraction(p.start_period): Fraction(p.limit) / 1000 for p in periods}
    edges = {Fraction(0), world.until, *limits} | {span.start for span in world.spans}
    kwh, cost, limit = Fraction(0), world.flat, Fraction(0)
    pieces: list[Piece] = []
    for start, end in pairwise(sorted(edge for edge in edges if 0 <= edge <= world.until)):
        limit = limits.get(start, limit)
        span = next(span for span in world.spans if span.start <= start < span.end)
        steps = {a.upto_kwh for a in world.request.acceptance} | {band.upto_kwh for band in span.bands} | {upto_kwh}
        thresholds = sorted(Fraction(step) for step in steps if step is not None)
        at = start
        while at < end:
            kw = min(limit, world.accepted(kwh))
            if upto_kwh is not None and kwh >= upto_kwh:
                kw = Fraction(0)
            seconds = end - at
            if kw:
                room = next((step - kwh for step in thresholds if step > kwh), None)
                seconds = min(seconds, seconds if room is None else room / kw * HOUR)
            band = span.band(kw, kwh)
            cost += (kw * band.price + band.hourly if kw else span.idle) * seconds / HOUR
            kwh += kw * seconds / HOUR
            pieces.append(Piece(at, at + seconds, kw, kwh))
            at += seconds
    return Run(tuple(pieces), cost)


def at_once(world: World, upto_kwh: Fraction) -> Run:
    """Full power from now on until ``upto_kwh`` are in."""
    everything = PlannedPeriod(start_period=0, limit=world.request.max_charge_rate_kw * 1000)
    return run(world, [everything], upto_kwh=upto_kwh)


def hours_at_full_power(world: World, kwh: Fraction) -> Fraction:
    """How long the car needs for ``kwh`` from now on at full power, however late that is."""
    steps = sorted({Fraction(a.upto_kwh) for a in world.request.acceptance if a.upto_kwh < kwh})
    return sum(((b - a) / world.accepted(a) for a, b in pairwise([Fraction(0), *steps, kwh])), Fraction(0))
