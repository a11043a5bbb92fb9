"""Random requests, the same ones for the same seed; each family is one kind of difficulty."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from charging.planning.request import PlanRequest
from tests.planning.oracle import dynamic, linear
from tests.planning.oracle.dynamic import Grid
from tests.planning.oracle.world import World, world

Rng = np.random.Generator
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLOCK_BACK = datetime(2026, 10, 24, 15, tzinfo=UTC)  # before the night in which Helsinki has 25 hours
CLOCK_FORWARD = datetime(2026, 3, 28, 15, tzinfo=UTC)  # and 23 hours


@dataclass(frozen=True)
class Instance:
    """A request, and how its optimum is found: on a grid, as ``on_grid`` has it, or by a linear program."""

    world: World
    grid: Grid | None = None
    on_grid: World | None = None

    def optimum(self) -> float | None:
        """The least cost; None where the need cannot be met."""
        if self.grid is None:
            return linear.optimum(self.world)
        return dynamic.optimum(self.on_grid or self.world, self.grid)


def families() -> dict[str, Callable[[Rng], Instance]]:
    """Every family by its name."""
    return {
        "prices": prices,
        "minimum power": minimum_power,
        "hardly any time to spare": full,
        "tiers": tiers,
        "prices of time and of idling": hourly_prices,
        "guaranteed energy": guaranteed,
        "tariffs on nights of the clock change": tariffs,
        "tariffs by energy": tariffs_by_energy,
        "taper": taper,
        "blocks": blocks,
        "blocks with minimum power": blocks_with_minimum,
        "blocks with taper": blocks_with_taper,
        "blocks with guaranteed energy": blocks_with_guarantee,
    }


def prices(rng: Rng) -> Instance:
    """Prices that change at any second, some negative; any need that can be met; at any microsecond."""
    now = NOON + timedelta(microseconds=int(rng.integers(0, 1_000_000)) * int(rng.integers(0, 2)))
    return _linear(_request(rng, _curve(rng), now=now))


def minimum_power(rng: Rng) -> Instance:
    """Power is nothing or at least a minimum; idling may cost more than time does."""
    power = _decimal(rng, 3, 22, 1)
    least = (power * _decimal(rng, 0.1, 0.95, 2)).quantize(Decimal("0.1"))
    return _linear(_request(rng, _curve(rng), power=power, min_charge_rate_kw=least, **_hourly(rng)))


def tiers(rng: Rng) -> Instance:
    """The price of all energy depends on the power with which it flows."""
    edges = sorted({_decimal(rng, 2, 20, 1) for _ in range(rng.integers(1, 4))})
    told = [{"below_kw": edge, "price": _decimal(rng, 0.05, 0.6, 2)} for edge in edges]
    told.append({"price": _decimal(rng, 0.05, 0.8, 2)})
    extra: dict[str, Any] = {}
    if rng.random() < 0.5:
        extra = {"time_price_per_hour": _decimal(rng, 0, 2, 2), "idle_price_per_hour": _decimal(rng, 0, 1, 2)}
    if rng.random() < 0.5:
        extra["min_charge_rate_kw"] = Decimal("1.4")
    return _linear(_request(rng, {"price_tiers": told}, **extra))


def hourly_prices(rng: Rng) -> Instance:
    """An hour with power costs, and one without too."""
    time = _decimal(rng, 0, 3, 2)
    idle = _decimal(rng, 0, 3, 2)
    return _linear(_request(rng, _curve(rng), time_price_per_hour=time, idle_price_per_hour=idle))


def guaranteed(rng: Rng) -> Instance:
    """Some of the need is charged at once, whatever it costs."""
    instance = prices(rng).world.request
    promised = (instance.energy_kwh * _decimal(rng, 0, 1, 2)).quantize(Decimal("0.001"))
    return _linear(instance.model_copy(update={"guaranteed_kwh": promised}))


def tariffs(rng: Rng) -> Instance:
    """Prices by the local clock in Helsinki, weekends, first minutes, power; on nights that have 23 or 25 hours."""
    now = (CLOCK_BACK, CLOCK_FORWARD, NOON)[rng.integers(3)] + timedelta(minutes=int(rng.integers(0, 600)))
    night = {"start_time": _clock(rng), "end_time": _clock(rng)}
    elements = [
        _element({"ENERGY": rng.uniform(0, 0.2)}, **night),
        _element({"ENERGY": rng.uniform(0.1, 0.6), "TIME": rng.uniform(0, 1)}),
    ]
    if rng.random() < 0.5:
        elements.insert(0, _element({"ENERGY": rng.uniform(0, 0.3)}, day_of_week=["SUNDAY"], start_time=_clock(rng)))
    if rng.random() < 0.5:
        elements.insert(0, _element({"ENERGY": rng.uniform(0, 0.3), "TIME": 0}, max_power=float(rng.integers(3, 12))))
    if rng.random() < 0.3:
        elements.insert(0, _element({"TIME": rng.uniform(0, 1)}, min_power=float(rng.integers(3, 12))))
    if rng.random() < 0.5:
        elements.insert(0, _element({"TIME": 0, "PARKING_TIME": 0}, max_duration=int(rng.integers(10, 300)) * 60))
    if rng.random() < 0.5:
        elements.append(_element({"PARKING_TIME": rng.uniform(0, 0.8)}))
    return _linear(_request(rng, _tariff(elements), now=now, min_charge_rate_kw=Decimal("1.4"), whole_minutes=True))


def tariffs_by_energy(rng: Rng) -> Instance:
    """The first kWh of a session are cheap, or dear; by night at another step than by day."""
    step, power = 900, Decimal(int(rng.integers(1, 8)) * 4)
    per_step = power / 4
    first = float(per_step * int(rng.integers(1, 12)))
    elements = [
        _element({"ENERGY": rng.uniform(0, 0.6)}, max_kwh=first, start_time=_clock(rng), end_time=_clock(rng)),
        _element({"ENERGY": rng.uniform(0, 0.6)}, max_kwh=float(per_step * int(rng.integers(1, 12)))),
        _element({"ENERGY": rng.uniform(0, 0.6)}, start_time=_clock(rng), end_time=_clock(rng)),
        _element({"ENERGY": rng.uniform(0, 0.6), "TIME": rng.uniform(0, 1)}),
    ]
    count = int(rng.integers(8, 60))
    now = (CLOCK_BACK, CLOCK_FORWARD, NOON)[rng.integers(3)]
    need = per_step * int(rng.integers(1, count + 1))
    few = {"max_blocks": int(rng.integers(1, 5))} if rng.random() < 0.5 else {}
    read = world(_told(_tariff(elements), now, count * step, need, power, **few))
    return Instance(read, Grid.at_full_power(read, step))


def taper(rng: Rng) -> Instance:
    """The car accepts less and less; some of the need may be guaranteed, and power may have a minimum."""
    return _at_full_power(rng, acceptance=True, promised=rng.random() < 0.5, minimum=rng.random() < 0.5)


def blocks(rng: Rng) -> Instance:
    """At most K blocks at full power."""
    return _at_full_power(rng, max_blocks=int(rng.integers(1, 5)))


def blocks_with_taper(rng: Rng) -> Instance:
    """At most K blocks, and the car accepts less and less."""
    return _at_full_power(rng, acceptance=True, max_blocks=int(rng.integers(1, 4)))


def blocks_with_guarantee(rng: Rng) -> Instance:
    """At most K blocks, of which what is guaranteed begins the first."""
    return _at_full_power(rng, max_blocks=int(rng.integers(1, 4)), promised=True)


def blocks_with_minimum(rng: Rng) -> Instance:
    """At most K blocks that may run at any power between a minimum and twice to four times that."""
    ratio, coarse = int(rng.integers(2, 5)), int(rng.integers(4, 16)) * 120
    step = coarse // (ratio * (ratio - 1))  # so that any mixture of off, minimum and full is on it
    least = Decimal(int(rng.integers(1, 6))) * Decimal("1.5")
    count = int(rng.integers(4, 20))
    unit = least * coarse / 3600  # at the minimum, in one coarse step
    need = unit * int(rng.integers(1, ratio * count + 1))
    request = _told(
        _steps(rng, count, coarse),
        NOON,
        count * coarse,
        need,
        least * ratio,
        min_charge_rate_kw=least,
        max_blocks=int(rng.integers(1, 4)),
        **_hourly(rng),
    )
    read = world(request)
    powers = [read.min_kw, read.max_kw]
    return Instance(read, Grid.of_powers(read, step, unit_kw=read.min_kw, powers=powers))


def full(rng: Rng) -> Instance:
    """All the time is needed, to the last second."""
    request = prices(rng).world.request
    hours = Decimal(int((request.departure_time - request.now).total_seconds())) / 3600
    need = (request.max_charge_rate_kw * hours - _decimal(rng, 0, 0.01, 6)).quantize(Decimal("0.000001"), "ROUND_FLOOR")
    return _linear(request.model_copy(update={"energy_kwh": need}))


def greenest(rng: Rng) -> tuple[PlanRequest, World]:
    """What is to be charged with the least CO2, and the world in which CO2 is the price."""
    request = _request(rng, _curve(rng), strategy="greenest")
    slots = tuple(slot.model_copy(update={"price": _decimal(rng, 0, 900, 1)}) for slot in request.prices or ())
    return request.model_copy(update={"carbon": slots}), world(request.model_copy(update={"prices": slots}))


def weeks(rng: Rng) -> Instance:
    """A week of quarters of an hour in few blocks, up to what keeps a car plugged in nearly all the time."""
    quarters = np.arange(672)
    mean = 0.2 + 0.1 * np.sin(quarters / 96 * 2 * np.pi) + rng.uniform(-0.1, 0.1, 672) * rng.random()
    slots = [
        {
            "start": NOON + timedelta(minutes=15 * int(i)),
            "end": NOON + timedelta(minutes=15 * int(i) + 15),
            "price": price,
        }
        for i, price in zip(quarters, (Decimal(str(round(float(p), 4))) for p in mean), strict=True)
    ]
    need = Decimal(int(rng.integers(4, 640))) * Decimal("2.75")
    read = world(_told({"prices": slots}, NOON, 672 * 900, need, Decimal(11), max_blocks=int(rng.integers(1, 9))))
    return Instance(read, Grid.at_full_power(read, 900))


def infeasible(rng: Rng) -> Instance:
    """More than full power delivers by the departure."""
    request = _request(rng, _curve(rng), **_hourly(rng))
    hours = Decimal((request.departure_time - request.now).total_seconds()) / 3600
    need = (request.max_charge_rate_kw * hours * _decimal(rng, 1.001, 2, 3)).quantize(Decimal("0.001")) + 1
    return _linear(request.model_copy(update={"energy_kwh": need}))


def _at_full_power(
    rng: Rng, *, acceptance: bool = False, promised: bool = False, minimum: bool = False, **limits: Any
) -> Instance:
    """Anything where power is all or nothing, on a grid of whole seconds that no clock knows."""
    step = int(rng.integers(3, 16)) * 36 + 36 * 25 * int(rng.integers(0, 2))
    count = int(rng.integers(6, 70))
    power = Decimal(int(rng.integers(30, 220))) / 10
    powers = [power]
    for _ in range(int(rng.integers(1, 4)) if acceptance else 0):
        powers.append((powers[-1] * _decimal(rng, 0.3, 0.95, 2)).quantize(Decimal("0.1")))
    lengths = [int(rng.integers(1, max(2, count // 3))) for _ in powers]
    told, kwh = [], Decimal(0)
    for kw, length in zip(powers, lengths, strict=True):
        kwh += kw * length * step / 3600
        told.append({"upto_kwh": kwh, "max_kw": kw})
    charging = int(rng.integers(1, count + 1))
    kws = [kw for kw, length in zip(powers, lengths, strict=True) for _ in range(length)]
    kws += [powers[-1]] * count
    need = sum(kws[:charging], Decimal(0)) * step / 3600
    if acceptance:
        limits["acceptance"] = told
    if promised:
        limits["guaranteed_kwh"] = sum(kws[: int(rng.integers(0, charging + 1))], Decimal(0)) * step / 3600
    if minimum:
        limits["min_charge_rate_kw"] = (powers[-1] * _decimal(rng, 0.3, 0.95, 2)).quantize(Decimal("0.1"))
    # Where idling costs more than charging, power below the limit would pay; that is not looked for at full power.
    time, idle = sorted((_decimal(rng, 0, 2, 2), _decimal(rng, 0, 2, 2)), reverse=True)
    if rng.random() < 0.5:
        limits |= {"time_price_per_hour": time, "idle_price_per_hour": idle}
    read = world(_told(_steps(rng, count, step), NOON, count * step, need, power, **limits))
    # Up to a second less than what the grid has: then the planner must trim a limit.
    less = need - (powers[-1] / 3600 * _decimal(rng, 0, 1, 3)).quantize(Decimal("0.000001"))
    told_less = world(read.request.model_copy(update={"energy_kwh": less}))
    return Instance(told_less, Grid.at_full_power(read, step), on_grid=read)


def _linear(request: PlanRequest) -> Instance:
    return Instance(world(request))


def _request(
    rng: Rng,
    priced: dict[str, Any],
    *,
    now: datetime = NOON,
    power: Decimal | None = None,
    whole_minutes: bool = False,
    **more: Any,
) -> PlanRequest:
    """A need that can be met, mostly not at all close to what can be."""
    seconds = int(rng.integers(1800, 36 * 3600))
    seconds -= seconds % 60 if whole_minutes else 0
    if "prices" in priced:
        seconds = min(seconds, int((priced["prices"][-1]["end"] - now).total_seconds()))
    kw = power or _decimal(rng, 3, 22, 1)
    share = _decimal(rng, 0.02, 1, 3)
    need = (kw * seconds / 3600 * share).quantize(Decimal("0.001"), "ROUND_FLOOR")
    return _told(priced, now, seconds, need, kw, **more)


def _told(priced: dict[str, Any], now: datetime, seconds: int, need: Decimal, kw: Decimal, **more: Any) -> PlanRequest:
    return PlanRequest(
        now=now,
        departure_time=now + timedelta(seconds=seconds),
        energy_kwh=need,
        max_charge_rate_kw=kw,
        **priced,
        **more,
    )


def _curve(rng: Rng) -> dict[str, Any]:
    """Slots from before now on, of any length, or of an hour or a quarter."""
    every = (0, 900, 3600)[rng.integers(3)]
    at = NOON - timedelta(seconds=int(rng.integers(0, 900)))
    slots = []
    for _ in range(int(rng.integers(2, 40))):
        until = at + timedelta(seconds=every or int(rng.integers(61, 7000)))
        slots.append({"start": at, "end": until, "price": _decimal(rng, -0.1, 0.5, 3)})
        at = until
    return {"prices": slots}


def _steps(rng: Rng, count: int, step: int) -> dict[str, Any]:
    """Slots of one to five steps, ``count`` in all."""
    slots, done = [], 0
    while done < count:
        length = min(int(rng.integers(1, 6)), count - done)
        start = NOON + timedelta(seconds=done * step)
        end = start + timedelta(seconds=length * step)
        slots.append({"start": start, "end": end, "price": _decimal(rng, -0.1, 0.5, 3)})
        done += length
    return {"prices": slots}


def _hourly(rng: Rng) -> dict[str, Any]:
    if rng.random() < 0.5:
        return {}
    return {"time_price_per_hour": _decimal(rng, 0, 2, 2), "idle_price_per_hour": _decimal(rng, 0, 2, 2)}


def _tariff(elements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"tariff": {"id": "T", "currency": "EUR", "elements": elements}, "time_zone": "Europe/Helsinki"}


def _element(told: dict[str, float], **restrictions: Any) -> dict[str, Any]:
    vat = 25.5 if len(told) > 1 else 0
    components = [{"type": k, "price": round(p, 3), "vat": vat, "step_size": 1} for k, p in told.items()]
    return {"price_components": components, **({"restrictions": restrictions} if restrictions else {})}


def _clock(rng: Rng) -> str:
    return f"{rng.integers(24):02}:{rng.integers(4) * 15:02}"


def _decimal(rng: Rng, low: float, high: float, digits: int) -> Decimal:
    return Decimal(str(round(float(rng.uniform(low, high)), digits)))


def drawn(family: Callable[[Rng], Instance], count: int, *, first: int = 0) -> Iterator[tuple[int, Instance]]:
    """``count`` instances of a family with the seeds that make them."""
    for seed in range(first, first + count):
        yield seed, family(np.random.default_rng(seed))
