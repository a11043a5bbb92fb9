"""Charging profiles: what a user wishes and the plan made from it.

Pure. Times are aware UTC, ``start_period`` seconds, ``limit`` W of the whole connector (as in the REST API).
``charging.planning`` makes plans and turns them into OCPI ChargingProfiles.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProfilePeriod(_Frozen):
    """From ``start_period`` s after the profile's start on, draw at most ``limit`` W."""

    start_period: int
    limit: Decimal


class ProfileWish(_Frozen):
    """What the user asked for: a cap in kW, a departure, both, or a schedule of their own.

    ``periods`` excludes the other two. Empty: no limit.
    """

    max_charge_rate_kw: Decimal | None = None
    departure_time: datetime | None = None
    periods: tuple[ProfilePeriod, ...] | None = None


class ChargingPlan(_Frozen):
    """The periods that were decided for a wish, from ``starts_at`` on, and which ``strategy`` decided them.

    The departure planner fills ``strategy`` and ``periods`` with more than one period; until then a cap is charged
    at once (``asap``).
    """

    starts_at: datetime
    strategy: Literal["asap", "custom"] = "asap"
    wish: ProfileWish = ProfileWish()
    periods: tuple[ProfilePeriod, ...]

    def limit_w(self, now: datetime) -> Decimal:
        """The limit in force at ``now``, W."""
        limit = self.periods[0].limit
        for period in self.periods:
            if self.starts_at + timedelta(seconds=period.start_period) <= now:
                limit = period.limit
        return limit
