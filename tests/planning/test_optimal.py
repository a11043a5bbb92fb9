"""The planner against its oracles: the least cost on random requests, and a plan that keeps what it says."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from charging.planning.plan import Plan
from charging.planning.planner import plan
from tests.planning.oracle import instances, linear
from tests.planning.oracle.instances import Instance
from tests.planning.oracle.integrate import Run, at_once, hours_at_full_power, run
from tests.planning.oracle.world import HOUR, World

FAMILIES = instances.families()
FEW, MANY = 16, 400
PERIODS_EXACT_TO = 2  # s: plans switch at whole seconds, at both ends of a block
KWH_EXACT_TO = Fraction(1, 1000)  # by the 0.1 W of a limit, in the longest block
SAME = Fraction(1, 10**6)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_plan_is_as_cheap_as_can_be_and_keeps_every_limit(name: str) -> None:
    for seed, instance in instances.drawn(FAMILIES[name], FEW):
        found = list(faults(instance))
        assert not found, describe(name, seed, instance, found)


@pytest.mark.soak
@pytest.mark.parametrize("name", FAMILIES)
def test_thousands_of_plans_are_as_cheap_as_can_be(name: str) -> None:
    for seed, instance in instances.drawn(FAMILIES[name], MANY, first=FEW):
        found = list(faults(instance))
        assert not found, describe(name, seed, instance, found)


@pytest.mark.soak
def test_a_week_in_few_blocks_is_as_cheap_as_can_be_or_says_that_it_may_not_be() -> None:
    for seed, instance in instances.drawn(instances.weeks, FEW):
        made = plan(instance.world.request)
        admitted = "not_optimal" in {warning.code for warning in made.warnings}
        found = [fault for fault in faults(instance) if not (admitted and "could cost" in fault)]
        assert not found, describe("weeks", seed, instance, found)


def test_where_the_departure_cannot_be_met_power_is_full_throughout() -> None:
    for seed, hopeless in instances.drawn(instances.infeasible, FEW):
        made = plan(hopeless.world.request)
        found = list(hopeless_faults(hopeless.world, made))
        assert not found, describe("infeasible", seed, hopeless, found)


def test_the_greenest_plan_emits_the_least() -> None:
    for seed in range(FEW):
        request, emissions = instances.greenest(np.random.default_rng(seed))
        made = plan(request)
        emitted = float(run(emissions, made.periods).cost)
        assert made.carbon_g is not None, seed
        assert float(made.carbon_g) == pytest.approx(emitted), seed
        assert emitted == pytest.approx(linear.optimum(emissions), abs=tolerance(emissions)), seed


def describe(name: str, seed: int, instance: Instance, found: list[str]) -> str:
    told = instance.world.request.model_dump_json(exclude_defaults=True)
    return "\n".join([f"{name}, seed {seed}:", *found, told])


def faults(instance: Instance) -> Iterator[str]:
    """In words, each way in which the planner's answer is wrong."""
    world, least = instance.world, instance.optimum()
    assert least is not None, "the instance was meant to be feasible"
    made = plan(world.request)
    done = run(world, made.periods)
    yield from broken_limits(world, made, done)
    yield from broken_claims(world, made, done)
    if not made.feasible or made.shortfall_kwh:
        yield "the plan is called infeasible"
    if not world.need - KWH_EXACT_TO <= done.kwh <= world.need + SAME:
        yield f"{float(done.kwh)} kWh are delivered, {float(world.need)} are needed"
    near = tolerance(world)
    if done.cost > least + near:
        yield f"costs {float(done.cost):.6f}, could cost {least:.6f} (within {near:.6f})"
    if done.cost < least - near:
        yield f"costs {float(done.cost):.6f}, less than possible: {least:.6f} (within {near:.6f})"


def broken_limits(world: World, made: Plan, done: Run) -> Iterator[str]:
    request, starts = world.request, [period.start_period for period in made.periods]
    if starts[:1] != [0] or starts != sorted(set(starts)) or starts[-1] > world.until:
        yield "periods do not begin now, are not in order, or begin after the departure"
    if any(period.limit < 0 or period.limit > request.max_charge_rate_kw * 1000 for period in made.periods):
        yield "a limit is negative or beyond the maximum"
    if any(period.limit != round(period.limit, 1) for period in made.periods):
        yield "a limit has more than one decimal"
    if any(0 < piece.kw < world.min_kw - SAME for piece in done.pieces):
        yield "power flows below the minimum"
    if request.max_blocks is not None and done.blocks > request.max_blocks:
        yield f"{done.blocks} blocks, {request.max_blocks} are allowed"
    promised = min(Fraction(request.guaranteed_kwh), world.need)
    by = hours_at_full_power(world, promised) * HOUR
    if done.delivered_by(by) < promised - world.max_kw * PERIODS_EXACT_TO / HOUR - KWH_EXACT_TO:
        yield "what is guaranteed is not charged first, at full power"
    if made.feasible and done.kwh and done.finish < world.until and made.periods[-1].limit != 0:
        yield "power may flow on after the last block"


def broken_claims(world: World, made: Plan, done: Run) -> Iterator[str]:
    near = tolerance(world)
    if made.cost is None or abs(Fraction(made.cost) - done.cost) > SAME:
        yield f"the claimed cost {made.cost} is not what the periods cost: {float(done.cost):.9f}"
    if abs(Fraction(made.energy_kwh) - done.kwh) > SAME:
        yield f"the claimed energy {made.energy_kwh} is not what the periods deliver: {float(done.kwh):.9f}"
    asap = at_once(world, world.need).cost
    if made.cost_if_asap is None or abs(Fraction(made.cost_if_asap) - asap) > near:
        yield f"charged at once it costs {float(asap):.6f}, not {made.cost_if_asap}"
    seconds = hours_at_full_power(world, world.need) * HOUR
    latest = max(world.until - seconds, Fraction(0))
    said = seconds_after_now(world, made.latest_safe_start.timestamp())
    if not latest - PERIODS_EXACT_TO <= said <= latest + Fraction(1, 1000):
        yield f"the latest safe start is {float(latest):.3f} s from now, not {float(said):.3f}"
    finish = done.finish if made.feasible else seconds
    said = seconds_after_now(world, made.projected_finish.timestamp())
    if abs(said - finish) > PERIODS_EXACT_TO:
        yield f"the need is met {float(finish):.3f} s from now, not {float(said):.3f}"
    required = world.need / world.hours
    if not world.request.acceptance and abs(Fraction(made.required_kw) - required) > Fraction(1, 1000):
        yield f"{float(required):.4f} kW would do, not {made.required_kw}"


def hopeless_faults(world: World, made: Plan) -> Iterator[str]:
    done = run(world, made.periods)
    yield from broken_claims(world, made, done)
    if made.feasible or [period.limit for period in made.periods] != [world.request.max_charge_rate_kw * 1000]:
        yield "not full power throughout"
    if abs(Fraction(made.shortfall_kwh) - (world.need - done.kwh)) > SAME:
        yield f"{float(world.need - done.kwh):.6f} kWh will be missing, not {made.shortfall_kwh}"
    if not made.warnings:
        yield "no warning"


def tolerance(world: World) -> float:
    """What whole seconds and tenths of a watt may cost."""
    return float(PERIODS_EXACT_TO * world.price_per_second()) + 0.0005


def seconds_after_now(world: World, timestamp: float) -> Fraction:
    return Fraction(timestamp) - Fraction(world.request.now.timestamp())
