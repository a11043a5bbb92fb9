"""The twenty rules of pricing by OCPI 2.2.1, each with its numbers (checked by an independent calculation)."""

from datetime import timedelta
from decimal import Decimal

import pytest

from charging.tariffs.rules import TariffRules
from tests.tariffs.ocpi import (
    MONDAY,
    Json,
    cdr,
    component,
    element,
    excl,
    local,
    parked,
    period,
    price,
    rated,
    reserved,
    tariff,
)
from tests.tariffs.vectors import COMPLEX, EXPIRE_TIME, MAX_DURATION, MAX_POWER, STEP_SIZE

FREE_PARKING_FIRST = tariff(
    element(component("PARKING_TIME", 0), max_duration=3600),
    element(component("ENERGY", "0.40"), component("PARKING_TIME", 6)),
)


def test_rule_1_each_dimension_takes_the_first_element_that_matches_and_has_it() -> None:
    assert excl(period(30, 5), parked(50), by=FREE_PARKING_FIRST) == "4"


def test_rule_2_a_dimension_that_no_component_prices_is_free() -> None:
    assert excl(period(150, 11), parked(60), by=tariff(element(component("TIME", 2)))) == "5"


def test_rule_3_restrictions_are_anded_and_cut_a_period_wherever_they_switch() -> None:
    evening_after_5_kwh = tariff(
        element(component("ENERGY", 1), start_time="10:00", min_kwh=5), element(component("ENERGY", "0.1"))
    )
    # 09:30 to 10:30 with 10 kWh: both hold from 10:00, when 5 kWh are reached.
    assert excl(period(60, 10), by=evening_after_5_kwh) == "5.5"
    assert excl(period(60, 20), by=evening_after_5_kwh) == "11"


def test_rule_4_lower_bounds_are_inclusive_and_upper_ones_exclusive() -> None:
    steps = tariff(element(component("ENERGY", "0.20"), max_kwh=10), element(component("ENERGY", "0.50")))
    assert excl(period(60, 14), by=steps) == "4"
    assert excl(period(60, 10), period(10, 4), by=steps) == "4"
    at_10 = tariff(element(component("TIME", 1), max_kwh=10), element(component("TIME", 2)))
    assert excl(period(60, 10), period(60), by=at_10) == "3"


def test_rule_5_times_are_those_of_the_location_wrap_at_midnight_and_may_be_open() -> None:
    half_past_ten, half_past_eleven = local("2026-03-02T22:30"), local("2026-03-02T23:30")
    night = tariff(element(component("TIME", 1), start_time="23:00", end_time="06:00"), element(component("TIME", 4)))
    assert excl(period(60), by=night, start=half_past_ten) == "2.5"
    assert excl(period(60), by=night, start=half_past_ten, zone="Europe/London") == "4"
    assert excl(period(60), by=night, start=half_past_ten, zone="Europe/Helsinki") == "1"
    evening = tariff(element(component("TIME", 1), start_time="23:00"), element(component("TIME", 4)))
    assert excl(period(60), by=evening, start=half_past_eleven) == "2.5"
    until_midnight = tariff(element(component("TIME", 1), start_time="23:00", end_time="00:00"))
    assert excl(period(60), by=until_midnight, start=half_past_eleven) == "0.5"


def test_rule_6_a_week_day_is_that_of_the_instant() -> None:
    monday_night = tariff(
        element(component("TIME", 1), day_of_week=["MONDAY"], start_time="22:00", end_time="06:00"),
        element(component("TIME", 2)),
    )
    tuesday_2 = local("2026-03-03T01:00")
    assert excl(period(120), by=monday_night, start=tuesday_2) == "4"
    evening = TariffRules(night_belongs_to="evening")
    assert excl(period(120), by=monday_night, start=tuesday_2, rules=evening) == "2"
    # By that reading Monday's own small hours belong to Sunday.
    assert excl(period(120), by=monday_night, start=local("2026-03-02T01:00"), rules=evening) == "4"


def test_rule_7_times_repeat_daily_from_the_first_date_until_before_the_last() -> None:
    promotion = tariff(
        element(component("TIME", 0), start_date="2026-03-02", end_date="2026-03-04", start_time="10:00"),
        element(component("TIME", 1)),
    )
    assert excl(period(72 * 60), by=promotion, start=local("2026-03-02T00:00")) == "44"


