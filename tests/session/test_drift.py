"""When the meter shows that a plan is not followed."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from charging.session.drift import deviation, limited
from charging.session.model import Meter, Policy
from charging.session.profile import ChargingPlan, PlanCause
from charging.session.wakes import WakeRow, wakes
from tests.session.factory import at
from tests.session.plans import plan_at

POLICY = Policy()


def read(minutes: float, kwh: str, power_kw: str | None = "11", **changes: Any) -> Meter:
    """The meter, heard so many minutes after the plan's start."""
    heard = at(minutes * 60)
    power = None if power_kw is None else Decimal(power_kw)
    return Meter(seq=1, kwh=Decimal(kwh), power_kw=power, received_at=heard, updated_at=heard).model_copy(
        update=changes
    )


def test_a_meter_that_follows_its_plan_changes_nothing() -> None:
    for minutes, kwh in ((10, "0"), (30, "0"), (60, "5.4"), (90, "11"), (200, "11")):
        assert deviation(plan_at(), read(minutes, kwh), POLICY) is None


def test_a_car_that_takes_less_is_noticed_by_what_it_takes() -> None:
    found = deviation(plan_at(), read(45, "1.8", "7.2"), POLICY)
    assert found is not None
    assert (found.cause, found.taken_kw) == (PlanCause.ACCEPTANCE, Decimal("7.2"))
    assert found.why == "The car takes 7.2 kW of the 11 kW that it may."


def test_a_first_look_at_what_a_car_takes_needs_two_minutes_of_its_limit_and_no_drift() -> None:
    assert deviation(plan_at(), read(31, "0.1", "7.2"), POLICY) is None
    found = deviation(plan_at(), read(33, "0.3", "7.2"), POLICY)
    assert found is not None
    assert (found.cause, found.taken_kw) == (PlanCause.ACCEPTANCE, Decimal("7.2"))


def test_what_a_car_takes_is_no_news_where_the_plan_counts_on_it() -> None:
    assert deviation(plan_at(taken_kw=Decimal("7.2")), read(33, "0.3", "7.0"), POLICY) is None


def test_five_minutes_of_the_planned_power_are_tolerated() -> None:
    assert deviation(plan_at(), read(60, "4.6"), POLICY) is None
    assert deviation(plan_at(), read(60, "4.5"), POLICY) is not None


def test_energy_that_flows_in_a_pause_is_noticed() -> None:
    found = deviation(plan_at(), read(20, "1", None), POLICY)
    assert found is not None
    assert (found.cause, found.why) == (PlanCause.DRIFT, "The meter is 1 kWh ahead of the plan.")


def test_a_car_that_takes_more_again_is_believed() -> None:
    plan = plan_at(taken_kw=Decimal(7))
    found = deviation(plan, read(75, "7.5", "10.8"), POLICY)
    assert found is not None
    assert (found.cause, found.taken_kw) == (PlanCause.ACCEPTANCE, None)


def test_a_car_that_takes_nothing_is_left_alone_until_the_block_ends() -> None:
    assert deviation(plan_at(), read(60, "2", "0"), POLICY) is None
    missing = deviation(plan_at(), read(91, "2", "0"), POLICY)
    assert missing is not None
    assert missing.cause is PlanCause.DRIFT


def test_a_little_that_is_missing_at_the_end_is_planned_anew_but_not_of_a_full_car() -> None:
    assert deviation(plan_at(), read(92, "10.8", "0"), POLICY) is not None
    full = plan_at().kept(at(80 * 60), Decimal("10.8"), None)
    assert deviation(full, read(92, "10.8", "0"), POLICY) is None


def test_what_a_list_said_is_as_old_as_the_cpo_says() -> None:
    """Heard at the hour, read a quarter before: behind by what it should read now, but not by what it should then."""
    assert deviation(plan_at(), read(60, "2.7", updated_at=at(45 * 60)), POLICY) is None
    assert deviation(plan_at(), read(60, "2.7"), POLICY) is not None


def test_a_plan_that_was_looked_at_counts_from_there_and_not_at_once_again() -> None:
    kept = plan_at().kept(at(45 * 60), Decimal(1), None)
    assert deviation(kept, read(49, "1", None), POLICY) is None
    assert deviation(kept, read(60, "3.75"), POLICY) is None
    assert kept.expected_kwh(at(60 * 60)) == Decimal("3.75")


def test_a_plan_without_a_need_is_never_missed() -> None:
    assert deviation(plan_at(figures=None), read(60, "0"), POLICY) is None


def test_sixty_times_the_power_is_sixty_times_the_tolerance_in_energy() -> None:
    fast = plan_at(power_factor=60)
    assert fast.expected_kwh(at(31 * 60)) == Decimal(11)
    assert fast.expected_kwh(at(1830)) == Decimal("5.5")
    assert deviation(fast, read(30.5, "3.8", "660"), POLICY) is None
    assert deviation(fast, read(30.5, "3.6", "660"), POLICY) is not None


@pytest.mark.parametrize(
    ("plan", "watts", "taken_kw"),
    [
        (plan_at(), 6000, Decimal(6)),
        (plan_at(cause=PlanCause.ACTIVE_PROFILE, taken_kw=Decimal(6)), 11000, None),
    ],
)
def test_a_charge_point_that_gives_less_or_again_as_much_is_heard(
    plan: ChargingPlan, watts: int, taken_kw: Decimal | None
) -> None:
    found = limited(plan, Decimal(watts), at(45 * 60))
    assert found is not None
    assert (found.cause, found.taken_kw) == (PlanCause.ACTIVE_PROFILE, taken_kw)


@pytest.mark.parametrize(("watts", "minutes"), [(10900, 45), (22000, 45), (0, 10), (6000, 10)])
def test_an_active_profile_that_lets_the_plan_be_followed_says_nothing(watts: int, minutes: int) -> None:
    assert limited(plan_at(), Decimal(watts), at(minutes * 60)) is None


def test_a_push_that_leaves_the_plan_wakes_the_workflow_and_one_that_follows_it_does_not() -> None:
    before = read(45, "2.7")
    row = WakeRow(meter=before, plan=plan_at())
    assert not wakes(row, read(60, "5.5"))
    assert wakes(row, read(60, "4"))
    assert not wakes(WakeRow(meter=before), read(60, "4"))


def test_what_is_expected_stops_at_the_need_and_counts_what_flows_in_a_pause() -> None:
    assert plan_at().expected_kwh(at(0) + timedelta(hours=5)) == 11
    assert plan_at(pause_kw=Decimal(2)).expected_kwh(at(30 * 60)) == 1
