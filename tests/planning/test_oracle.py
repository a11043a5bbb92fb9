"""The oracles before anything is held against them: by hand, and against one another."""

from decimal import Decimal
from fractions import Fraction

import pytest

from charging.planning.plan import PlannedPeriod
from charging.planning.request import PlanRequest
from tests.planning.oracle import dynamic, instances, linear, mixed
from tests.planning.oracle.integrate import at_once, hours_at_full_power, run
from tests.planning.oracle.world import World, world


def request(**told: object) -> World:
    """Four hours for 20, 10, 40 and 10 cents, at 10 kW."""
    slots = [
        {"start": f"2026-01-01T{12 + i}:00Z", "end": f"2026-01-01T{13 + i}:00Z", "price": price}
        for i, price in enumerate(("0.2", "0.1", "0.4", "0.1"))
    ]
    fields = {
        "now": "2026-01-01T12:00Z",
        "departure_time": "2026-01-01T16:00Z",
        "energy_kwh": 15,
        "max_charge_rate_kw": 10,
        "prices": slots,
    }
    return world(PlanRequest.model_validate(fields | told))


def periods(*told: tuple[int, int]) -> list[PlannedPeriod]:
    return [PlannedPeriod(start_period=start, limit=Decimal(limit)) for start, limit in told]


def test_periods_are_integrated_across_prices_steps_of_acceptance_and_pauses() -> None:
    tapering = request(
        acceptance=[{"upto_kwh": 5, "max_kw": 10}, {"upto_kwh": 100, "max_kw": 5}],
        time_price_per_hour=1,
        idle_price_per_hour="0.5",
    )
    done = run(tapering, periods((0, 10_000), (5400, 0), (10_800, 2000)))
    # Half an hour at 10 kW and half at 5 for 20 cents, half an hour at 5 kW for 10, an hour at 2 kW for 10.
    assert done.kwh == 5 + Fraction("2.5") * 2 + 2
    assert done.cost == Fraction("1.5") + Fraction("0.25") + Fraction("0.2") + Fraction("2.5") + Fraction("0.75")
    assert (done.blocks, done.finish) == (2, 4 * 3600)
    assert done.delivered_by(Fraction(2700)) == Fraction("6.25")


def test_at_once_ends_with_the_need_and_idles_on() -> None:
    done = at_once(request(idle_price_per_hour=1), Fraction(15))
    assert (done.kwh, done.cost, done.finish) == (15, Fraction("2.0") + Fraction("0.5") + Fraction("2.5"), 5400)
    tapering = request(acceptance=[{"upto_kwh": 5, "max_kw": 10}, {"upto_kwh": 6, "max_kw": 5}])
    assert hours_at_full_power(tapering, Fraction(15)) == Fraction("2.5")


def test_a_tariff_is_read_by_the_local_clock() -> None:
    night = {"price_components": [{"type": "ENERGY", "price": 0.1}], "restrictions": {"start_time": "23:00"}}
    by_day = {"price_components": [{"type": "ENERGY", "price": 0.3}, {"type": "PARKING_TIME", "price": 1, "vat": 20}]}
    fields = {"departure_time": "2026-01-02T00:00Z", "prices": None, "time_zone": "Europe/Helsinki"}
    first, then, last = request(tariff={"elements": [night, by_day]}, **fields).spans
    assert (first.end, then.end, last.end) == (9 * 3600, 10 * 3600, 12 * 3600)
    assert [span.bands[0].price for span in (first, then, last)] == [Fraction(3, 10), Fraction(1, 10), Fraction(3, 10)]
    assert first.idle == Fraction("1.2")


def test_the_linear_program_knows_what_can_be_seen() -> None:
    assert linear.optimum(request()) == pytest.approx(1.5)
    assert linear.optimum(request(energy_kwh=25)) == pytest.approx(3)
    assert linear.optimum(request(guaranteed_kwh=5)) == pytest.approx(2)
    assert linear.optimum(request(energy_kwh=41)) is None
    tiers = [{"below_kw": 5, "price": "0.1"}, {"price": "0.3"}]
    assert linear.optimum(request(prices=None, price_tiers=tiers)) == pytest.approx(1.5, abs=1e-3)
    # Four hours at 5 kW cost 2.00; each kWh more costs 50 cents, as all that flows in its hour becomes dear.
    assert linear.optimum(request(prices=None, price_tiers=tiers, energy_kwh=30)) == pytest.approx(7, abs=1e-3)


def test_the_grid_knows_what_can_be_seen() -> None:
    one = request(max_blocks=1, energy_kwh=20)
    two = request(max_blocks=2, energy_kwh=20)
    assert dynamic.optimum(one, dynamic.Grid.at_full_power(one, 900)) == pytest.approx(3)
    assert dynamic.optimum(two, dynamic.Grid.at_full_power(two, 900)) == pytest.approx(2)


def test_the_grid_and_the_linear_program_agree_on_minimum_power() -> None:
    for seed, instance in instances.drawn(instances.blocks_with_minimum, 20):
        assert instance.grid is not None
        free = world(instance.world.request.model_copy(update={"max_blocks": None}))
        assert dynamic.optimum(free, instance.grid) == pytest.approx(linear.optimum(free), abs=1e-6), seed


def test_the_grid_and_the_mixed_integer_program_agree_on_blocks() -> None:
    for seed, instance in instances.drawn(instances.blocks, 8):
        assert instance.grid is not None
        assert instance.on_grid is not None
        found = mixed.optimum(instance.on_grid, instance.grid.step)
        assert instance.optimum() == pytest.approx(found, abs=1e-6), seed
