"""``python -m benches.scheduling DATA``: a table of what each policy costs and misses, and a picture of one stay."""

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benches.scheduling.picture import draw
from benches.scheduling.policies import CAUTIOUS, NONE, AtOnce, Limits, Planned
from benches.scheduling.real_data import Car, DayAhead, Stay, cars, stays
from benches.scheduling.simulated import Curve, Stand, charge

FULL = 0.9  # the state of charge at which a car that got its need leaves
NEARLY = 0.99  # of the need: what counts as a departure that was met
CHARGERS = ((7.4, False), (11.0, False), (50.0, True))

Policies = Mapping[str, Callable[[Stay], Limits]]


@dataclass
class Result:
    """Sums over all stays under one policy. EUR, kWh."""

    cost: float = 0.0
    kwh: float = 0.0
    need: float = 0.0
    met: int = 0
    possible: int = 0
    switches: int = 0
    plans: int = 0
    stays: int = 0


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benches.scheduling", description=__doc__)
    parser.add_argument("data", type=Path, help="directory with sessions/, ev-curves/ and prices/")
    parser.add_argument("--stays", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="where to draw one stay (SVG)")
    options = parser.parse_args()
    prices = DayAhead(options.data)
    chosen = random.Random(options.seed).sample(list(stays(options.data)), options.stays)
    fleet = cars(options.data)
    for kw, dc in CHARGERS:
        print(f"\n{len(chosen)} stays at {kw:g} kW {'DC' if dc else 'AC'}, {len(fleet)} kinds of cars\n")
        print(_table(chosen, fleet, kw, dc, prices, options.seed))
    if options.picture:
        _picture(options.picture, chosen, fleet, prices)


def _policies(prices: DayAhead) -> Policies:
    return {
        "at once": lambda stay: AtOnce(),
        "a plan to the minute, made once": lambda stay: Planned(stay.announced, prices, NONE, False),
        "the same, kept true": lambda stay: Planned(stay.announced, prices, NONE, True),
        "**the engine**: kept true, with caution": lambda stay: Planned(stay.announced, prices, CAUTIOUS, True),
    }


def _table(chosen: Sequence[Stay], fleet: Sequence[Car], kw: float, dc: bool, prices: DayAhead, seed: int) -> str:
    policies, dice = _policies(prices), random.Random(seed)
    results = {name: Result() for name in policies}
    for stay in chosen:
        car = dice.choice(fleet)
        played = {name: _play(stay, car, kw, dc, policy(stay), prices) for name, policy in policies.items()}
        at_once = played["at once"][0]
        for name, (stand, limits, _) in played.items():
            _count(results[name], stand, limits.plans, at_once.kwh >= NEARLY * at_once.need_kwh)
    return "\n".join(_lines(results))


def _play(stay: Stay, car: Car, kw: float, dc: bool, limits: Limits, prices: DayAhead) -> tuple[Stand, Limits, Curve]:
    soc = max(0.05, FULL - stay.need_kwh / car.battery_kwh)
    stand = Stand(car, soc, kw, dc, min(stay.need_kwh, (FULL - soc) * car.battery_kwh))
    # The promise is for the announced departure: what the car does after it is not asked here.
    return stand, limits, charge(stand, limits, prices.price, stay.arrival, stay.announced)


def _count(result: Result, stand: Stand, plans: int, possible: bool) -> None:
    result.cost += stand.cost
    result.kwh += stand.kwh
    result.need += stand.need_kwh
    result.possible += possible
    result.met += possible and stand.kwh >= NEARLY * stand.need_kwh
    result.switches += stand.switches
    result.plans += plans
    result.stays += 1


def _lines(results: Mapping[str, Result]) -> list[str]:
    base = results["at once"]
    lines = [
        "| policy | EUR per MWh | saved | of the need delivered | departures met, of those that can be "
        "| switches per stay | plans per stay |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, r in results.items():
        per_mwh, at_once = r.cost / r.kwh * 1000, base.cost / base.kwh * 1000
        lines.append(
            f"| {name} | {per_mwh:.2f} | {1 - per_mwh / at_once:.1%} | {r.kwh / r.need:.2%} | "
            f"{r.met / r.possible:.1%} of {r.possible} | {r.switches / r.stays:.2f} | {r.plans / r.stays:.2f} |"
        )
    return lines


def _picture(path: Path, chosen: Sequence[Stay], fleet: Sequence[Car], prices: DayAhead) -> None:
    """The longest stay of the sample at 11 kW, with a car that takes 7.4 kW: what nobody told the engine."""
    stay = max(chosen, key=lambda stay: stay.announced - stay.arrival)
    car = next(car for car in fleet if 7 <= car.ac_kw <= 7.5 and car.battery_kwh >= 45)
    curves = {
        name.replace("*", ""): _play(stay, car, 11.0, False, policy(stay), prices)[2]
        for name, policy in _policies(prices).items()
        if "made once" not in name and "the same" not in name
    }
    draw(path, curves, prices, stay, car.name)


if __name__ == "__main__":
    main()
