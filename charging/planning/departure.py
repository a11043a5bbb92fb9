"""From what a user wishes and what is known of a charger to the planner's request, and from its answer to a plan. Pure.

Power here is what flows: a sandbox car takes ``power_factor`` times the limit that it is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from charging.planning import planner
from charging.planning.bridging import bridged
from charging.planning.caution import Caution
from charging.planning.outlook import cost_of
from charging.planning.plan import Plan
from charging.planning.profile import PLANNING_FAILED, make_plan
from charging.planning.reasons import GUARANTEED
from charging.planning.request import Acceptance, PlanRequest, PriceSlot
from charging.session.profile import ChargingPlan, PlanFigures, PlanWarning, ProfilePeriod, ProfileWish
from charging.tariffs.rules import DEFAULT_RULES, TariffRules

_TENTH: Final = Decimal("0.1")
_NO_CAUTION: Final = Caution()
_LOOKED: Final = "First it is seen what the car takes."
_NO_TARGET: Final = PlanWarning(
    code="no_target", detail="How much energy is needed is not known: it charges at the cap until the departure."
)
_PASSED: Final = PlanWarning(code="departure_passed", detail="The departure has passed: it charges at the cap.")


@dataclass(frozen=True)
class Prices:
    """What energy costs: a curve, or an OCPI Tariff with its time zone and its CPO's reading of OCPI (``rules``), from
    ``source``; none of them: unknown.
    """

    source: str | None = None
    curve: tuple[PriceSlot, ...] | None = None
    tariff: Mapping[str, Any] | None = None
    rules: TariffRules = DEFAULT_RULES
    time_zone: str | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Facts:
    """What planning needs to know of a session and its charger.

    ``need_kwh``: of the whole session, None where unknown; ``kwh`` are delivered already, since ``started_at`` (None:
    it has not begun). ``max_power_kw``: of the connector. ``taken_kw``: what the car was seen to take at most.
    ``pause_kw``: what it is given while paused, and ``pauses_are_parking``: what such a pause costs, as ``PlanRequest``
    has them. ``at_once_kwh``: come first, at once. ``bridge_s``: a shorter gap between two blocks is bridged.
    ``caution``: what is allowed for cars that take less.
    """

    max_power_kw: Decimal
    need_kwh: Decimal | None
    kwh: Decimal = Decimal(0)
    started_at: datetime | None = None
    power_factor: int = 1
    taken_kw: Decimal | None = None
    at_once_kwh: Decimal = Decimal(0)
    prices: Prices = Prices()
    carbon: tuple[PriceSlot, ...] | None = None
    pause_kw: Decimal = Decimal(0)
    pauses_are_parking: bool = True
    bridge_s: float = 0
    caution: Caution = _NO_CAUTION


def departure_plan(wish: ProfileWish, facts: Facts, now: datetime) -> ChargingPlan:
    """The plan for ``wish`` from ``now`` on. Never fails: what cannot be planned is charged at once, with a warning.

    A schedule of the user's own or a bare cap is taken as it is.
    """
    simple = make_plan(wish, max_power_kw=facts.max_power_kw, now=now)
    simple = simple.model_copy(
        update={"kwh_at_start": facts.kwh, "taken_kw": facts.taken_kw, "power_factor": facts.power_factor}
    )
    if wish.departure_time is None:
        return simple
    if facts.need_kwh is None:
        return simple.model_copy(update={"warnings": (_NO_TARGET,)})
    if wish.departure_time <= now:
        return simple.model_copy(update={"warnings": (_PASSED,)})
    try:
        request = request_for(wish, facts, now)
        made = _with_gaps_bridged(planner.plan(request), request, facts)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):  # of a tariff that cannot be read
        return simple.model_copy(update={"warnings": (PLANNING_FAILED,)})
    return simple.model_copy(
        update={
            "strategy": made.strategy,
            "pause_kw": facts.pause_kw,
            "periods": (_at_once(simple, made),) if _is_at_once(made) else _periods(made, request, facts, wish),
            "figures": _figures(made, facts),
            "warnings": tuple(PlanWarning(code=w.code, detail=w.detail) for w in made.warnings),
        }
    )


def request_for(wish: ProfileWish, facts: Facts, now: datetime) -> PlanRequest:
    """What the planner is asked for a wish with a departure after ``now`` and a known need. Raises ``ValueError``."""
    if wish.departure_time is None or facts.need_kwh is None:
        raise ValueError("without a departure and a need there is nothing to plan")
    need = max(facts.need_kwh - facts.kwh, Decimal(0))
    limit_kw, prices = min(wish.max_charge_rate_kw or facts.max_power_kw, facts.max_power_kw), facts.prices
    # Of the session's energy, so that a plan made later does not promise it again.
    guaranteed = max((wish.guaranteed_kwh or Decimal(0)) - facts.kwh, facts.at_once_kwh, _probe(wish, limit_kw, facts))
    given: dict[str, Any] = {
        "now": now,
        "departure_time": _ready_by(wish.departure_time, need, limit_kw, facts, now),
        "energy_kwh": need,
        "max_charge_rate_kw": limit_kw * facts.power_factor,
        "min_charge_rate_kw": min(wish.min_charge_rate_kw or Decimal(0), limit_kw) * facts.power_factor,
        "guaranteed_kwh": max(min(guaranteed, need), Decimal(0)),
        "pause_kw": facts.pause_kw * facts.power_factor,
        "pauses_are_parking": facts.pauses_are_parking,
        "prices": prices.curve,
        "tariff": prices.tariff,
        "tariff_rules": prices.rules,
        "time_zone": prices.time_zone,
        "started_at": facts.started_at and min(facts.started_at, now),
        "kwh_so_far": facts.kwh,
        "currency": prices.currency,
        "carbon": facts.carbon,
        "strategy": wish.strategy or "cheapest",
    }
    if facts.taken_kw is not None and need > 0:
        given["acceptance"] = (Acceptance(upto_kwh=need, max_kw=facts.taken_kw),)
    return PlanRequest.model_validate(given)


def _probe(wish: ProfileWish, limit_kw: Decimal, facts: Facts) -> Decimal:
    """What a car that was not seen charging yet takes at once, kWh."""
    unseen = facts.taken_kw is None and wish.strategy != "latest"
    return facts.caution.probe_kwh(limit_kw) - facts.kwh if unseen else Decimal(0)


def _ready_by(departure: datetime, need: Decimal, limit_kw: Decimal, facts: Facts, now: datetime) -> datetime:
    flow_kw = limit_kw * facts.power_factor
    takes_s = float(need / min(flow_kw, facts.taken_kw or flow_kw)) * 3600
    return facts.caution.ready_by(departure, now, takes_s=takes_s, power_factor=facts.power_factor)


def _with_gaps_bridged(made: Plan, request: PlanRequest, facts: Facts) -> Plan:
    """``made`` without short gaps, and what it costs so."""
    periods = bridged(made.periods, facts.bridge_s)
    if periods == made.periods:
        return made
    finish = request.now + timedelta(seconds=periods[-1].start_period) if made.feasible else made.projected_finish
    cost = None if made.cost is None else cost_of(periods, request)
    return made.model_copy(update={"periods": periods, "cost": cost, "projected_finish": finish})


def _is_at_once(made: Plan) -> bool:
    """Whether it charges from now on until the energy is in, and full power costs the same."""
    begins_now = all(period.limit > 0 for period in made.periods[:-1]) and made.periods[0].limit > 0
    return begins_now and made.cost == made.cost_if_asap


def _at_once(simple: ChargingPlan, made: Plan) -> ProfilePeriod:
    """The cap and no end: the session stops itself when the energy is in."""
    reasons = [period.reason for period in made.periods if period.limit > 0]
    return simple.periods[0].model_copy(update={"reason": reasons[-1]})


def _periods(made: Plan, request: PlanRequest, facts: Facts, wish: ProfileWish) -> tuple[ProfilePeriod, ...]:
    return tuple(
        ProfilePeriod(
            start_period=p.start_period, limit=_limit_w(p.limit, request, facts), reason=_words(p.reason, wish)
        )
        for p in made.periods
    )


def _words(reason: str, wish: ProfileWish) -> str:
    return _LOOKED if reason == GUARANTEED and not wish.guaranteed_kwh else reason


def _limit_w(flow_w: Decimal, request: PlanRequest, facts: Facts) -> Decimal:
    """The limit that lets so much flow: the cap, where the car is expected to take less. It may take more again."""
    if facts.taken_kw is not None and flow_w >= facts.taken_kw * 1000:
        flow_w = request.max_charge_rate_kw * 1000
    return (flow_w / facts.power_factor).quantize(_TENTH, "ROUND_FLOOR").normalize() + 0


def _figures(made: Plan, facts: Facts) -> PlanFigures:
    return PlanFigures(
        feasible=made.feasible,
        energy_kwh=made.energy_kwh,
        shortfall_kwh=made.shortfall_kwh,
        required_kw=made.required_kw / facts.power_factor,
        projected_finish=made.projected_finish,
        latest_safe_start=made.latest_safe_start,
        cost=made.cost,
        cost_if_asap=made.cost_if_asap,
        currency=made.currency,
        price_source=facts.prices.source,
        price_horizon=made.price_horizon,
        provisional=made.provisional,
        carbon_g=made.carbon_g,
    )
