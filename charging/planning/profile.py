"""The plan where there is nothing to plan: a schedule of the user's own, a cap, or full power. Pure.

Powers in kW, limits in W of the whole connector. What is planned for a departure is in ``departure``.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from charging.session.profile import ChargingPlan, PlanWarning, ProfilePeriod, ProfileWish

PLANNING_FAILED: Final = PlanWarning(
    code="planning_failed", detail="No plan could be made: it charges at once, at the cap."
)
"""The warning of a plan that stands for one that could not be made."""


def make_plan(wish: ProfileWish, *, max_power_kw: Decimal, now: datetime) -> ChargingPlan:
    """The plan for ``wish`` on a connector of ``max_power_kw``, starting at ``now``.

    A custom schedule is taken whole; else it charges at once, at the cap or at full power, whatever the departure.
    """
    if wish.periods:
        return ChargingPlan(starts_at=now, strategy="custom", wish=wish, periods=wish.periods)
    cap = wish.max_charge_rate_kw if wish.max_charge_rate_kw is not None else max_power_kw
    period = ProfilePeriod(start_period=0, limit=(cap * 1000).normalize() + 0)
    return ChargingPlan(starts_at=now, wish=wish, periods=(period,))