def test_rule_8_the_hour_that_comes_twice_is_priced_twice_and_the_missing_one_never() -> None:
    small_hours = tariff(
        element(component("TIME", 1), start_time="02:00", end_time="03:00"), element(component("TIME", 2))
    )
    # In Berlin 02:00-03:00 comes twice on 2026-10-25, and never on 2026-03-29.
    assert excl(period(300), by=small_hours, start=local("2026-10-25T00:00")) == "8"
    assert excl(period(150), by=small_hours, start=local("2026-03-29T00:00")) == "5"


def test_rule_9_duration_is_that_of_the_session_from_its_start() -> None:
    assert excl(period(30, 5), period(10, "1.2"), by=MAX_DURATION) == "0.3"
    # Parked for 20 minutes first: the free half hour has begun then.
    assert excl(parked(20), period(20, 4), by=MAX_DURATION) == "0.5"
    # A reservation is not part of the session.
    assert excl(reserved(30), period(30, 5), by=MAX_DURATION) == "0"


def test_rule_10_power_and_current_are_momentary() -> None:
    assert excl(period(10, 1), period(50, 40), period(7.5, "0.5"), by=MAX_POWER) == "20.3"
    # What the CPO says of a period is better than what its energy makes on average.
    assert excl(period(60, 1, MAX_POWER=6), period(60, 40, POWER=48), by=MAX_POWER) == "20.2"
    assert excl(period(60, 20, MIN_POWER=2, MAX_POWER=12), by=MAX_POWER) == "4"
    assert excl(period(60, 20, MIN_CURRENT=20, MAX_CURRENT=30), by=COMPLEX) == "3.5"


def test_rule_11_time_is_charging_and_parking_time_is_what_the_car_stays_without_charging() -> None:
    both = tariff(element(component("TIME", 1), component("PARKING_TIME", 10)))
    assert excl(period(60, 5), parked(30), by=both) == "6"


def test_rule_12_a_flat_fee_is_charged_once_and_that_of_a_reservation_is_another() -> None:
    session = element(component("FLAT", "0.50"), component("ENERGY", "0.25"))
    assert excl(period(30, 10), period(30, 10), by=tariff(session)) == "5.5"
    fees = tariff(element(component("FLAT", 2), component("TIME", 5), reservation="RESERVATION"), session)
    assert excl(reserved(15), period(60, 20), by=fees) == "8.75"
    assert excl(period(60, 20), by=fees) == "5.5"


def test_rule_13_energy_is_rounded_once_on_the_session_total_at_the_last_price() -> None:
    two = tariff(
        element(component("ENERGY", "0.20", step=500), max_kwh="4.3"), element(component("ENERGY", "0.27", step=500))
    )
    lines = rated(cdr(period(60, "5.4")), two).lines
    assert [(line.volume, line.billed_volume) for line in lines] == [
        (Decimal("4.3"), Decimal("4.3")),
        (Decimal("1.1"), Decimal("1.2")),
    ]
    assert excl(period(60, "5.4"), by=two) == "1.184"
    assert excl(period(6, "0.1152"), by=tariff(element(component("ENERGY", "0.25", step=25)))) == "0.03125"


def test_rule_14_time_is_rounded_on_its_total_unless_parking_that_costs_follows() -> None:
    two = tariff(element(component("TIME", 5, step=600), max_duration=360), element(component("TIME", 7, step=600)))
    assert excl(period(28, 3), by=two) == "3.3"
    assert excl(period(35, 3), by=STEP_SIZE, start=local("2026-03-02T16:35")) == "1.3"


def test_rule_15_the_dimension_that_was_paid_last_takes_the_one_rounding_of_time() -> None:
    both = tariff(element(component("TIME", 1, step=600), component("PARKING_TIME", 2, step=600)))
    assert excl(period(21, 3), parked(16), by=both) == "1.01666667"
    # Back to charging: now its 26 minutes are rounded, not the parking; unless parking always is.
    again = (period(21, 3), parked(16), period(5, 1))
    assert excl(*again, by=both) == "1.03333333"
    assert excl(*again, by=both, rules=TariffRules(time_step="parking")) == "1.1"


