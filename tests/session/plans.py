"""A plan for the tests of what keeps it true: 11 kWh by noon, the second and the third half hour at 11 kW."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from charging.session.profile import ChargingPlan, PlanFigures, ProfilePeriod, ProfileWish
from tests.session.factory import T0

DEPARTURE = T0 + timedelta(hours=8)


def plan_at(start: datetime = T0, **changes: Any) -> ChargingPlan:
    """Half an hour of pause, then an hour at 11 kW."""
    figures = PlanFigures(
        feasible=True,
        energy_kwh=Decimal(11),
        shortfall_kwh=Decimal(0),
        required_kw=Decimal("1.375"),
        projected_finish=start + timedelta(minutes=90),
        latest_safe_start=start + timedelta(hours=7),
        cost=Decimal("1.10"),
        cost_if_asap=Decimal("3.30"),
        currency="EUR",
        price_source="tariff",
        price_horizon=None,
        provisional=False,
        carbon_g=None,
    )
    plan = ChargingPlan(
        starts_at=start,
        strategy="cheapest",
        wish=ProfileWish(departure_time=start + timedelta(hours=8)),
        periods=tuple(
            ProfilePeriod(start_period=minutes * 60, limit=Decimal(watts), reason=reason)
            for minutes, watts, reason in ((0, 0, "It is dear."), (30, 11000, "It is cheap."), (90, 0, "It is in."))
        ),
        figures=figures,
    )
    return plan.model_copy(update=changes)
