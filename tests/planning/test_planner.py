"""The departure planner's promises, each on an example small enough to check by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from charging.planning.plan import Plan
from charging.planning.planner import plan
from charging.planning.request import PlanRequest

EVENING = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


def hourly(*prices: float, start: datetime = EVENING) -> list[dict[str, Any]]:
    hours = [start + timedelta(hours=n) for n in range(len(prices) + 1)]
    return [{"start": hours[n], "end": hours[n + 1], "price": str(price)} for n, price in enumerate(prices)]


def planned(hours: float, kwh: float, now: datetime = EVENING, kw: float = 10, **more: Any) -> Plan:
    departure = now + timedelta(hours=hours)
    need = {"energy_kwh": str(kwh), "max_charge_rate_kw": str(kw)}
    return plan(PlanRequest.model_validate({"now": now, "departure_time": departure, **need, **more}))


def shape(made: Plan) -> list[tuple[int, float]]:
    """Start (s) and limit (W) of each period."""
    return [(period.start_period, float(period.limit)) for period in made.periods]


def codes(made: Plan) -> list[str]:
    return [warning.code for warning in made.warnings]


def test_the_cheapest_hours_are_taken_and_the_last_of_them_in_part() -> None:
    made = planned(4, 15, prices=hourly(0.30, 0.10, 0.20, 0.40))
    assert shape(made) == [(0, 0), (3600, 10_000), (9000, 0)]
    assert (made.cost, made.cost_if_asap) == (Decimal("2"), Decimal("3.5"))
    assert made.energy_kwh == 15
    assert made.projected_finish == EVENING + timedelta(hours=2.5)
    assert made.latest_safe_start == EVENING + timedelta(hours=2.5)
    assert "cheaper time comes" in made.periods[0].reason


def test_what_fills_no_whole_seconds_is_trimmed_by_tenths_of_a_watt_and_never_exceeded() -> None:
    made = planned(2, 1.2345678, prices=hourly(0.3, 0.2))
    starts = [period.start_period for period in made.periods]
    spans = [after - before for before, after in pairwise(starts)]
    drawn = sum(period.limit * span for period, span in zip(made.periods, spans, strict=False)) / 3_600_000
    assert Decimal("1.2345678") - Decimal("0.00000003") < drawn <= Decimal("1.2345678")


def test_a_flat_price_is_charged_at_once() -> None:
    made = planned(4, 10, prices=hourly(0.2, 0.2, 0.2, 0.2))
    assert shape(made) == [(0, 10_000), (3600, 0)]


def test_a_saving_below_the_threshold_is_not_worth_the_wait() -> None:
    curve = hourly(0.21, 0.20)
    assert shape(planned(2, 10, prices=curve, min_saving="0.1")) == [(0, 0), (3600, 10_000), (7200, 0)]
    at_once = planned(2, 10, prices=curve, min_saving="0.11", currency="EUR")
    assert (shape(at_once), codes(at_once)) == ([(0, 10_000), (3600, 0)], ["saves_too_little"])
    assert "only 0.1 EUR" in at_once.warnings[0].detail


def test_of_hours_that_cost_the_same_those_that_make_fewer_blocks_are_taken() -> None:
    made = planned(5, 20, prices=hourly(0.2, 0.3, 0.1, 0.2, 0.3))
    assert shape(made) == [(0, 0), (7200, 10_000), (14_400, 0)]


def test_an_unknown_price_is_charged_at_once_and_said() -> None:
    made = planned(4, 10)
    assert shape(made) == [(0, 10_000), (3600, 0)]
    assert (made.cost, codes(made)) == (None, ["prices_unknown"])


def test_prices_that_end_early_are_forecast_and_the_plan_is_provisional() -> None:
    made = planned(4, 10, prices=hourly(0.3, 0.1))
    assert (made.provisional, made.price_horizon) == (True, EVENING + timedelta(hours=2))
    assert codes(made) == ["prices_provisional"]


def test_where_all_prices_are_in_the_past_no_moment_is_named_at_which_more_would_be_known() -> None:
    yesterday = [
        {**slot, "start": slot["start"] - timedelta(days=1), "end": slot["end"] - timedelta(days=1)}
        for slot in hourly(0.3, 0.1)
    ]
    made = planned(4, 10, prices=yesterday)
    assert (made.provisional, made.price_horizon) == (True, None)


def test_a_departure_that_cannot_be_met_gets_full_power_and_what_it_would_take() -> None:
    made = planned(2, 25, prices=hourly(0.3, 0.1))
    assert shape(made) == [(0, 10_000)]
    assert (made.feasible, made.energy_kwh, made.shortfall_kwh, made.required_kw) == (False, 20, 5, Decimal("12.5"))
    assert (made.cost, made.latest_safe_start) == (4, EVENING)
    assert made.projected_finish == EVENING + timedelta(hours=2.5)
    assert codes(made) == ["not_reachable", "cap_too_low"]
    assert "12.5000 kW would do" in made.warnings[1].detail


def test_no_cap_is_named_where_the_car_itself_takes_too_little() -> None:
    assert codes(planned(2, 25, prices=hourly(0.3, 0.1), acceptance=[{"upto_kwh": 50, "max_kw": 6}])) == [
        "not_reachable"
    ]


def test_the_guaranteed_energy_flows_first_whatever_it_costs() -> None:
    made = planned(3, 15, prices=hourly(0.9, 0.5, 0.1), guaranteed_kwh=5)
    assert shape(made) == [(0, 10_000), (1800, 0), (7200, 10_000), (10_800, 0)]
    assert made.cost == Decimal("5.5")


def test_negative_prices_never_overcharge() -> None:
    made = planned(3, 10, prices=hourly(-0.1, -0.3, 0.1))
    assert (made.energy_kwh, made.cost) == (10, -3)


def test_power_stays_below_a_tier_while_that_suffices() -> None:
    made = planned(4, 18, price_tiers=[{"below_kw": 5, "price": 0.1}, {"price": 0.3}])
    assert max(limit for _, limit in shape(made)) < 5000
    assert made.cost == Decimal("1.8")


def test_where_idling_costs_power_flows_slowly_rather_than_not_at_all() -> None:
    made = planned(2, 12, prices=hourly(0.3, 0.1), min_charge_rate_kw=2, idle_price_per_hour=5)
    assert shape(made) == [(0, 2000), (3600, 10_000), (7200, 0)]


def test_a_price_of_time_makes_short_and_strong_better_than_long() -> None:
    made = planned(3, 20, prices=hourly(0.2, 0.2, 0.2), time_price_per_hour=1)
    assert (shape(made), made.cost) == ([(0, 10_000), (7200, 0)], 6)


def test_a_car_that_takes_less_as_it_fills_takes_its_fast_part_when_that_is_cheap() -> None:
    taper = [{"upto_kwh": 10, "max_kw": 10}, {"upto_kwh": 20, "max_kw": 5}]
    made = planned(4, 15, prices=hourly(0.3, 0.1, 0.2, 0.4), acceptance=taper)
    assert shape(made) == [(0, 0), (3600, 10_000), (10_800, 0)]
    assert made.cost == 2


def test_few_blocks_bridge_what_more_blocks_would_leave_out() -> None:
    curve = hourly(0.1, 0.2, 0.1, 0.5)
    assert planned(4, 20, prices=curve).cost == 2
    one = planned(4, 20, prices=curve, max_blocks=1)
    assert (shape(one), one.cost) == ([(0, 10_000), (7200, 0)], 3)


def test_one_block_may_run_at_the_minimum_through_an_expensive_hour() -> None:
    made = planned(4, 22, prices=hourly(0.1, 0.9, 0.1, 0.5), max_blocks=1, min_charge_rate_kw=2)
    assert shape(made) == [(0, 10_000), (3600, 2000), (7200, 10_000), (10_800, 0)]


def test_a_tariff_whose_first_energy_is_cheap_is_priced_by_the_energy_so_far() -> None:
    def element(price: float, **restrictions: Any) -> dict[str, Any]:
        component = {"type": "ENERGY", "price": price, "step_size": 1}
        return {"price_components": [component], **({"restrictions": restrictions} if restrictions else {})}

    tariff = {"currency": "EUR", "elements": [element(0.1, max_kwh=10), element(0.4)]}
    made = planned(4, 15, tariff=tariff, time_zone="Europe/Helsinki")
    assert (made.cost, shape(made)) == (3, [(0, 10_000), (5400, 0)])


def test_as_late_as_possible_ends_at_the_departure() -> None:
    made = planned(3, 10, prices=hourly(0.1, 0.2, 0.3), strategy="latest")
    assert (shape(made), made.cost) == ([(0, 0), (7200, 10_000), (10_800, 0)], 3)


def test_the_greenest_hours_are_taken_whatever_they_cost() -> None:
    made = planned(2, 10, prices=hourly(0.1, 0.9), carbon=hourly(300, 40), strategy="greenest")
    assert (shape(made), made.cost) == ([(0, 0), (3600, 10_000), (7200, 0)], 9)


def test_a_little_power_can_flow_in_pauses_and_counts() -> None:
    made = planned(4, 13, prices=hourly(0.3, 0.1, 0.2, 0.4), pause_kw=1)
    assert shape(made) == [(0, 1000), (3600, 10_000), (7920, 0)]
    assert made.energy_kwh == 13


def test_no_need_is_one_period_of_nothing() -> None:
    made = planned(2, 0, prices=hourly(0.3, 0.1))
    assert (shape(made), made.feasible, made.cost) == ([(0, 0)], True, 0)


def test_the_night_of_a_clock_change_is_as_long_as_it_is() -> None:
    def element(price: float, **restrictions: Any) -> dict[str, Any]:
        component = {"type": "ENERGY", "price": price, "step_size": 1}
        return {"price_components": [component], "restrictions": restrictions}

    cheap_at_three = [element(0.1, start_time="03:00", end_time="04:00"), element(0.4)]
    tariff = {"currency": "EUR", "elements": cheap_at_three}
    night = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)  # in Helsinki 03:00 to 04:00 comes twice
    assert planned(8, 20, now=night, tariff=tariff, time_zone="Europe/Helsinki").cost == 2


def test_slots_come_in_any_order_but_must_not_overlap() -> None:
    curve = hourly(0.3, 0.1, 0.2)
    assert planned(3, 10, prices=curve[::-1]).cost == 1
    with pytest.raises(ValueError, match="overlap"):
        planned(3, 10, prices=[*curve, *hourly(0.5, start=EVENING + timedelta(minutes=30))])


def test_a_departure_must_be_after_now() -> None:
    with pytest.raises(ValueError, match="after now"):
        planned(0, 10)


def test_a_week_of_quarter_hours_in_three_blocks_has_three_blocks() -> None:
    starts = [EVENING + timedelta(minutes=15 * n) for n in range(673)]
    curve = [
        {"start": begin, "end": end, "price": str((n * 37 % 101) / 1000)}
        for n, (begin, end) in enumerate(pairwise(starts))
    ]
    made = planned(168, 60, kw=11, prices=curve, max_blocks=3)
    limits = [0, *(limit for _, limit in shape(made))]
    assert sum(before == 0 < after for before, after in pairwise(limits)) <= 3
    assert made.energy_kwh == 60
    assert float(made.cost or 0) == pytest.approx(2.27005, abs=1e-4)


def test_a_block_has_no_gap_of_a_second_where_its_power_changes() -> None:
    tiers = [{"below_kw": 10, "price": 0.3}, {"price": 0.2}]
    made = planned(4.5, 36, kw=20, price_tiers=tiers, time_price_per_hour=1.13, idle_price_per_hour=1.29, max_blocks=1)
    assert 0 not in [limit for _, limit in shape(made)[:-1]]


def test_a_price_by_power_and_energy_is_not_called_optimal() -> None:
    def element(price: float, **restrictions: Any) -> dict[str, Any]:
        return {"price_components": [{"type": "ENERGY", "price": price}], "restrictions": restrictions}

    tariff = {"currency": "EUR", "elements": [element(0.2, max_kwh=12, max_power=5), element(0.5)]}
    assert codes(planned(4, 6, tariff=tariff)) == ["not_optimal"]


def test_a_session_that_goes_on_has_used_up_its_cheap_energy_and_time() -> None:
    def element(price: float, **restrictions: Any) -> dict[str, Any]:
        return {"price_components": [{"type": "ENERGY", "price": price}], "restrictions": restrictions}

    by_energy = {"currency": "EUR", "elements": [element(0.1, max_kwh=10), element(0.4)]}
    assert planned(4, 15, tariff=by_energy, kwh_so_far=4).cost == Decimal("4.2")
    by_time = {"currency": "EUR", "elements": [element(0.1, max_duration=7200), element(0.4)]}
    assert planned(4, 15, tariff=by_time, started_at=EVENING - timedelta(hours=1)).cost == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"hours": 401 * 24}, "more than 400 days"),
        ({"now": datetime(1, 1, 1, tzinfo=UTC)}, "from the year 2000"),
        ({"kw": 0.00005}, "0.001"),
        ({"min_charge_rate_kw": 11}, "more than max_charge_rate_kw"),
        ({"started_at": EVENING + timedelta(hours=1)}, "after now"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_words(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        planned(**{"hours": 4, "kwh": 10, **wrong})


def test_more_than_all_cannot_be_guaranteed() -> None:
    assert shape(planned(2, 5, prices=hourly(0.3, 0.1), guaranteed_kwh=50)) == [(0, 10_000), (1800, 0)]
