"""What a charging profile allows at a moment (OCPI 2.2.1 §14.4). Pure.

A profile is a maximum: the charger gives the least of it, its own cap and what the car takes.
"""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from charging.ocpi.models import ChargingProfile
from charging.sandbox.locations import Outlet


class Step(BaseModel):
    """From ``at`` on at most ``kw``; None lifts the limit."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    kw: float | None


class Limits(BaseModel):
    """A profile as the charger keeps it: steps in time, in kW of the whole connector."""

    model_config = ConfigDict(frozen=True)

    steps: tuple[Step, ...] = ()

    def kw(self, at: datetime) -> float | None:
        """The limit in force at ``at``, None where there is none."""
        return next((step.kw for step in reversed(self.steps) if step.at <= at), None)

    def next_change(self, after: datetime) -> datetime | None:
        """When the limit next changes."""
        return next((step.at for step in self.steps if step.at > after), None)


def from_profile(profile: ChargingProfile, charging_since: datetime, outlet: Outlet) -> Limits:
    """The limits that ``profile`` sets at ``outlet``. Without a start it is relative to the start of charging."""
    start = profile.start_date_time or charging_since
    periods = sorted(profile.charging_profile_period, key=lambda period: period.start_period)
    steps = [
        Step(at=start + timedelta(seconds=period.start_period), kw=outlet.kw(period.limit, profile.charging_rate_unit))
        for period in periods
    ]
    if profile.duration is None:
        return Limits(steps=tuple(steps))
    end = start + timedelta(seconds=profile.duration)
    return Limits(steps=(*(step for step in steps if step.at < end), Step(at=end, kw=None)))
