"""Every price that the text of OCPI 2.2.1 prints for its sample tariffs (mod_tariffs)."""

from dataclasses import dataclass, field
from datetime import datetime

from charging.tariffs.rules import DEFAULT_RULES, TariffRules
from tests.tariffs.ocpi import (
    BERLIN,
    MONDAY,
    Json,
    cdr,
    component,
    element,
    local,
    parked,
    period,
    price,
    reserved,
    tariff,
)


@dataclass(frozen=True)
class Vector:
    """A printed example: what was used by which tariff, and what it costs. ``incl`` None is not printed."""

    name: str
    tariff: Json
    periods: tuple[tuple[float, Json], ...]
    excl: str
    incl: str | None = None
    start: datetime = MONDAY
    expired: bool = False
    zone: str = BERLIN
    rules: TariffRules = DEFAULT_RULES
    versions: tuple[str, ...] = field(default=("2.1.1", "2.2.1", "2.3.0"))

    def cdr(self) -> Json:
        """It as a CDR that asks for the printed price."""
        asked = {"total_cost": price(self.excl, self.incl), "tariffs": [self.tariff]}
        return cdr(*self.periods, start=self.start, **asked)


SINCE_22 = ("2.2.1", "2.3.0")  # what 2.1.1 has no words for

_ENERGY = component("ENERGY", "0.25", 10)
_START = component("FLAT", "0.50", 20)
_WEEKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]

MAX_25_EUR = tariff(element(_START, _ENERGY), max_price=price(10, 11))
COMPLEX = tariff(
    element(component("FLAT", "2.50", 15)),
    element(component("TIME", 1, 20, 900), max_current=32),
    element(component("TIME", 2, 20, 600), min_current=32, day_of_week=_WEEKDAYS),
    # The text prints what 1.20 an hour makes; the sample file beside it says 1.25.
    element(component("TIME", "1.20", 20, 600), min_current=32, day_of_week=["SATURDAY", "SUNDAY"]),
    element(component("PARKING_TIME", 5, 10, 300), start_time="09:00", end_time="18:00", day_of_week=_WEEKDAYS),
    element(component("PARKING_TIME", 6, 10, 300), start_time="10:00", end_time="17:00", day_of_week=["SATURDAY"]),
)
STEP_SIZE = tariff(
    element(
        component("TIME", "1.20", step=1800),
        component("PARKING_TIME", 1, step=900),
        start_time="00:00",
        end_time="17:00",
    ),
    element(
        component("TIME", "2.40", step=900),
        component("PARKING_TIME", 1, step=900),
        start_time="17:00",
        end_time="20:00",
    ),
    element(component("TIME", "2.40", step=900), start_time="20:00", end_time="23:59"),
)
EXPIRE_FEE = tariff(
    element(component("FLAT", 4, 20), reservation="RESERVATION_EXPIRES"),
    element(component("TIME", 2, 20, 600), reservation="RESERVATION"),
    element(_START, _ENERGY),
)
EXPIRE_TIME = tariff(
    element(component("TIME", 6, 20, 600), reservation="RESERVATION_EXPIRES"),
    element(component("TIME", 3, 20, 600), reservation="RESERVATION"),
    element(_START, _ENERGY),
)
MAX_POWER = tariff(
    element(component("ENERGY", "0.20", 20), max_power=16),
    element(component("ENERGY", "0.35", 20), max_power=32),
    element(component("ENERGY", "0.50", 20)),
)
MAX_DURATION = tariff(
    element(component("ENERGY", 0, 20), max_duration=1800),
    element(component("ENERGY", "0.25", 20), max_duration=3600),
    element(component("ENERGY", "0.40", 20)),
)


def _two_prices(step: int) -> Json:
    return tariff(element(component("TIME", 5, step=step), max_duration=360), element(component("TIME", 7, step=step)))


def _with_parking(step: int) -> Json:
    return tariff(element(component("TIME", 1, step=step), component("PARKING_TIME", 2, step=step)))


