"""What the departure planner is told: the JSON of ``charging plan``, and the one input of everything that plans. Pure.

Energy kWh, power kW, prices per kWh and per hour incl. VAT in ``currency``, times aware UTC.
"""

from datetime import UTC
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Strategy = Literal["cheapest", "greenest", "asap", "latest"]
Instant = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]
Energy = Annotated[Decimal, Field(ge=0, le=10_000)]
Power = Annotated[Decimal, Field(gt=0, le=100_000)]
Price = Annotated[Decimal, Field(ge=-1_000_000, le=1_000_000)]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PriceSlot(_Told):
    """From ``start`` (inclusive) to ``end`` (exclusive) a kWh costs ``price``; in a carbon curve, grams of CO2."""

    start: Instant
    end: Instant
    price: Price

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.end <= self.start:
            raise PydanticCustomError("empty_slot", "A slot must end after it starts.")
        return self


class PriceTier(_Told):
    """All energy that flows with less than ``below_kw`` costs ``price``; without ``below_kw``: at any power."""

    below_kw: Power | None = None
    price: Price


class Acceptance(_Told):
    """Until ``upto_kwh`` have been delivered (since ``now``) the car takes at most ``max_kw``."""

    upto_kwh: Annotated[Decimal, Field(gt=0, le=10_000)]
    max_kw: Power


class PlanRequest(_Told):
    """A need, a departure, limits and prices. Exactly one of ``prices``, ``tariff``, ``price_tiers``, or none of them.

    ``min_charge_rate_kw``: power is 0 or at least that. ``guaranteed_kwh``: at once, at full power. ``pause_kw``: what
    flows while paused, for charge points that resume badly from 0 W. ``pauses_are_parking``: the tariff's PARKING_TIME
    is billed while no power flows; by OCPI 2.2.1 a pause made by the EVSE is no parking, some CPOs bill it.
    ``min_saving``: a plan that saves less than that against charging at once is not worth its switches.
    ``carbon``: g CO2 per kWh, for ``greenest``. The last ``acceptance`` holds beyond its ``upto_kwh``.
    """

    now: Instant
    departure_time: Instant
    energy_kwh: Energy
    max_charge_rate_kw: Power

    prices: tuple[PriceSlot, ...] | None = None
    tariff: dict[str, Any] | None = None
    time_zone: str | None = None
    price_tiers: tuple[PriceTier, ...] | None = None
    time_price_per_hour: Price = Decimal(0)
    idle_price_per_hour: Price = Decimal(0)
    pauses_are_parking: bool = True
    currency: str | None = None
    carbon: tuple[PriceSlot, ...] | None = None

    min_charge_rate_kw: Annotated[Decimal, Field(ge=0, le=100_000)] = Decimal(0)
    guaranteed_kwh: Energy = Decimal(0)
    acceptance: tuple[Acceptance, ...] = ()
    max_blocks: Annotated[int, Field(ge=1, le=1000)] | None = None
    pause_kw: Annotated[Decimal, Field(ge=0, le=100_000)] = Decimal(0)

    strategy: Strategy = "cheapest"
    min_saving: Annotated[Decimal, Field(ge=0)] = Decimal(0)
