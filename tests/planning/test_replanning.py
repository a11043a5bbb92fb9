"""When a new plan is worth it, and what it keeps of the one in force."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from charging.planning.bridging import bridged
from charging.planning.departure import Facts, Prices, departure_plan
from charging.planning.plan import PlannedPeriod
from charging.planning.replanning import replanned
from charging.planning.request import PriceSlot
from charging.session.model import Policy
from charging.session.profile import ChargingPlan, ProfileWish

NOW = datetime(2026, 3, 30, 20, tzinfo=UTC)
WISH = ProfileWish(max_charge_rate_kw=Decimal(11), departure_time=NOW + timedelta(hours=6))


def facts(*prices: float, **changes: Any) -> Facts:
    """22 kWh wanted on a connector of 22 kW, at a price for each hour."""
    hours = [NOW + timedelta(hours=n) for n in range(len(prices) + 1)]
    curve = tuple(
        PriceSlot(start=hours[n], end=hours[n + 1], price=Decimal(str(price))) for n, price in enumerate(prices)
    )
    known = Prices("spot", curve, currency="EUR")
    return replace(Facts(max_power_kw=Decimal(22), need_kwh=Decimal(22), prices=known), **changes)


NIGHT = (0.30, 0.10, 0.30, 0.10, 0.30, 0.30)
PLAN = departure_plan(WISH, facts(*NIGHT), NOW)


def after(hours: float, kwh: str, *prices: float, plan: ChargingPlan = PLAN, **changes: Any) -> ChargingPlan:
    """What becomes of ``plan`` (revision 1) so many hours later; a new one is of revision 2."""
    known = facts(*prices, kwh=Decimal(kwh), **changes)
    return replanned(plan, known, NOW + timedelta(hours=hours), Policy())


def blocks(plan: ChargingPlan) -> list[tuple[float, float]]:
    """When it is on, in hours after NOW."""
    start = (plan.starts_at - NOW).total_seconds()
    edges = [(start + period.start_period) / 3600 for period in plan.periods]
    spans = zip(plan.periods, edges, [*edges[1:], 99.0], strict=True)
    return [(round(begin, 2), round(end, 2)) for period, begin, end in spans if period.limit > 0]


def test_the_plan_is_the_two_cheap_hours() -> None:
    assert blocks(PLAN) == [(1, 2), (3, 4)]
    assert PLAN.figures is not None
    assert (PLAN.figures.cost, PLAN.figures.price_source) == (Decimal("2.2"), "spot")


def test_a_price_that_saves_less_than_the_threshold_changes_nothing() -> None:
    kept = after(2.5, "11", 0.3, 0.1, 0.3, 0.10, 0.095, 0.3)
    assert (kept.revision, blocks(kept)) == (1, [(1, 2), (3, 4)])
    assert kept.last_seen == (NOW + timedelta(hours=2.5), Decimal(11))


def test_a_price_that_saves_more_is_followed() -> None:
    new = after(2.5, "11", 0.3, 0.1, 0.3, 0.10, 0.02, 0.3)
    assert (new.revision, blocks(new)) == (2, [(4, 5)])


def test_a_car_that_takes_less_gets_the_hours_that_it_needs_whatever_they_cost() -> None:
    new = after(1.5, "3", *NIGHT, taken_kw=Decimal(6))
    assert new.revision == 2
    assert new.figures is not None
    assert new.figures.feasible
    assert sum(end - begin for begin, end in blocks(new)) > 3


def test_the_limit_stays_the_cap_so_that_a_car_may_take_more_again() -> None:
    new = after(1.5, "3", *NIGHT, taken_kw=Decimal(6))
    assert max(period.limit for period in new.periods) == 11000
    assert new.top_kw == 6


def test_where_nothing_can_be_gained_the_plan_stays_and_is_expected_to_go_as_it_went() -> None:
    """More is needed than can be had: full power from the beginning, and less of it than was thought."""
    much = {"need_kwh": Decimal(100)}
    at_once = departure_plan(WISH, facts(*NIGHT, **much), NOW)
    kept = after(0.5, "3", *NIGHT, plan=at_once, taken_kw=Decimal(6), **much)
    assert (kept.revision, kept.periods) == (1, at_once.periods)
    assert kept.expected_kwh(NOW + timedelta(hours=1)) == 6


def test_a_block_that_ends_soon_is_finished() -> None:
    """At 1:40 a much cheaper price appears; the block runs until 2:00 all the same."""
    new = after(1 + 2 / 3, "7.333", 0.3, 0.10, 0.3, 0.10, 0.02, 0.02)
    assert new.revision == 2
    assert blocks(new)[0] == (1.67, 2.0)


def test_a_broken_tariff_keeps_the_plan() -> None:
    broken = facts(kwh=Decimal(11), prices=Prices("tariff", tariff={"elements": "?"}, time_zone="UTC"))
    assert replanned(PLAN, broken, NOW + timedelta(hours=2), Policy()).periods == PLAN.periods


def test_after_the_departure_it_charges_at_the_cap() -> None:
    late = replanned(PLAN, facts(*NIGHT, kwh=Decimal(11)), NOW + timedelta(hours=7), Policy())
    assert [period.limit for period in late.periods] == [11000]
    assert [warning.code for warning in late.warnings] == ["departure_passed"]


def test_prices_that_are_known_by_now_are_known_of_a_plan_that_stays() -> None:
    provisional = departure_plan(WISH, facts(*NIGHT[:4]), NOW)
    assert provisional.figures is not None
    assert provisional.figures.provisional
    kept = after(2.5, "11", *NIGHT, plan=provisional)
    assert kept.figures is not None
    assert (kept.revision, kept.figures.provisional) == (1, False)


def test_without_a_need_it_charges_until_the_departure_and_says_so() -> None:
    plan = departure_plan(WISH, facts(*NIGHT, need_kwh=None), NOW)
    assert ([p.limit for p in plan.periods], plan.figures) == ([11000], None)
    assert [warning.code for warning in plan.warnings] == ["no_target"]


def periods(*steps: tuple[int, int]) -> tuple[PlannedPeriod, ...]:
    return tuple(PlannedPeriod(start_period=minutes * 60, limit=Decimal(watts)) for minutes, watts in steps)


def test_a_short_gap_is_bridged_by_moving_the_block_behind_it_up() -> None:
    assert bridged(periods((0, 11000), (60, 0), (70, 11000), (100, 0)), 900) == periods((0, 11000), (90, 0))


def test_only_the_block_behind_a_short_gap_moves() -> None:
    night = periods((0, 7000), (60, 0), (70, 11000), (100, 0), (120, 11000), (150, 0))
    expected = periods((0, 7000), (60, 11000), (90, 0), (120, 11000), (150, 0))
    assert bridged(night, 900) == expected


def test_a_long_gap_and_the_wait_before_the_first_block_stay() -> None:
    night = periods((0, 0), (5, 11000), (60, 0), (75, 11000), (100, 0))
    assert bridged(night, 900) == night