VECTORS = (
    Vector("tariff_8_simple_025kwh", tariff(element(_ENERGY)), (period(60, 20),), "5.00", "5.50"),
    Vector("tariff_9_025kwh_start", tariff(element(_START, _ENERGY)), (period(60, 20),), "5.50", "6.10"),
    Vector(
        "tariff_12_025kwh_min_price",
        tariff(element(_ENERGY), min_price=price("0.50", "0.55")),
        (period(60, 20),),
        "5.00",
        "5.50",
        versions=SINCE_22,
    ),
    Vector(
        "tariff_12_025kwh_min_price below 2 kWh",
        tariff(element(_ENERGY), min_price=price("0.50", "0.55")),
        (period(60, "1.9"),),
        "0.50",
        "0.55",
        versions=SINCE_22,
    ),
    Vector(
        "tariff_10_025kwh_parking_start",
        tariff(element(_START, component("ENERGY", "0.25", 10, 100), component("PARKING_TIME", 2, 20, 900))),
        (period(60, 20), parked(40)),
        "7.00",
        "7.90",
    ),
    Vector("tariff_6_025kwh_start_max_price", MAX_25_EUR, (period(60, 50),), "10.00", "11.00", versions=SINCE_22),
    Vector(
        "tariff_6_025kwh_start_max_price below it", MAX_25_EUR, (period(60, 30),), "8.00", "8.85", versions=SINCE_22
    ),
    Vector("tariff_1_simple_2hour", tariff(element(component("TIME", 2, 10, 60))), (period(150, 11),), "5.00", "5.50"),
    Vector(
        "tariff_13_simple_3hour_5parking",
        tariff(element(component("TIME", 3, 10, 60), component("PARKING_TIME", 5, 20, 300))),
        (period(150, 11), parked(42)),
        "11.25",
        "12.75",
    ),
    Vector(
        "tariff_2_alt_text", tariff(element(component("TIME", "1.90", "5.2", 300))), (period(150, 11),), "4.75", "5.00"
    ),
    Vector(
        "tariff_3_alt_url",
        tariff(element(_START, component("ENERGY", "0.25", 10, 100))),
        (period(60, "20.45"),),
        "5.63",
        "6.24",
    ),
    Vector(
        "tariff_4_complex on a Monday",
        COMPLEX,
        (period(165, 11, MAX_CURRENT=16), parked(42)),
        "9.00",
        "10.30",
        versions=SINCE_22,
    ),
    Vector(
        "tariff_4_complex on a Saturday",
        COMPLEX,
        (period(114, 25, MIN_CURRENT=43), parked(71)),
        "12.28",
        "13.86",  # 13.861
        start=local("2026-03-07T13:30"),
        versions=SINCE_22,
    ),
    Vector(
        "tariff_15_reservation_5_euro_per_hour",
        tariff(element(component("TIME", 5, 20, 60), reservation="RESERVATION"), element(_START, _ENERGY)),
        (reserved(15), period(60, 20)),
        "6.75",
        "7.60",
        versions=SINCE_22,
    ),
    Vector(
        "tariff_16_reservation_2_euro_fee_5_euro_per_hour",
        tariff(
            element(component("FLAT", 2, 20), component("TIME", 5, 20, 300), reservation="RESERVATION"),
            element(_START, _ENERGY),
        ),
        (reserved(13), period(60, 20)),
        "8.75",
        "10.00",
        versions=SINCE_22,
    ),
    Vector(
        "tariff_17_reservation_with_expire_fee",
        EXPIRE_FEE,
        (reserved(22), period(60, 20)),
        "6.50",
        "7.30",
        versions=SINCE_22,
    ),
    Vector(
        "tariff_17_reservation_with_expire_fee, expired",
        EXPIRE_FEE,
        (reserved(60),),
        "6.00",
        "7.20",
        expired=True,
        versions=SINCE_22,
    ),
    Vector(
        "tariff_18_reservation_with_expire_time",
        EXPIRE_TIME,
        (reserved(22), period(60, 20)),
        "7.00",
        "7.90",
        versions=SINCE_22,
    ),
    Vector(
        "tariff_18_reservation_with_expire_time, expired",
        EXPIRE_TIME,
        (reserved(90),),
        "9.00",
        "10.80",
        expired=True,
        versions=SINCE_22,
    ),
    Vector(
        "tariff_14_step_size, parked at the end",
        STEP_SIZE,
        (period(10, 3), parked(2)),
        "0.55",
        start=local("2026-03-02T16:55"),
    ),
    Vector(
        "tariff_14_step_size, charging to the end", STEP_SIZE, (period(35, 3),), "1.30", start=local("2026-03-02T16:35")
    ),
    Vector(
        "tariff_14_step_size, parking becomes free",
        STEP_SIZE,
        (period(12, 3), parked(20)),
        "0.73",
        start=local("2026-03-02T19:40"),
    ),
    Vector(
        "tariffrestriction_example_max_power",
        MAX_POWER,
        (period(10, 1), period(50, 40), period(7.5, "0.5")),
        "20.30",
    ),
    Vector("tariffrestriction_example_max_duration", MAX_DURATION, (period(30, 5), period(10, "1.2")), "0.30"),
    Vector(
        "step_size 500 Wh over two prices",
        tariff(
            element(component("ENERGY", "0.20", step=500), max_duration=1800),
            element(component("ENERGY", "0.27", step=500)),
        ),
        (period(30, "4.3"), period(10, "1.1")),
        "1.18",  # 1.184
    ),
    Vector("step_size 10 min over two prices", _two_prices(600), (period(6, 1), period(22, 3)), "3.30"),
    Vector("step_size 10 min, parked at the end", _with_parking(600), (period(21, 3), parked(16)), "1.02"),
    Vector("step_size 5 min, parked at the end", _with_parking(300), (period(21, 3), parked(7)), "0.68"),
    Vector(
        "step_size 1 Wh",
        tariff(element(component("ENERGY", "0.25", step=1))),
        (period(6, "0.1152"),),
        "0.03",  # 0.029
        rules=TariffRules(step_of_one=True),
    ),
    Vector(
        "step_size 10 kWh over three prices (ocpi#494)",
        tariff(
            element(component("ENERGY", 2, step=10000), max_kwh=3),
            element(component("ENERGY", 5, step=10000), max_kwh=6),
            element(component("ENERGY", 2, step=10000)),
        ),
        (period(90, 9),),
        "29.00",
    ),
)
