"""What the departure planner answers. Data only; ``planner.plan`` makes it. Pure.

Energy kWh, power kW, ``limit`` W, money incl. VAT in ``currency``, times aware UTC.
"""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from charging.planning.request import Strategy


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlanWarning(_Said):
    """Something that the user should know of the plan. ``code`` is stable."""

    code: str
    detail: str


class PlannedPeriod(_Said):
    """From ``start_period`` s after the plan's ``now`` on, draw at most ``limit`` W; ``reason`` says why, in words."""

    start_period: int
    limit: Decimal
    reason: str = ""


class Plan(_Said):
    """When to draw how much, and what that costs.

    ``cost`` is what ``periods`` cost until the departure, pauses and the tariff's flat fee included; None where no
    price is known. ``cost_if_asap`` is the same for full power from now on. ``required_kw``: the constant power that
    would do. ``latest_safe_start``: from then on full power still makes it. ``projected_finish``: when the energy is
    in, which is after the departure where that cannot be met (``feasible`` False, ``shortfall_kwh`` missing by then).
    ``provisional``: rests on prices that are forecast beyond ``price_horizon`` (None: from now on). ``carbon_g``: grams
    of CO2, if known.
    """

    feasible: bool
    energy_kwh: Decimal
    shortfall_kwh: Decimal
    cost: Decimal | None
    cost_if_asap: Decimal | None
    required_kw: Decimal
    projected_finish: datetime
    latest_safe_start: datetime
    warnings: tuple[PlanWarning, ...] = ()
    periods: tuple[PlannedPeriod, ...]

    strategy: Strategy
    currency: str | None = None
    provisional: bool = False
    price_horizon: datetime | None = None
    carbon_g: Decimal | None = None
