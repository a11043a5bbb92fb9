"""``PlanActivities``: the scheduler, as the workflow of a session uses it (docs/adr/0008)."""

from temporalio import activity

from charging.scheduler import Scheduler
from charging.session.profile import ChargingPlan, PlanOrder


class PlanActivities:
    """Plans for a departure. Safe to repeat."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @activity.defn
    async def make_plan(self, order: PlanOrder) -> ChargingPlan:
        """The plan for ``order``, by what the store knows now."""
        return await self._scheduler.plan_session(order)
