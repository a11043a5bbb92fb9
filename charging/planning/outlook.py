"""What periods deliver and cost at a request's prices: a plan in force, or one that was changed. Pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple, Protocol

from charging.planning.bill import Piece, cost, decimal, delivered
from charging.planning.request import PlanRequest
from charging.planning.slots import KWH, SECOND, prices_of
from charging.planning.task import task_of


class Period(Protocol):
    """From ``start_period`` s on, draw at most ``limit`` W."""

    @property
    def start_period(self) -> int:
        """s."""
        ...

    @property
    def limit(self) -> Decimal:
        """W."""
        ...


class Outlook(NamedTuple):
    """What going on so delivers by the departure, kWh, and costs; None where no price is known."""

    kwh: Decimal
    cost: Decimal | None


def outlook(periods: Sequence[Period], starts_at: datetime, request: PlanRequest, *, power_factor: int = 1) -> Outlook:
    """What ``periods`` deliver and cost from the request's ``now`` until the need is met, at the request's prices.

    Limits are multiplied by ``power_factor`` to be what flows.
    """
    task, prices = task_of(request), prices_of(request)
    pieces: list[Piece] = []
    for begin, end, power in _ahead(periods, starts_at, request, power_factor):
        flow, left = min(power, task.car.power(0)), task.need - delivered(pieces, task.car, task.horizon)
        end = min(end, begin + int(left / flow), task.horizon)
        if end > begin:
            pieces.append(Piece(begin, end, flow))
    kwh = decimal(delivered(pieces, task.car, task.horizon)) / KWH
    return Outlook(kwh, cost(pieces, prices.slots, task.car) + prices.flat if prices.slots else None)


def cost_of(periods: Sequence[Period], request: PlanRequest) -> Decimal | None:
    """What ``periods`` from the request's ``now`` on cost; None where no price is known."""
    return outlook(periods, request.now, request).cost


def _ahead(periods: Sequence[Period], starts_at: datetime, request: PlanRequest, power_factor: int) -> list[Piece]:
    """The pieces in which power flows, from the request's ``now`` on."""
    gone = int((request.now - starts_at).total_seconds())
    horizon = int((request.departure_time - request.now).total_seconds()) + 1
    starts = [*(period.start_period - gone for period in periods), horizon]
    spans = zip(periods, pairwise(starts), strict=True)
    flowing = [(max(a, 0), b, int(p.limit * power_factor * 10)) for p, (a, b) in spans if p.limit > 0]
    return [Piece(a * SECOND, b * SECOND, power) for a, b, power in flowing if b > a]
