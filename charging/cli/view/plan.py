"""A session's plan for people: when it charges, what power costs then, what it comes to, and why."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from charging.cli.view.drawing import BLOCKS

WIDTH = 100
BAR = 60

Plan = dict[str, Any]


def plan_panel(answer: dict[str, Any]) -> RenderableType:
    """What ``GET /v1/sessions/{id}/plan`` answers."""
    plan = answer["plan"]
    if plan is None:
        return Panel("No charging profile is in force: the car takes what it can.", width=WIDTH, border_style="cyan")
    parts: list[RenderableType] = [_promise(plan), Text(), _bars(plan, answer["prices"]), Text(), _periods(plan)]
    parts += [Text.assemble(("! ", "bold yellow"), warning["detail"]) for warning in plan["warnings"]]
    parts += [_past(past) for past in answer["earlier"]]
    title = f"[bold]Plan[/]  revision {plan['revision']}, {answer['state'].replace('_', ' ')}"
    return Panel(Group(*parts), title=title, title_align="left", border_style="cyan", padding=(1, 2), width=WIDTH)


def _promise(plan: Plan) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = {
        "Strategy": plan["strategy"],
        "Departure": _clock(plan["departure_time"]),
        "Ready": _ready(plan),
        "Cost": _cost(plan),
        "Prices": _source(plan),
        "Emits": f"{plan['carbon_g'] / 1000:.1f} kg CO2" if plan["carbon_g"] is not None else "",
    }
    for name, words in rows.items():
        if words:
            table.add_row(Text(name, style="dim"), words if isinstance(words, Text) else Text(words))
    return table


def _ready(plan: Plan) -> Text:
    if plan["feasible"] is None:
        return Text("")
    if plan["feasible"]:
        return Text(f"{_clock(plan['projected_finish'])}, {plan['energy_kwh']:.1f} kWh", style="bold green")
    short = f"{plan['shortfall_kwh']:.1f} kWh short at the departure"
    return Text(f"{short}; ready {_clock(plan['projected_finish'])}, or with {plan['required_kw']:.1f} kW", "bold red")


def _cost(plan: Plan) -> Text | None:
    if plan["cost"] is None:
        return None
    saved = (plan["cost_if_asap"] or plan["cost"]) - plan["cost"]
    words = Text(f"{plan['cost']:.2f} {plan['currency'] or ''}", style="bold")
    return words.append(f"  ({saved:.2f} less than at once)", style="green") if saved >= 0.005 else words


def _source(plan: Plan) -> str:
    known = f", known until {_clock(plan['price_horizon'])}" if plan["price_horizon"] else ""
    return f"{plan['price_source']}{known}" if plan["price_source"] else ""


def _bars(plan: Plan, prices: Sequence[dict[str, Any]]) -> RenderableType:
    """Power and price over time, from the plan's start to the departure or the last change."""
    begin, end = _moment(plan["starts_at"]), _end(plan)
    step = (end - begin) / BAR
    moments = [begin + step * (n + 0.5) for n in range(BAR)]
    table = Table.grid(padding=(0, 1))
    powers = [_limit(plan, at) / 1000 for at in moments]
    table.add_row(
        Text("kW", style="dim"), _columns(powers, lambda share: "cyan" if share else "dim"), f"{max(powers):g}"
    )
    if prices:
        costs = [_price(prices, at) for at in moments]
        unit = f"{plan['currency'] or ''}/kWh".lstrip("/")
        told = [cost for cost in costs if cost is not None]
        edges = f"{min(told):g} to {max(told):g} {unit}" if told else ""
        table.add_row(Text("price", style="dim"), _columns(costs, _colour, least=min([*told, 0])), edges)
    table.add_row("", Text(f"{begin.astimezone():%H:%M}".ljust(BAR - 5) + f"{end.astimezone():%H:%M}", style="dim"))
    return table


def _columns(values: Sequence[float | None], style: Callable[[float], str], *, least: float = 0) -> Text:
    """One character for each value, as high as its share of the highest; a blank where there is none."""
    top = max((value for value in values if value is not None), default=0)
    bar = Text()
    for value in values:
        share = 0.0 if value is None or top <= least else (value - least) / (top - least)
        bar.append(" " if value is None else BLOCKS[round(share * (len(BLOCKS) - 1))], style=style(share))
    return bar


def _colour(share: float) -> str:
    return "green" if share < 0.45 else "yellow" if share < 0.75 else "red"


def _periods(plan: Plan) -> Table:
    table = Table("from", "kW", "why", box=None, pad_edge=False, header_style="dim")
    begin = _moment(plan["starts_at"])
    for period in plan["periods"]:
        at = begin + timedelta(seconds=period["start_period"])
        power = Text(f"{period['limit'] / 1000:g}", style="bold cyan" if period["limit"] else "dim")
        table.add_row(_local(at), power, Text(period["reason"]))
    return table


def _past(past: dict[str, Any]) -> Text:
    why = past["replaced_because"] or "The operator did not take it."
    return Text(f"revision {past['revision']}, {past['state']} {_clock(past['replaced_at'])}: {why}", style="dim")


def _limit(plan: Plan, at: datetime) -> float:
    begun = [p for p in plan["periods"] if _moment(plan["starts_at"]) + timedelta(seconds=p["start_period"]) <= at]
    return float((begun or plan["periods"])[-1]["limit"])


def _price(prices: Sequence[dict[str, Any]], at: datetime) -> float | None:
    return next((float(p["price"]) for p in prices if _moment(p["start"]) <= at < _moment(p["end"])), None)


def _end(plan: Plan) -> datetime:
    begin = _moment(plan["starts_at"])
    departure = [_moment(plan["departure_time"])] if plan["departure_time"] else []
    return max([*departure, begin + timedelta(seconds=plan["periods"][-1]["start_period"]), begin + timedelta(hours=1)])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(text: str | None) -> str:
    return _local(_moment(text)) if text else ""


def _local(at: datetime) -> str:
    return f"{at.astimezone():%a %H:%M}"
