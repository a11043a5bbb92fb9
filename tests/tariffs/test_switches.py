"""Where the specification can be read in two ways: our choice, and the CPO's."""

from charging.tariffs.rules import TariffRules
from tests.tariffs.ocpi import component, element, excl, local, parked, period, reserved, tariff
from tests.tariffs.test_rules import FREE_PARKING_FIRST


def test_a_period_over_which_a_restriction_switches_is_cut_or_priced_as_it_began() -> None:
    steps = tariff(element(component("ENERGY", 1), max_kwh=4), element(component("ENERGY", 2)))
    assert excl(period(60, 10), period(60, 10), by=steps) == "36"
    assert excl(period(60, 10), period(60, 10), by=steps, rules=TariffRules(cut_periods=False)) == "30"


def test_the_first_element_per_dimension_or_as_a_whole() -> None:
    assert excl(period(30, 5), parked(50), by=FREE_PARKING_FIRST) == "4"
    # As a whole, the first one prices all of the first hour: nothing but parking, at 0.
    assert excl(period(30, 5), parked(50), by=FREE_PARKING_FIRST, rules=TariffRules(whole_elements=True)) == "2"


def test_a_flat_fee_in_a_later_element_is_no_second_one_unless_the_cpo_says_so() -> None:
    fees = tariff(element(component("FLAT", 1), max_duration=1800), element(component("FLAT", 3)))
    assert excl(period(60, 5), by=fees) == "1"
    assert excl(period(60, 5), by=fees, rules=TariffRules(flat="each")) == "4"
    free_at_first = tariff(element(component("FLAT", 0), max_duration=1800), element(component("FLAT", 3)))
    assert excl(period(20, 5), by=free_at_first) == "0"
    assert excl(period(60, 5), by=free_at_first) == "3"


def test_equal_times_are_the_whole_day_or_no_time() -> None:
    seven_to_seven = tariff(element(component("ENERGY", 1), start_time="07:00", end_time="07:00"))
    assert excl(period(60, 5), by=seven_to_seven) == "5"
    assert excl(period(60, 5), by=seven_to_seven, rules=TariffRules(equal_times="never")) == "0"


def test_the_fee_of_an_expired_reservation_is_beside_the_first_or_instead_of_it() -> None:
    fees = tariff(
        element(component("FLAT", 2), reservation="RESERVATION"),
        element(component("FLAT", 4), reservation="RESERVATION_EXPIRES"),
    )
    assert excl(reserved(60), by=fees) == "2"
    assert excl(reserved(60), by=fees, expired=True) == "6"
    assert excl(reserved(60), by=fees, expired=True, rules=TariffRules(expiry_fee="instead")) == "4"


def test_a_night_without_days_is_the_same_by_both_readings() -> None:
    night = tariff(element(component("TIME", 1), start_time="22:00", end_time="06:00"))
    for reading in ("instant", "evening"):
        rules = TariffRules(night_belongs_to=reading)
        assert excl(period(600), by=night, start=local("2026-03-02T21:00"), rules=rules) == "8"
