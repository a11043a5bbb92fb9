"""``charging cpo``: which charge point operators the engine is connected to."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from charging.cli.api import Json, call_admin
from charging.cli.check import check
from charging.cli.failure import Failure
from charging.cli.options import AsJson, Data, given
from charging.cli.output import console, notes, print_fields, print_json
from charging.cli.view.findings import findings_table

SYNC_TIMEOUT_S = 620.0  # longer than the API waits

app = typer.Typer(help="Charge point operators, connected over OCPI.", no_args_is_help=True)
app.command()(check)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What we call the operator.")],
    versions_url: Annotated[str, typer.Argument(help="Its OCPI versions endpoint.")],
    token: Annotated[str, typer.Option(envvar="CHARGING_CPO_TOKEN", help="The registration token it gave us.")],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Connect an operator: the OCPI handshake, then its locations and tariffs."""
    request = {"cpo_name": name, "versions_url": versions_url, "token": token}
    connection = call_admin(data, "POST", "/ocpi/register", json=request)
    (print_json if as_json else print_fields)(connection)


@app.command("list")
def list_connections(as_json: AsJson = False, data: Data = None) -> None:
    """All operators, one a line."""
    answer = call_admin(data, "GET", "/ocpi/connections")
    if as_json:
        print_json(answer)
        return
    table = Table("id", "name", "network", "status", "version", box=None, pad_edge=False, header_style="dim")
    for connection in answer["connections"]:
        table.add_row(*(str(connection.get(column.header) or "") for column in table.columns))
    console.print(table)


@app.command("set")
def change(
    connection: Annotated[str, typer.Argument(help="The connection's name or id, as `charging cpo list` shows it.")],
    start_token: Annotated[
        str | None, typer.Option(help="What a start shows: `one_time` tokens, or the stable one of the `user`.")
    ] = None,
    max_profile_periods: Annotated[
        int | None, typer.Option(help="So many periods fit into one charging profile.")
    ] = None,
    hold_minimum: Annotated[
        bool | None, typer.Option(help="It resumes badly from 0 W: a plan's pauses are sent as the least power.")
    ] = None,
    pauses_are_parking: Annotated[
        bool | None, typer.Option(help="It bills parking time while a charging profile pauses.")
    ] = None,
    tariff_rules: Annotated[
        str | None, typer.Option(help='How it reads tariffs where OCPI is unclear, as JSON: {"flat": "each"}.')
    ] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Change how we work with an operator; what is not given stays."""
    settings = {
        "start_token": start_token,
        "max_profile_periods": max_profile_periods,
        "hold_minimum": hold_minimum,
        "pauses_are_parking": pauses_are_parking,
        "tariff_rules": None if tariff_rules is None else _json(tariff_rules),
    }
    path = f"/ocpi/connections/{quote(connection, safe='')}"
    changed = call_admin(data, "PATCH", path, json=given(settings))
    (print_json if as_json else print_fields)(changed)


@app.command()
def doctor(
    connection: Annotated[str, typer.Argument(help="The connection's name or id, as `charging cpo list` shows it.")],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """What an operator violates of OCPI, seen in its traffic, with counts."""
    answer = call_admin(data, "GET", f"/ocpi/connections/{quote(connection, safe='')}/findings")
    if as_json:
        print_json(answer)
    else:
        console.print(findings_table(answer))


@app.command()
def rotate(
    connection: Annotated[str, typer.Argument(help="The connection's name or id, as `charging cpo list` shows it.")],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """New tokens with an operator, both ways; the old ones are good until the new ones are used."""
    answer = call_admin(data, "POST", f"/ocpi/connections/{quote(connection, safe='')}/rotate")
    (print_json if as_json else print_fields)(answer)


@app.command()
def remove(
    connection: Annotated[str, typer.Argument(help="The connection's name or id, as `charging cpo list` shows it.")],
    data: Data = None,
) -> None:
    """Disconnect an operator: both sides' tokens become invalid."""
    call_admin(data, "DELETE", f"/ocpi/connections/{quote(connection, safe='')}")


@app.command()
def sync(
    connection: Annotated[str, typer.Argument(help="The connection's name or id, as `charging cpo list` shows it.")],
    module: Annotated[str, typer.Option(help="Only sessions, cdrs, tariffs or locations.")] = "",
    full: Annotated[bool, typer.Option("--full", help="Everything, not only what is new.")] = False,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Pull what an operator has, now, and show what that changed."""
    order = {"full": full, **({"module": module} if module else {})}
    path = f"/ocpi/connections/{quote(connection, safe='')}/sync"
    report = call_admin(data, "POST", path, json=order, timeout=SYNC_TIMEOUT_S)
    if as_json:
        print_json(report)
    else:
        _print_pulls(report["pulls"])
    if any(pull["error"] for pull in report["pulls"]):
        raise typer.Exit(1)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure("invalid_option", "--tariff-rules is not JSON.", exit_code=2) from error


def _print_pulls(pulls: list[Json]) -> None:
    numbers = ("pages", "seen", "created", "changed", "unchanged", "broken", "missing")
    table = Table("module", "", *numbers, box=None, pad_edge=False, header_style="dim")
    for pull in pulls:
        kind = "everything" if pull["full"] else "news"
        table.add_row(pull["module"], kind, *(str(pull[name]) for name in numbers))
    console.print(table)
    for pull in pulls:
        if pull["error"]:
            notes.print(f"{pull['module']}: {pull['error']}", markup=False)
