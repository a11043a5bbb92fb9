"""A plan allows for cars that take less than one thinks: a look at the car first, and ready before the departure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from charging.planning.caution import Caution
from charging.planning.departure import Facts, Prices, departure_plan
from charging.planning.request import PriceSlot
from charging.session.profile import ChargingPlan, ProfileWish

NOW = datetime(2026, 3, 29, 20, tzinfo=UTC)
DEPARTURE = NOW + timedelta(hours=10)
CAUTIOUS = Caution(probe_s=300, ready_before_s=600, ready_before_share=0.25)
# Dear until the last two hours, which are just long enough for 22 kWh at 11 kW.
CHEAP_AT_LAST = (
    PriceSlot(start=NOW, end=DEPARTURE - timedelta(hours=2), price=Decimal("0.30")),
    PriceSlot(start=DEPARTURE - timedelta(hours=2), end=DEPARTURE, price=Decimal("0.10")),
)
FACTS = Facts(max_power_kw=Decimal(11), need_kwh=Decimal(22), prices=Prices("spot", CHEAP_AT_LAST), caution=CAUTIOUS)


def plan(facts: Facts = FACTS, now: datetime = NOW, **wish: object) -> ChargingPlan:
    return departure_plan(ProfileWish.model_validate({"departure_time": DEPARTURE, **wish}), facts, now)


def test_a_car_that_could_wait_charges_for_five_minutes_first() -> None:
    first, pause = plan().periods[:2]
    assert (first.start_period, first.limit) == (0, 11000)
    assert (pause.start_period, pause.limit) == (300, 0)


def test_one_whose_power_was_seen_waits_at_once() -> None:
    assert plan(replace(FACTS, taken_kw=Decimal(9))).periods[0].limit == 0


def test_so_does_one_that_has_charged_already() -> None:
    assert plan(replace(FACTS, kwh=Decimal(1))).periods[0].limit == 0


def test_and_one_that_shall_charge_as_late_as_can_be() -> None:
    assert plan(strategy="latest").periods[0].limit == 0


def test_the_energy_is_in_ten_minutes_and_a_quarter_of_the_charging_time_before_the_departure() -> None:
    figures = plan().figures
    assert figures is not None
    assert figures.projected_finish == DEPARTURE - timedelta(minutes=10 + 30)


@pytest.mark.parametrize("spare_minutes", [0, 10])
def test_with_little_time_to_spare_half_of_it_is_kept(spare_minutes: int) -> None:
    now = DEPARTURE - timedelta(minutes=120 + spare_minutes)
    figures = plan(now=now).figures
    assert figures is not None
    assert figures.feasible
    assert figures.projected_finish <= DEPARTURE - timedelta(minutes=spare_minutes / 2)


def test_without_caution_the_plan_is_the_cheapest_to_the_minute() -> None:
    figures = plan(replace(FACTS, caution=Caution())).figures
    assert figures is not None
    assert (figures.projected_finish, figures.cost) == (DEPARTURE, Decimal("2.2"))
