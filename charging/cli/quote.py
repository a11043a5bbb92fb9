"""``charging quote``: what a charge would cost, before it starts."""

import asyncio
from typing import Annotated

import typer

from charging.cli.api import Json, connect
from charging.cli.options import AsJson, Data, given
from charging.cli.output import console, print_json
from charging.cli.target import target
from charging.cli.view.quote import quote_panel


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(quote)


def quote(
    evse_id: Annotated[str, typer.Argument(help="The charger, in any spelling: FI-VRT-E12345.")],
    kwh: Annotated[float, typer.Option(help="Energy to charge.")],
    connector: Annotated[str | None, typer.Option(help="CCS, CHAdeMO, Type2, Type1, NACS.")] = None,
    hours: Annotated[float | None, typer.Option(help="How long the car is plugged in.")] = None,
    at: Annotated[str | None, typer.Option(help="When it starts: 2026-03-30T18:00:00Z. Default: now.")] = None,
    max_kw: Annotated[float | None, typer.Option(help="No more than so many kW.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """What a charge would cost, line by line. Starts nothing."""
    wishes = {
        "evse_id": evse_id,
        "connector_type": connector,
        "energy_kwh": kwh,
        "duration_minutes": None if hours is None else round(hours * 60),
        "start_time": at,
        "max_charge_rate_kw": max_kw,
    }
    request = given(wishes)

    async def ask() -> Json:
        async with connect(target(data)) as api:
            return await api.quote(request)

    answer = asyncio.run(ask())
    if as_json:
        print_json(answer)
    else:
        console.print(quote_panel(answer))
