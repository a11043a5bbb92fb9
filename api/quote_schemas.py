"""``POST /v1/quotes``: what a charge would cost. kWh, kW, whole minutes, money in ``currency``."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from api.plan_schemas import PlanWarningAnswer
from api.schemas import EVSE_EXAMPLE, ConnectorName, EvseName, Instant, Kw, Kwh, Whereabouts

MAX_MINUTES: Final = 31 * 24 * 60

_EXAMPLE: Final[dict[str, Any]] = {
    "evse_id": EVSE_EXAMPLE,
    "network": "Virta",
    "connector_type": "CCS",
    "energy_kwh": 30.0,
    "missing_kwh": 0.0,
    "start_time": "2026-03-30T12:00:00Z",
    "charged_time": "2026-03-30T12:12:00Z",
    "end_time": "2026-03-30T12:12:00Z",
    "total_cost": {"excl_vat": 7.5, "incl_vat": 9.3},
    "currency": "EUR",
    "lines": [
        {
            "dimension": "ENERGY",
            "volume": 30.0,
            "billed_volume": 30.0,
            "price": 0.25,
            "vat": 24.0,
            "cost": 7.5,
            "why": "element 1",
        }
    ],
    "assumptions": [
        "Charges 30 kWh evenly at 150 kW from 2026-03-30 12:00 UTC to 2026-03-30 12:12 UTC.",
        "By the tariff in force at the start, step sizes included.",
    ],
    "warnings": [],
    "price_source": "tariff",
    "tariff_id": "T1",
    "valid_until": None,
}


class QuoteRequest(Whereabouts):
    """A charge that might be. The EVSE is named as at a start.

    ``duration_minutes``: how long the car is plugged in (default: until all is in). ``start_time``: default now.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"evse_id": EVSE_EXAMPLE, "connector_type": "CCS", "energy_kwh": 30.0},
                {"evse_id": EVSE_EXAMPLE, "energy_kwh": 30.0, "duration_minutes": 120, "max_charge_rate_kw": 22.0},
            ]
        },
    )

    evse_id: EvseName
    connector_type: ConnectorName | None = None
    energy_kwh: Kwh
    duration_minutes: Annotated[StrictInt, Field(gt=0, le=MAX_MINUTES)] | None = None
    start_time: Instant | None = None
    max_charge_rate_kw: Kw | None = None


class TotalAnswer(BaseModel):
    """Null is not known: no VAT was told."""

    excl_vat: float | None
    incl_vat: float | None


class QuoteLineAnswer(BaseModel):
    """One price: volumes in kWh, h or times, ``vat`` in %; ``billed_volume`` has what ``step_size`` adds."""

    dimension: str
    volume: float
    billed_volume: float
    price: float
    vat: float | None
    cost: float
    why: str


class QuoteAnswer(BaseModel):
    """What it would cost, line by line, and what that rests on.

    ``total_cost`` null: the price is not known, which is not free; a warning says why. ``energy_kwh`` is what flows in
    the time, ``missing_kwh`` what does not. ``price_source``: `tariff`, or the name of a price curve, which goes before
    it. ``valid_until``: the end of the tariff or of the curve, where they have one.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    evse_id: str
    network: str
    connector_type: str
    energy_kwh: float
    missing_kwh: float
    start_time: datetime
    charged_time: datetime
    end_time: datetime
    total_cost: TotalAnswer | None
    currency: str | None
    lines: list[QuoteLineAnswer]
    assumptions: list[str]
    warnings: list[PlanWarningAnswer]
    price_source: str | None
    tariff_id: str | None
    valid_until: datetime | None
