"""One stay as a picture: prices, and the power under each policy."""

from collections.abc import Mapping
from pathlib import Path

from benches.scheduling.real_data import DayAhead, Stay
from benches.scheduling.simulated import Curve

EVERY = 12  # steps of ten seconds: a point for each two minutes


def draw(path: Path, curves: Mapping[str, Curve], prices: DayAhead, stay: Stay, car: str) -> None:
    """Write an SVG to ``path``."""
    from matplotlib.figure import Figure  # the optional extra `plot`

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    power, money = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for (name, curve), colour in zip(curves.items(), ("#b0b7c3", "#0b7a75"), strict=True):
        points = curve[::EVERY]
        at, kw = [point[0] for point in points], [point[1] for point in points]
        power.fill_between(at, kw, step="post", alpha=0.55, color=colour, label=name, linewidth=0)
    power.axvline(stay.announced, color="#c0392b", linewidth=1.2, label="announced departure")
    power.set(ylabel="kW", title=f"A {car} at an 11 kW charger", ylim=(0, 9))
    power.legend(frameon=False, fontsize="small", loc="upper center", ncols=3)
    hours = [point[0] for point in next(iter(curves.values()))][:: EVERY * 5]
    money.step(hours, [prices.price(at) * 100 for at in hours], where="post", color="#34495e")
    money.set(ylabel="ct/kWh", xlabel="UTC")
    for axes in (power, money):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
