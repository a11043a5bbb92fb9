"""Plans as robots see them: what is charged when, what that costs, and why. kWh, kW, W, money in ``currency``."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from charging.session.profile import Control

_PLAN_EXAMPLE: dict[str, Any] = {
    "revision": 1,
    "cause": "wish",
    "why": "",
    "strategy": "cheapest",
    "control": "charging_profile",
    "starts_at": "2026-03-30T12:00:00Z",
    "departure_time": "2026-03-30T18:00:00Z",
    "feasible": True,
    "energy_kwh": 22.0,
    "shortfall_kwh": 0.0,
    "required_kw": 3.7,
    "projected_finish": "2026-03-30T16:00:00Z",
    "latest_safe_start": "2026-03-30T16:00:00Z",
    "cost": 2.64,
    "cost_if_asap": 4.18,
    "currency": "EUR",
    "price_source": "spot",
    "price_horizon": "2026-03-30T22:00:00Z",
    "provisional": False,
    "carbon_g": None,
    "periods": [
        {"start_period": 0, "limit": 0.0, "reason": "Waits: 0.19 EUR/kWh now, 0.12 EUR/kWh from 14:00 on."},
        {"start_period": 7200, "limit": 11000.0, "reason": "Charges at 0.12 EUR/kWh."},
        {"start_period": 14400, "limit": 0.0, "reason": "All is in."},
    ],
    "warnings": [],
}


class PlanPeriodAnswer(BaseModel):
    """From ``start_period`` s after ``starts_at`` on, at most ``limit`` W; ``reason`` says why."""

    start_period: int
    limit: float
    reason: str


class PlanWarningAnswer(BaseModel):
    """Something to know of a plan. ``code`` is stable."""

    code: str
    detail: str


class PlanAnswer(BaseModel):
    """A plan. ``feasible`` and what follows it are null where there is no departure, or no target to be reached.

    ``cost`` is of what the plan delivers by the departure, ``cost_if_asap`` the same at full power from its start;
    null where no price is known. ``price_source``: `tariff`, or the name of a curve. ``provisional``: rests on a
    forecast beyond ``price_horizon`` (null: from the first on). ``required_kw``: the constant power that would do.
    ``cause`` and ``why``: what it was made for. ``control``: by what the charger is held to it; with `stop`, by the
    energy and cost limits alone.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_PLAN_EXAMPLE]})

    revision: int
    cause: str
    why: str
    strategy: str
    control: Control
    starts_at: datetime
    departure_time: datetime | None
    feasible: bool | None
    energy_kwh: float | None
    shortfall_kwh: float | None
    required_kw: float | None
    projected_finish: datetime | None
    latest_safe_start: datetime | None
    cost: float | None
    cost_if_asap: float | None
    currency: str | None
    price_source: str | None
    price_horizon: datetime | None
    provisional: bool | None
    carbon_g: float | None
    periods: list[PlanPeriodAnswer]
    warnings: list[PlanWarningAnswer]


class PlanPreviewAnswer(BaseModel):
    """The plan that a session at this connector would get now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"evse_id": "FI-VRT-E12345", "network": "Virta", "connector_type": "CCS", "plan": _PLAN_EXAMPLE}
            ]
        }
    )

    evse_id: str
    network: str
    connector_type: str
    plan: PlanAnswer


class PriceAnswer(BaseModel):
    """From ``start`` to ``end`` a kWh costs ``price``."""

    start: datetime
    end: datetime
    price: float


class PastPlanAnswer(PlanAnswer):
    """A plan that does not count any more: ``replaced`` or ``rejected``; when the next one was made, and why."""

    state: str
    replaced_at: datetime | None
    replaced_because: str | None


class MeteredAnswer(BaseModel):
    """The meter at ``at``. ``planned_kwh``: what it should have read by the plan of that time."""

    at: datetime
    energy_kwh: float
    power_kw: float | None
    planned_kwh: float | None


class SessionPlanAnswer(BaseModel):
    """The plan that counts, earlier ones (oldest first), what was metered, and the prices from first to last.

    ``state`` of the plan: `in_force`, or `planned` while the CPO has not taken it; both null where there is no plan.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "session_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
                    "state": "in_force",
                    "plan": _PLAN_EXAMPLE,
                    "earlier": [],
                    "metered": [
                        {"at": "2026-03-30T14:30:00Z", "energy_kwh": 5.4, "power_kw": 10.9, "planned_kwh": 5.5},
                    ],
                    "prices": [{"start": "2026-03-30T12:00:00Z", "end": "2026-03-30T14:00:00Z", "price": 0.19}],
                }
            ]
        }
    )

    session_id: str
    state: str | None
    plan: PlanAnswer | None
    earlier: list[PastPlanAnswer]
    metered: list[MeteredAnswer]
    prices: list[PriceAnswer]