def test_rule_16_when_the_last_time_is_free_the_last_that_is_paid_takes_the_rounding() -> None:
    late = local("2026-03-02T19:40")
    assert excl(period(12, 3), parked(20), by=STEP_SIZE, start=late) == "0.73"
    free_at_0 = tariff(
        element(component("TIME", "2.40", step=900), component("PARKING_TIME", 1, step=900), end_time="20:00"),
        element(component("PARKING_TIME", 0, step=900)),
    )
    assert excl(period(12, 3), parked(20), by=free_at_0, start=late) == "0.73"
    # A CPO that counts free volume rounds it, too, and has nothing to charge for it.
    assert excl(period(12, 3), parked(20), by=free_at_0, start=late, rules=TariffRules(free_volume_steps=True)) == (
        "0.61333333"
    )
    assert excl(period(12, 3), parked(20), by=tariff(element(component("TIME", 1, step=900)))) == "0.25"


def test_rule_17_steps_of_0_and_1_do_not_round_nor_does_a_bill_that_still_runs() -> None:
    for step in (0, 1):
        assert excl(period(6, "0.1152"), by=tariff(element(component("ENERGY", 1, step=step)))) == "0.1152"
    quarter_hours = tariff(element(component("TIME", 4, step=900)))
    assert excl(period(6), by=quarter_hours) == "1"
    assert excl(period(6), by=quarter_hours, ended=False) == "0.4"
    assert excl(period(15), by=quarter_hours) == "1"


def test_rule_18_a_reservation_has_its_own_elements_and_its_own_step() -> None:
    hourly = tariff(element(component("TIME", 5, step=60), reservation="RESERVATION"))
    assert excl(reserved(15), by=hourly) == "1.25"
    assert excl(reserved(14.2), period(14, 3), by=hourly) == "1.25"
    assert excl(reserved(90), by=EXPIRE_TIME, expired=True) == "9"


def test_rule_19_vat_is_by_component_and_floors_and_ceilings_hold_without_and_with_it() -> None:
    floor = tariff(
        element(component("FLAT", "0.45", 10), component("ENERGY", "0.45", "13.0")), min_price=price("5.00", "5.50")
    )
    total = rated(cdr(period(60, 10)), floor).rounded
    assert (str(total.excl), str(total.incl)) == ("5.00", "5.58")
    no_vat = rated(cdr(period(60, 10)), tariff(element(component("ENERGY", 1)))).total
    assert (no_vat.excl, no_vat.incl) == (10, None)
    zero_vat = rated(cdr(period(60, 10)), tariff(element(component("ENERGY", 1, 0)))).total
    assert (zero_vat.excl, zero_vat.incl) == (10, 10)
    none_applies = rated(
        cdr(period(60, 10)), tariff(element(component("ENERGY", 1))), rules=TariffRules(absent_vat="none")
    ).total
    assert none_applies.incl == 10


@pytest.mark.parametrize(
    ("currency", "kwh", "expected"), [("EUR", "0.5", "0.13"), ("JPY", "6", "2"), ("BHD", "0.5", "0.125")]
)
def test_rule_20_the_total_is_rounded_once_half_up_to_the_minor_unit(currency: str, kwh: str, expected: str) -> None:
    by = tariff(element(component("ENERGY", "0.25")), currency=currency)
    assert str(rated(cdr(period(60, kwh)), by).rounded.excl) == expected


def test_thirds_of_an_hour_leave_no_dust_that_decides_a_cent() -> None:
    # 20 minutes at 1.125 and 40 at 1.50 an hour are 1.375 exactly: 1.38.
    two = tariff(element(component("TIME", "1.125"), max_duration=1200), element(component("TIME", "1.50")))
    assert str(rated(cdr(period(60)), two).rounded.excl) == "1.38"


def test_a_volume_of_four_decimals_is_no_reason_for_another_step() -> None:
    ten_minutes: Json = tariff(element(component("TIME", 6, step=600)))
    usage = cdr(period(40))
    usage["charging_periods"][0]["dimensions"][0]["volume"] = Decimal("0.6667")  # 40 min and 0.12 s
    assert rated(usage, ten_minutes).lines[0].billed_volume == Decimal("0.6667")
    later = {**usage, "end_date_time": (MONDAY + timedelta(minutes=41)).isoformat()}
    assert rated(later, ten_minutes).lines[0].billed_volume == Decimal(50) / 60
