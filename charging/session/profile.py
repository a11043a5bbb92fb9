"""Charging profiles: what a user wishes and the plan made from it.

Pure. Times are aware UTC, ``start_period`` seconds, ``limit`` W of the whole connector (as in the REST API).
``charging.planning`` makes plans and turns them into OCPI ChargingProfiles.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

# Bounds that operators' signals are held to as well: what lies beyond them is no charging profile.
MAX_PERIOD_S: Final = 366 * 86_400
MAX_LIMIT_W: Final = Decimal(100_000_000)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProfilePeriod(_Frozen):
    """From ``start_period`` s after the profile's start on, draw at most ``limit`` W."""

    start_period: int = Field(ge=0, le=MAX_PERIOD_S)
    limit: Decimal = Field(ge=0, le=MAX_LIMIT_W)


class ProfileWish(_Frozen):
    """What the user asked for: a cap in kW, a departure, both, or a schedule of their own.

    ``periods`` excludes the other two. Empty: no limit.
    """

    max_charge_rate_kw: Decimal | None = Field(None, gt=0, le=MAX_LIMIT_W / 1000)
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
