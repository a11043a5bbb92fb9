"""``plan``: the cheapest way to be ready. Pure; ``docs/scheduling.md`` tells the method on a page."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from charging.planning.bill import Piece, cost, decimal, delivered
from charging.planning.car import Number
from charging.planning.choice import Choice, cheapest
from charging.planning.pausing import with_pauses
from charging.planning.plan import Plan, PlanWarning
from charging.planning.reach import not_reachable
from charging.planning.reasons import Words, periods
from charging.planning.request import PlanRequest
from charging.planning.settle import settle
from charging.planning.slots import HOUR, KWH, SECOND, Prices, carbon_of, prices_of
from charging.planning.task import Task, task_of

_PUBLISHED = Decimal("0.000000001")
_ENERGY = Decimal("0.000001")
_SHOWN = Decimal("0.0001")


def plan(request: PlanRequest) -> Plan:
    """The plan for ``request``: ready by the departure at the least cost (or carbon), or as early or late as asked.

    Charged at once, at full power: what cannot be ready in time, what has no known price, and what saves less than
    ``min_saving`` (or nothing) by waiting. Raises ``ValueError`` where the departure is not after ``now``, where prices
    overlap or come from two sources, and where a tariff cannot be read.
    """
    if request.departure_time <= request.now:
        raise ValueError("the departure must be after now")
    task = task_of(request)
    prices = prices_of(request)
    at_once = _at_once(task, prices)
    way = _way(request, task, prices, at_once)
    return _said(request, task, prices, at_once, way)


class _Way(NamedTuple):
    """A way to charge, what it costs (None: no price is known), and why."""

    pieces: list[Piece]
    cost: Decimal | None
    charging: str
    waiting: str = ""
    warnings: tuple[PlanWarning, ...] = ()


def _way(request: PlanRequest, task: Task, prices: Prices, at_once: _Way) -> _Way:
    if task.taken > task.horizon:
        return at_once._replace(charging="full power, because the departure cannot be met.")
    if request.strategy == "asap":
        return at_once._replace(charging="at once, as asked.")
    if request.strategy == "latest":
        pieces = _latest(task, prices)
        return _Way(pieces, _cost(pieces, prices, task), "as late as possible, as asked.", "it is not time yet.")
    if request.strategy == "greenest":
        return _optimal(task, carbon_of(request), prices, at_once, "the greenest time.", "greener time comes.")
    way = _optimal(task, prices, prices, at_once, "the cheapest time.", "cheaper time comes.")
    saving = (at_once.cost or Decimal(0)) - (way.cost or Decimal(0))
    if way.cost is None or saving <= 0:
        return at_once._replace(charging="at once, because waiting saves nothing.", warnings=way.warnings)
    if saving < request.min_saving:
        warnings = (*way.warnings, _saves_too_little(request, saving))
        return at_once._replace(charging="at once, because waiting saves too little.", warnings=warnings)
    return way


def _saves_too_little(request: PlanRequest, saving: Decimal) -> PlanWarning:
    money = f"{_tidy(saving, _SHOWN):f} {request.currency or ''}".strip()
    return PlanWarning(code="saves_too_little", detail=f"Waiting would save only {money}, so charging begins at once.")


def _optimal(task: Task, objective: Prices, prices: Prices, at_once: _Way, charging: str, waiting: str) -> _Way:
    """The best way by ``objective``, which costs what it costs by ``prices``."""
    if not objective.slots:
        return at_once
    free = task.free(objective.slots)
    choice = with_pauses(task, free, task.pause) if task.pause else cheapest(task, free)
    pieces = settle(task, [*task.first, *choice.pieces], prices.slots, _trim(task, choice))
    return _Way(pieces, _cost(pieces, prices, task), charging, waiting, choice.warnings)


def _trim(task: Task, choice: Choice) -> int:
    return -1 if choice.marginal is None else len(task.first) + choice.marginal


def _at_once(task: Task, prices: Prices) -> _Way:
    end = min(-int(-task.taken // 1), -(-task.horizon // SECOND) * SECOND)
    pieces = settle(task, [Piece(0, end, task.car.limit)] if end else [], prices.slots)
    return _Way(pieces, _cost(pieces, prices, task), "at once, because no price is known.")


def _latest(task: Task, prices: Prices) -> list[Piece]:
    end = task.horizon // SECOND * SECOND
    begin = max(end + int(-task.car.duration(task.energy, task.need) // 1), task.begin)
    return settle(task, [*task.first, Piece(begin, end, task.car.limit)], prices.slots)


def _cost(pieces: Sequence[Piece], prices: Prices, task: Task) -> Decimal | None:
    return cost(pieces, prices.slots, task.car) + prices.flat if prices.slots else None


def _said(request: PlanRequest, task: Task, prices: Prices, at_once: _Way, way: _Way) -> Plan:
    """``way`` in the terms of a plan."""
    feasible = task.taken <= task.horizon
    flowed = _kwh(delivered(way.pieces, task.car, task.horizon))
    finish = way.pieces[-1].end if feasible and way.pieces else task.taken
    carbon = carbon_of(request).slots
    shown = carbon if request.strategy == "greenest" else prices.slots
    unit = "g CO2 per kWh" if request.strategy == "greenest" else f"{request.currency or ''} per kWh".strip()
    words = Words(way.charging, way.waiting, unit, task.begin if feasible else 0, task.pause)
    hours = decimal(task.horizon) / HOUR
    return Plan(
        feasible=feasible,
        energy_kwh=flowed,
        shortfall_kwh=Decimal(0) if feasible else _tidy(request.energy_kwh - flowed, _ENERGY),
        cost=None if way.cost is None else _tidy(way.cost, _PUBLISHED),
        cost_if_asap=None if at_once.cost is None else _tidy(at_once.cost, _PUBLISHED),
        required_kw=_tidy(request.energy_kwh / hours, _ENERGY),
        projected_finish=request.now + timedelta(microseconds=-int(-finish // 1)),
        latest_safe_start=request.now + timedelta(microseconds=max(int((task.horizon - task.taken) // 1), 0)),
        warnings=(*_warned(request, task, prices, flowed), *way.warnings),
        periods=periods(way.pieces, shown, words, ends=feasible),
        strategy=request.strategy,
        currency=request.currency,
        provisional=prices.provisional_from is not None,
        # Where nothing is known from now on, time brings no price: a horizon that is past would be looked at endlessly.
        price_horizon=None if prices.provisional_from == request.now else prices.provisional_from,
        carbon_g=_tidy(cost(way.pieces, carbon, task.car), _PUBLISHED) if carbon else None,
    )


def _warned(request: PlanRequest, task: Task, prices: Prices, flowed: Decimal) -> Iterator[PlanWarning]:
    if task.taken > task.horizon:
        yield from not_reachable(request, task, flowed)
    if not prices.slots:
        yield PlanWarning(code="prices_unknown", detail="No price is known, so charging begins at once.")
    elif prices.provisional_from:
        detail = f"Prices from {prices.provisional_from:%Y-%m-%d %H:%M} UTC on are a forecast."
        yield PlanWarning(code="prices_provisional", detail=detail)
    if request.strategy == "greenest" and not request.carbon:
        yield PlanWarning(code="carbon_unknown", detail="No carbon curve is known, so charging begins at once.")


def _kwh(energy: Number) -> Decimal:
    return _tidy(decimal(energy) / KWH, _ENERGY)


def _tidy(number: Decimal, places: Decimal) -> Decimal:
    return number.quantize(places).normalize() + 0
