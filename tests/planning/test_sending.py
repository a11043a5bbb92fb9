"""What a CPO is sent of a plan: what lies ahead, as much as it takes, and a car that is ready though we die."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from charging.planning.sending import Conversion, Station, safe_start, sending
from charging.session.profile import ChargingPlan, PlanFigures, ProfilePeriod, ProfileWish

T0 = datetime(2026, 3, 30, 20, tzinfo=UTC)
AC = Conversion(unit="A", phases=3, voltage=230)
DC = Conversion(unit="W", phases=1, voltage=500)
HOUR = 3600


def hours(count: float) -> datetime:
    return T0 + timedelta(hours=count)


def plan(*steps: tuple[float, int], safe: float | None = None, strategy: Any = "cheapest", **wish: Any) -> ChargingPlan:
    """Periods as (hours after T0, W); ``safe``: hours after T0 of the latest safe start for a departure at 11 h."""
    figures = None
    if safe is not None:
        wish = {"departure_time": hours(11), **wish}
        figures = PlanFigures(
            feasible=True, energy_kwh=Decimal(30), shortfall_kwh=Decimal(0), required_kw=Decimal(3),
            projected_finish=hours(10), latest_safe_start=hours(safe), cost=None, cost_if_asap=None, currency=None,
            price_source=None, price_horizon=None, provisional=False, carbon_g=None,
        )  # fmt: skip
    periods = tuple(ProfilePeriod(start_period=int(at * HOUR), limit=Decimal(watts)) for at, watts in steps)
    return ChargingPlan(starts_at=T0, strategy=strategy, wish=ProfileWish(**wish), periods=periods, figures=figures)


def station(conversion: Conversion = DC, *, max_periods: int = 24, **settings: Any) -> Station:
    return Station(conversion=conversion, max_power_kw=Decimal(10), max_periods=max_periods, **settings)


def sent(of: ChargingPlan, to: Station | None = None, *, now: float = 0) -> list[tuple[float, float]]:
    """What is sent, as (hours after T0, limit)."""
    what = sending(of, to or station(), hours(now))
    since = (what.start_date_time - T0).total_seconds()
    return [((since + period.start_period) / HOUR, float(period.limit)) for period in what.periods]


def test_a_cap_is_sent_as_it_is_and_again_as_it_is() -> None:
    cap = plan((0, 7400), strategy="asap", max_charge_rate_kw=Decimal("7.4"))
    assert sent(cap) == sent(cap, now=3) == [(0, 7400)]
    assert sending(cap, station(), hours(0)).send_again_at is None


def test_periods_that_the_cpo_could_not_tell_apart_are_one() -> None:
    own = plan((0, 7400), (1, 7401), (2, 3000), strategy="custom")
    assert sent(own, station(AC)) == [(0, 10.7), (2, 4.3)]
    assert sent(own) == [(0, 7400), (1, 7401), (2, 3000)]


def test_a_change_of_less_than_a_watt_is_no_period_and_the_lower_limit_holds() -> None:
    settled = plan((0, 7400), (1, 7400), (2, 3000), strategy="custom")
    tenth = settled.periods[1].model_copy(update={"limit": Decimal("7399.9")})
    own = settled.model_copy(update={"periods": (settled.periods[0], tenth, settled.periods[2])})
    assert sent(own) == [(0, 7399.9), (2, 3000)]


def test_of_two_limits_in_the_same_second_the_later_one_is_sent() -> None:
    a_little = 0.4 / HOUR
    late = plan((0, 0), (2, 9000), safe=2 + a_little)
    assert sent(late) == [(0, 0), (2, 10_000)]  # a CPO refuses periods that do not ascend
    between = plan((0, 0), (2, 9000), (3, 0)).model_copy(update={"starts_at": T0 + timedelta(seconds=0.8)})
    assert sent(between, now=3 + 0.5 / HOUR) == [(3, 0)]


def test_only_what_lies_ahead_is_sent_and_what_holds_now_begins_now() -> None:
    own = plan((0, 1000), (1, 2000), (2, 3000), (3, 1000), strategy="custom")
    assert sent(own, now=2.5) == [(2.5, 3000), (3, 1000)]
    assert sending(own, station(), hours(2.5)).periods[0].start_period == 0


def test_amperes_are_per_phase_and_rounded_down_because_a_limit_is_a_maximum() -> None:
    assert (AC.limit(Decimal(7400)), DC.limit(Decimal("7400.19"))) == (Decimal("10.7"), Decimal("7400.1"))


def test_what_the_car_needs_at_least_is_told_and_rounded_up() -> None:
    least = plan((0, 7400), safe=8, min_charge_rate_kw=Decimal("1.4"))
    assert sending(least, station(), T0).min_charging_rate == 1400
    assert sending(least, station(AC), T0).min_charging_rate == Decimal("2.1")
    assert sending(plan((0, 7400)), station(), T0).min_charging_rate is None


def test_from_the_latest_safe_start_on_the_car_may_charge_though_the_plan_is_done_by_then() -> None:
    night = plan((0, 0), (2, 10_000), (5, 0), safe=8)
    assert sent(night) == [(0, 0), (2, 10_000), (5, 0), (8, 10_000)]
    assert sending(night, station(), T0).send_again_at is None  # the energy is in at 5 h: the session ends
    assert [period.limit for period in night.periods] == [0, 10_000, 0]  # as the user sees it


def test_the_tail_is_the_users_cap_and_no_more_than_the_connector_gives() -> None:
    assert sent(plan((0, 0), (2, 5000), (8, 0), safe=5, max_charge_rate_kw=Decimal(5)))[-1] == (2, 5000)
    assert sent(plan((0, 0), (2, 5000), safe=5, max_charge_rate_kw=Decimal(50)))[-1] == (5, 10_000)


def test_what_is_in_moves_the_latest_safe_start_and_pauses_behind_it_follow_in_time() -> None:
    split = plan((0, 0), (6, 10_000), (8, 0), (9.5, 10_000), (10.5, 0), safe=8)
    first = sending(split, station(), T0)
    assert sent(split) == [(0, 0), (6, 10_000)]  # nothing is in yet: from 8 h on it must charge
    assert first.send_again_at == hours(8) - timedelta(minutes=5)
    assert safe_start(split, station(), hours(7.5)) == hours(9.5)
    assert sent(split, now=7.5) == [(7.5, 10_000), (8, 0), (9.5, 10_000)]


def test_a_long_plan_goes_out_in_parts_the_nearest_first_and_always_with_its_tail() -> None:
    saw = plan(*((n / 4, 5000 if n % 2 else 0) for n in range(40)), safe=9)
    what = sending(saw, station(max_periods=4), T0)
    assert sent(saw, station(max_periods=4)) == [(0, 0), (0.25, 5000), (0.5, 0), (9, 10_000)]
    assert what.send_again_at == hours(0.75) - timedelta(minutes=5)
    again = sent(saw, station(max_periods=4), now=0.7)
    assert again[:3] == [(0.7, 0), (0.75, 5000), (1, 0)]
    assert again[3][1] == 10_000


def test_a_schedule_of_the_users_own_goes_out_in_parts_too() -> None:
    own = plan(*((n, 1000 * (n + 1)) for n in range(5)), strategy="custom")
    what = sending(own, station(max_periods=3), T0)
    assert (len(what.periods), what.send_again_at) == (3, hours(3) - timedelta(minutes=5))
    assert sent(own, station(max_periods=3), now=2.95) == [(2.95, 3000), (3, 4000), (4, 5000)]


def test_a_cpo_is_not_sent_the_rest_more_than_once_a_minute() -> None:
    dense = plan(*((n / 360, 1000 * (n + 1)) for n in range(9)), strategy="custom")
    assert sending(dense, station(max_periods=2), T0).send_again_at == T0 + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("conversion", "wish", "limit"),
    [
        (AC, {}, 6),
        (AC, {"min_charge_rate_kw": Decimal("6.9")}, 10),
        (DC, {}, 2000),
        (DC, {"max_charge_rate_kw": 1}, 1000),
    ],
)
def test_a_cpo_that_resumes_badly_is_told_the_minimum_for_a_pause(
    conversion: Conversion, wish: dict[str, Any], limit: float
) -> None:
    night = plan((0, 0), (2, 10_000), safe=8, **wish)
    assert sent(night, station(conversion, hold_minimum=True))[0] == (0, limit)
    assert sent(night, station(conversion))[0] == (0, 0)


def test_a_pause_that_the_user_has_asked_for_is_one_everywhere() -> None:
    assert sent(plan((0, 0), (1, 5000), strategy="custom"), station(hold_minimum=True))[0] == (0, 0)


def test_without_time_to_spare_the_cap_is_all_that_is_sent() -> None:
    assert sent(plan((0, 9_800), (10, 0), safe=-1)) == [(0, 10_000)]
