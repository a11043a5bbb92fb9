"""A plan as one picture: the power that it allows, the power that flowed, prices, energy, departure.

Needs the extra ``plot`` (matplotlib), which is imported when the first picture is drawn.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Literal

from charging.plan_book import as_made
from charging.planning.request import PriceSlot
from charging.session.profile import ChargingPlan
from charging.store.plans import MeterPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Form = Literal["svg", "png"]

_INK, _FAINT = "#22313f", "#c8d0d8"
_POWER, _METERED, _PRICE, _DEPARTURE = "#2e86de", "#10ac84", "#ee8f1f", "#c0392b"
_STYLE: Final[dict[Any, Any]] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "text.parse_math": False,  # a $ in a name is a $
    "svg.fonttype": "none",  # text stays text: it can be searched, and the file is small
}
# A figure is its drawer's own, but the style and the fonts are the process's.
_DRAWING = threading.Lock()


@dataclass(frozen=True)
class PlanPicture:
    """What is drawn. ``zone``: of the Location, in which the time is written. ``power_factor``: as in the plan."""

    title: str
    plan: ChargingPlan
    metered: Sequence[MeterPoint]
    prices: Sequence[PriceSlot]
    now: datetime
    zone: tzinfo = UTC


def can_draw() -> bool:
    """Whether the extra is installed."""
    return find_spec("matplotlib") is not None


def draw(picture: PlanPicture, form: Form) -> bytes:
    """The picture as a file. Takes a tenth of a second and more: call it in a thread."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with _DRAWING, rc_context(_STYLE):
        figure = Figure(figsize=(10, 6), layout="constrained")
        power, energy = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_power(power, picture)
        _draw_prices(power, picture)
        _draw_energy(energy, picture)
        _draw_moments(figure, picture)
        _label_time(energy, picture)
        figure.suptitle(_headline(picture), x=0.01, ha="left", fontsize=13, fontweight="bold")
        file = BytesIO()
        metadata = {"Date": None} if form == "svg" else {}
        figure.savefig(file, format=form, dpi=130, metadata=metadata)
    return file.getvalue()


def _draw_power(axes: "Axes", picture: PlanPicture) -> None:
    plan, edges = picture.plan, [*_starts(picture.plan), _end(picture)]
    allowed = [float(period.limit / 1000) * plan.power_factor for period in plan.periods]
    axes.stairs(allowed, _times(edges), fill=True, color=_POWER, alpha=0.25)
    axes.stairs(allowed, _times(edges), color=_POWER, linewidth=1.8, label="planned")
    told = [(point.at, float(point.power_kw)) for point in picture.metered if point.power_kw is not None]
    if told:
        times, powers = zip(*told, strict=True)
        axes.step(_times(times), powers, where="post", color=_METERED, linewidth=1.5, label="metered")
    axes.set_ylim(0, max([*allowed, *(power for _, power in told), 1]) * 1.15)
    axes.set_ylabel("kW")
    axes.legend(loc="upper left", frameon=False, ncols=2)
    axes.grid(axis="y", color=_FAINT, linewidth=0.5)


def _draw_prices(axes: "Axes", picture: PlanPicture) -> None:
    axes.spines["right"].set_visible(False)
    if not picture.prices:
        return
    beside = axes.twinx()
    for begin, *rest in _runs(picture.prices):
        slots = [begin, *rest]
        edges = [*(slot.start for slot in slots), slots[-1].end]
        prices = [float(slot.price) for slot in slots]
        beside.stairs(prices, _times(edges), color=_PRICE, linewidth=1.3, baseline=None)
    low, high = (float(edge(slot.price for slot in picture.prices)) for edge in (min, max))
    beside.set_ylim(min(low, 0) * 1.15, max(high, 0.01) * 1.25)
    currency = picture.plan.figures.currency if picture.plan.figures else None
    beside.set_ylabel(f"{currency or 'price'}/kWh", color=_PRICE)
    beside.tick_params(axis="y", colors=_PRICE)
    beside.spines["left"].set_visible(False)


