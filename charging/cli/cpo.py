"""``charging cpo``: which charge point operators the engine is connected to."""

import asyncio
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from charging.cli.api import Json, connect
from charging.cli.options import AsJson, Data
from charging.cli.output import console, print_fields, print_json
from charging.cli.target import target

app = typer.Typer(help="Charge point operators, connected over OCPI.", no_args_is_help=True)


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
    connection = _admin(data, "POST", "/ocpi/register", json=request)
    (print_json if as_json else print_fields)(connection)


@app.command("list")
def list_connections(as_json: AsJson = False, data: Data = None) -> None:
    """All operators, one a line."""
    answer = _admin(data, "GET", "/ocpi/connections")
    if as_json:
        print_json(answer)
        return
    table = Table("id", "name", "network", "status", "version", box=None, pad_edge=False, header_style="dim")
    for connection in answer["connections"]:
        table.add_row(*(str(connection.get(column.header) or "") for column in table.columns))
    console.print(table)


@app.command()
def rotate(
    connection: Annotated[str, typer.Argument(help="The connection's name or id, as `charging cpo list` shows it.")],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """New tokens with an operator, both ways; the old ones are good until the new ones are used."""
    answer = _admin(data, "POST", f"/ocpi/connections/{quote(connection, safe='')}/rotate")
    (print_json if as_json else print_fields)(answer)


@app.command()
def remove(
    connection: Annotated[str, typer.Argument(help="The connection's name or id, as `charging cpo list` shows it.")],
    data: Data = None,
) -> None:
    """Disconnect an operator: both sides' tokens become invalid."""
    _admin(data, "DELETE", f"/ocpi/connections/{quote(connection, safe='')}")


def _admin(data: Path | None, method: str, path: str, **request: Any) -> Json:
    async def call() -> Json:
        async with connect(target(data)) as api:
            return await api.call(method, path, **request)

    return asyncio.run(call())
