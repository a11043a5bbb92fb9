"""The battery, against figures worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charging.sandbox.battery import Car, acceptance_kw, charge, power_kw

CAR = Car()  # 77 kWh, 150 kW, 20 %


def test_below_the_knee_it_takes_all_that_the_charger_gives() -> None:
    """Ten minutes at 150 kW are 25 kWh, 25/77 of the battery."""
    done = charge(CAR, 0.2, 150, 600)
    assert done.energy_kwh == pytest.approx(25)
    assert done.soc == pytest.approx(0.2 + 25 / 77)
    assert done.full_after_s is None


def test_acceptance_falls_in_a_straight_line_from_80_percent_to_4_percent_of_the_maximum() -> None:
    assert acceptance_kw(CAR, 0.5) == 150
    assert acceptance_kw(CAR, 0.8) == pytest.approx(150)
    assert acceptance_kw(CAR, 0.9) == pytest.approx(150 * 0.52)
    assert acceptance_kw(CAR, 1.0) == pytest.approx(6)


def test_the_last_fifth_takes_twenty_and_a_half_minutes() -> None:
    """15.4 kWh with falling power: tau = 77 / (150 x 4.8) h = 385 s, and 385 s x ln 25 = 1239.27 s."""
    done = charge(CAR, 0.8, 150, 3600)
    assert done.energy_kwh == pytest.approx(15.4)
    assert done.soc == 1
    assert done.full_after_s == pytest.approx(1239.27, abs=0.01)


def test_from_20_percent_to_full() -> None:
    """46.2 kWh at 150 kW take 1108.8 s, the last fifth 1239.27 s."""
    done = charge(CAR, 0.2, 150, 7200)
    assert done.energy_kwh == pytest.approx(61.6)
    assert done.full_after_s == pytest.approx(1108.8 + 1239.27, abs=0.01)


def test_a_small_charger_does_not_feel_the_knee() -> None:
    """11 kW stay 11 kW until the battery accepts less: at 0.8 + (1 - 11/150) / 4.8 = 99.3 %."""
    assert power_kw(CAR, 0.95, 11) == 11
    assert power_kw(CAR, 0.995, 11) == pytest.approx(150 * (1 - 4.8 * 0.195))


def test_below_4_percent_of_the_maximum_power_is_constant_to_the_end() -> None:
    """3 kW into the last 7.7 kWh: 2 h 34 min."""
    done = charge(CAR, 0.9, 3, 20000)
    assert done.full_after_s == pytest.approx(7.7 / 3 * 3600)


def test_a_full_car_takes_nothing() -> None:
    assert power_kw(CAR, 1.0, 150) == 0
    assert charge(CAR, 1.0, 150, 3600).energy_kwh == 0


def test_without_power_nothing_happens() -> None:
    assert charge(CAR, 0.3, 0, 3600).soc == 0.3


@given(
    soc=st.floats(0, 1),
    cap=st.floats(0, 400),
    first=st.floats(0, 5000),
    second=st.floats(0, 5000),
    car=st.builds(
        Car, capacity_kwh=st.floats(10, 200), max_dc_kw=st.floats(10, 400), soc=st.just(0.2), max_ac_kw=st.just(22.0)
    ),
)
def test_two_stretches_are_as_one_and_energy_is_what_the_battery_gained(
    soc: float, cap: float, first: float, second: float, car: Car
) -> None:
    whole = charge(car, soc, cap, first + second)
    half = charge(car, soc, cap, first)
    rest = charge(car, half.soc, cap, second)
    assert half.energy_kwh + rest.energy_kwh == pytest.approx(whole.energy_kwh, rel=1e-6, abs=1e-6)
    assert whole.energy_kwh == pytest.approx((whole.soc - soc) * car.capacity_kwh, rel=1e-6, abs=1e-6)
    assert soc <= whole.soc <= 1
