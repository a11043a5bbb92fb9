"""``charging evse`` and ``charging evses``: look at chargers before driving there."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from charging.cli.api import Api, Json, connect
from charging.cli.failure import Failure
from charging.cli.options import AsJson, Data
from charging.cli.output import console, print_fields, print_json
from charging.cli.target import target


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (evse, evses):
        app.command()(command)


def evse(
    evse_id: Annotated[str, typer.Argument(help="The charger, in any spelling: FI-VRT-E12345.")],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """One charger: status, connectors, power, price."""
    answer = _ask(data, lambda api: api.evse(evse_id))
    (print_json if as_json else print_fields)(answer)


def evses(
    near: Annotated[str, typer.Option(help="LAT,LNG in degrees: 60.17,24.94.")],
    radius: Annotated[float, typer.Option(help="m, as the crow flies.")] = 2000,
    connector: Annotated[str | None, typer.Option(help="CCS, CHAdeMO, Type2, Type1, NACS.")] = None,
    free: Annotated[bool, typer.Option("--free", help="Only those that are available.")] = False,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Chargers nearby, nearest first, one a line."""
    latitude, longitude = _point(near)
    wishes: Json = {"lat": latitude, "lng": longitude, "radius_m": radius}
    wishes |= {"connector_type": connector} if connector else {}
    wishes |= {"available": True} if free else {}
    answer = _ask(data, lambda api: api.evses(wishes))
    if as_json:
        print_json(answer)
    else:
        console.print(_table(answer))


def _point(text: str) -> tuple[float, float]:
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        raise Failure("invalid_option", "--near takes LAT,LNG", exit_code=2) from None
    return latitude, longitude


def _table(answer: Json) -> Table:
    table = Table("m", "EVSE", "network", "status", "connectors", "where", box=None, pad_edge=False, header_style="dim")
    for found in answer["evses"]:
        plugs = ", ".join(f"{c['connector_type']} {c['max_power_kw']:g} kW" for c in found["connectors"])
        name = found["evse_id"] or found["evse_uid"]
        where = found["location"]["address"] or found["location"]["name"] or ""
        table.add_row(f"{found['distance_m']:.0f}", name, found["network"], found["status"], plugs, where)
    return table


def _ask(data: Path | None, question: Callable[[Api], Awaitable[Json]]) -> Json:
    async def ask() -> Json:
        async with connect(target(data)) as api:
            return await question(api)

    return asyncio.run(ask())
