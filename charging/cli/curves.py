"""``charging curve``: the curves of prices and of CO2 that plans rest on."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from charging.cli.api import Json, call_admin
from charging.cli.failure import Failure
from charging.cli.options import AsJson, Data, given
from charging.cli.output import console, print_fields, print_json
from charging.cli.view.drawing import BLOCKS

FETCH_TIMEOUT_S = 70.0  # longer than the API waits

app = typer.Typer(help="Curves of prices and of CO2: uploaded, or fetched by themselves.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What we call the curve: letters, digits, dots and dashes.")]


@app.command()
def add(
    name: Name,
    kind: Annotated[str, typer.Option(help="`price` (money per kWh) or `carbon` (g CO2 per kWh).")] = "price",
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Its points, JSON or CSV.")] = None,
    url: Annotated[str | None, typer.Option(help="Where it is published; it is fetched from there ever after.")] = None,
    cpo: Annotated[str | None, typer.Option(help="It holds for this operator's chargers. Otherwise for all.")] = None,
    location: Annotated[str | None, typer.Option(help="And of these only for those of this OCPI Location.")] = None,
    currency: Annotated[str | None, typer.Option(help="EUR, …; where the points do not say it.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Add a curve, or replace the one of this name."""
    if (file is None) == (url is None):
        raise Failure("invalid_option", "Give --file or --url.", exit_code=2)
    wishes = {"kind": kind, "connection": cpo, "location": location, "currency": currency, "url": url}
    terms = given(wishes)
    if file is not None:
        media_type = "text/csv" if file.suffix.lower() == ".csv" else "application/json"
        request: Json = {"params": terms, "content": file.read_bytes(), "headers": {"Content-Type": media_type}}
        _show(call_admin(data, "PUT", _path(name), **request), as_json)
        return
    call_admin(data, "PUT", _path(name), json=terms)
    refresh(name, as_json, data)


@app.command("list")
def list_curves(as_json: AsJson = False, data: Data = None) -> None:
    """All curves, one a line."""
    answer = call_admin(data, "GET", "/v1/admin/curves")
    if as_json:
        print_json(answer)
        return
    fields = ("name", "kind", "currency", "connection", "location", "size", "known_until", "last_error")
    table = Table(*fields, box=None, pad_edge=False, header_style="dim")
    for curve in answer["curves"]:
        table.add_row(*("" if curve[field] is None else str(curve[field]) for field in fields))
    console.print(table)


@app.command()
def show(name: Name, as_json: AsJson = False, data: Data = None) -> None:
    """A curve with its points."""
    curve = call_admin(data, "GET", _path(name))
    if as_json:
        print_json(curve)
        return
    points = curve.pop("points")
    print_fields(curve)
    if points:
        console.print()
        console.print(_steps([point["price"] for point in points]))
        console.print(_points(points))


@app.command()
def remove(name: Name, data: Data = None) -> None:
    """Forget a curve; plans that rest on it are made anew."""
    call_admin(data, "DELETE", _path(name))


@app.command()
def refresh(name: Name, as_json: AsJson = False, data: Data = None) -> None:
    """Fetch a curve now. Exit 1 where that fails; the last known good one stays."""
    curve = call_admin(data, "POST", f"{_path(name)}/refresh", timeout=FETCH_TIMEOUT_S)
    _show(curve, as_json)
    if curve["last_error"]:
        raise typer.Exit(1)


def _steps(prices: list[float]) -> Text:
    """The whole curve as columns, the lowest price one eighth high."""
    low, high = min(prices), max(prices)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0
    return Text("".join(BLOCKS[round((price - low) * scale)] for price in prices), style="cyan")


def _points(points: list[Json]) -> Table:
    table = Table("from", "until", "price", box=None, pad_edge=False, header_style="dim")
    for point in points:
        table.add_row(point["start"], point["end"], f"{point['price']:g}")
    return table


def _path(name: str) -> str:
    return f"/v1/admin/curves/{name}"


def _show(answer: Json, as_json: bool) -> None:
    (print_json if as_json else print_fields)(answer)
