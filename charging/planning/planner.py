"""``plan``: the cheapest way to be ready. Pure."""

from datetime import timedelta
from decimal import Decimal

from charging.planning.plan import Plan, PlannedPeriod
from charging.planning.request import PlanRequest


def plan(request: PlanRequest) -> Plan:
    """The plan for ``request``: for now, full power at once until the energy is in. Raises ``ValueError``
    where the departure is not after ``now``."""
    if request.departure_time <= request.now:
        raise ValueError("the departure must be after now")
    hours = Decimal(str((request.departure_time - request.now).total_seconds())) / 3600
    needed = request.energy_kwh / request.max_charge_rate_kw
    delivered = min(request.energy_kwh, request.max_charge_rate_kw * hours)
    finish = request.now + timedelta(hours=float(needed))
    return Plan(
        feasible=needed <= hours,
        energy_kwh=delivered,
        shortfall_kwh=request.energy_kwh - delivered,
        cost=None,
        cost_if_asap=None,
        required_kw=request.energy_kwh / hours,
        projected_finish=finish,
        latest_safe_start=max(request.now, request.departure_time - timedelta(hours=float(needed))),
        periods=(PlannedPeriod(start_period=0, limit=request.max_charge_rate_kw * 1000, reason="At once."),),
        strategy="asap",
        currency=request.currency,
    )
