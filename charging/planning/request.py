"""What the departure planner is told: the JSON of ``charging plan``, and the one input of everything that plans. Pure.

Energy kWh, power kW, prices per kWh and per hour incl. VAT in ``currency``, times aware UTC.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from charging.tariffs.rules import DEFAULT_RULES, TariffRules

Strategy = Literal["cheapest", "greenest", "asap", "latest"]
LONGEST: Final = timedelta(days=400)
"""The latest departure, from now on."""

_FIRST_YEAR: Final = 2000


def _in_utc(at: datetime) -> datetime:
    try:
        if at.year >= _FIRST_YEAR:
            return at.astimezone(UTC)
    except OverflowError:  # hours before the year 10000, by a clock behind UTC
        pass
    raise PydanticCustomError("no_such_time", "Times are from the year 2000 to the year 9999.")


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Energy = Annotated[Decimal, Field(ge=0, le=10_000)]
Power = Annotated[Decimal, Field(ge=Decimal("0.001"), le=100_000)]
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

    The departure is at most ``LONGEST`` after ``now``. ``tariff_rules``: how the tariff's CPO reads OCPI.
    ``min_charge_rate_kw``: power is 0 or at least that. ``guaranteed_kwh``: at once, at full power; never more than
    ``energy_kwh``, whatever is asked. ``pause_kw``: what flows while paused, for charge points that resume badly from
    0 W. ``started_at`` (None: ``now``) and ``kwh_so_far``: of the session that goes on, because a tariff's prices may
    depend on its duration and energy; ``energy_kwh`` and ``acceptance`` count from ``now`` on.
    ``pauses_are_parking``: the tariff's PARKING_TIME is billed while no power flows; by OCPI 2.2.1 a pause made by the
    EVSE is no parking, some CPOs bill it. ``min_saving``: a plan that saves less than that against charging at once is
    not worth its switches.
    ``carbon``: g CO2 per kWh, for ``greenest``. The last ``acceptance`` holds beyond its ``upto_kwh``.
    """

    now: Instant
    departure_time: Instant
    energy_kwh: Energy
    max_charge_rate_kw: Power

    prices: tuple[PriceSlot, ...] | None = None
    tariff: dict[str, Any] | None = None
    tariff_rules: TariffRules = DEFAULT_RULES
    time_zone: str | None = None
    price_tiers: tuple[PriceTier, ...] | None = None
    time_price_per_hour: Price = Decimal(0)
    idle_price_per_hour: Price = Decimal(0)
    pauses_are_parking: bool = True
    started_at: Instant | None = None
    kwh_so_far: Energy = Decimal(0)
    currency: str | None = None
    carbon: tuple[PriceSlot, ...] | None = None

    min_charge_rate_kw: Annotated[Decimal, Field(ge=0, le=100_000)] = Decimal(0)
    guaranteed_kwh: Energy = Decimal(0)
    acceptance: tuple[Acceptance, ...] = ()
    max_blocks: Annotated[int, Field(ge=1, le=1000)] | None = None
    pause_kw: Annotated[Decimal, Field(ge=0, le=100_000)] = Decimal(0)

    strategy: Strategy = "cheapest"
    min_saving: Annotated[Decimal, Field(ge=0)] = Decimal(0)

    @model_validator(mode="after")
    def _can_be_planned(self) -> Self:
        if self.departure_time - self.now > LONGEST:
            raise PydanticCustomError("too_far", "The departure is more than 400 days after now.")
        if self.min_charge_rate_kw > self.max_charge_rate_kw:
            raise PydanticCustomError("no_power", "min_charge_rate_kw is more than max_charge_rate_kw.")
        if self.started_at is not None and self.started_at > self.now:
            raise PydanticCustomError("not_started", "started_at is after now.")
        return self