def _draw_energy(axes: "Axes", picture: PlanPicture) -> None:
    plan = as_made(picture.plan)
    moments = sorted({*_starts(plan), *_evenly(plan.starts_at, _end(picture))})
    expected = [(at, plan.expected_kwh(at)) for at in moments]
    known = [(at, float(kwh)) for at, kwh in expected if kwh is not None]
    if known:
        times, kwhs = zip(*known, strict=True)
        axes.plot(_times(times), kwhs, color=_POWER, linewidth=1.8)
        axes.fill_between(_times(times), kwhs, float(plan.kwh_at_start), color=_POWER, alpha=0.12)
    metered = [(point.at, float(point.kwh)) for point in picture.metered]
    if metered:
        times, kwhs = zip(*metered, strict=True)
        axes.plot(_times(times), kwhs, color=_METERED, linewidth=1.8)
    axes.set_ylabel("kWh")
    axes.set_ylim(bottom=0)
    axes.spines["right"].set_visible(False)
    axes.grid(axis="y", color=_FAINT, linewidth=0.5)


def _draw_moments(figure: "Figure", picture: PlanPicture) -> None:
    """The departure, and now, through both halves."""
    departure = picture.plan.wish.departure_time
    for axes in figure.axes[:2]:
        if departure is not None:
            axes.axvline(_time(departure), color=_DEPARTURE, linewidth=1.5, linestyle="--")
        axes.axvline(_time(picture.now), color=_INK, linewidth=0.8, linestyle=":")
    if departure is not None:
        top = figure.axes[0].get_ylim()[1]
        words = " departure "
        figure.axes[0].text(_time(departure), top, words, color=_DEPARTURE, ha="right", va="top", rotation=90)


def _label_time(axes: "Axes", picture: PlanPicture) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=picture.zone)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=picture.zone))
    begin = min([picture.plan.starts_at, *(point.at for point in picture.metered)])
    margin = (_end(picture) - begin) * 0.01
    axes.set_xlim(_time(begin - margin), _time(_end(picture) + margin))


def _headline(picture: PlanPicture) -> str:
    figures = picture.plan.figures
    words = [picture.title, picture.plan.strategy]
    if figures is not None and figures.cost is not None:
        words.append(f"{figures.cost:.2f} {figures.currency or ''}".strip())
        if figures.cost_if_asap is not None and figures.cost_if_asap > figures.cost:
            words.append(f"{figures.cost_if_asap - figures.cost:.2f} less than at once")
    if figures is not None and not figures.feasible:
        words.append(f"{figures.shortfall_kwh:.1f} kWh short")
    return "  ·  ".join(words)


def _starts(plan: ChargingPlan) -> list[datetime]:
    return [plan.starts_at + timedelta(seconds=period.start_period) for period in plan.periods]


def _end(picture: PlanPicture) -> datetime:
    """The right edge: all that is planned or was metered, and at least an hour."""
    plan = picture.plan
    moments = [plan.starts_at + timedelta(hours=1), _starts(plan)[-1] + timedelta(minutes=1)]
    moments += [point.at for point in picture.metered[-1:]]
    moments += [plan.wish.departure_time] if plan.wish.departure_time else []
    return max(moments)


def _evenly(begin: datetime, end: datetime) -> list[datetime]:
    return [begin + (end - begin) * share / 200 for share in range(201)]


def _runs(slots: Sequence[PriceSlot]) -> list[list[PriceSlot]]:
    """The slots in pieces without a gap."""
    runs: list[list[PriceSlot]] = []
    for slot in slots:
        if runs and runs[-1][-1].end == slot.start:
            runs[-1].append(slot)
        else:
            runs.append([slot])
    return runs


def _times(moments: Sequence[datetime]) -> Any:
    return [_time(moment) for moment in moments]


def _time(moment: datetime) -> float:
    from matplotlib.dates import date2num

    number: float = date2num(moment)
    return number
