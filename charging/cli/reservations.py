"""``charging reserve | unreserve | unlock``: an EVSE kept free, given back, and its cable freed."""

from typing import Annotated
from urllib.parse import quote

import typer

from charging.cli.api import Json, call_admin
from charging.cli.options import AsJson, Data
from charging.cli.output import print_fields, print_json

Evse = Annotated[str, typer.Argument(help="The charger, in any spelling: FI-VRT-E12345.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (reserve, unreserve, unlock):
        app.command()(command)


def reserve(
    evse_id: Evse,
    until: Annotated[str, typer.Option(help="When it expires: 2026-03-30T18:00:00Z.")],
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same again reserves nothing new.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Reserve a charger; prints the reservation."""
    headers = {"Idempotency-Key": key} if key else None
    order = {"evse_id": evse_id, "expires_at": until}
    _show(call_admin(data, "POST", "/v1/reservations", json=order, headers=headers), as_json)


def unreserve(
    reservation_id: Annotated[str, typer.Argument(help="As `charging reserve` prints it.")],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Give a reservation back. May be repeated."""
    _show(call_admin(data, "DELETE", f"/v1/reservations/{quote(reservation_id, safe='')}"), as_json)


def unlock(
    evse_id: Evse,
    connector_id: Annotated[str | None, typer.Option("--connector", help="Which, where there are several.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Unlock a charger's connector, for a cable that is stuck."""
    order = {"evse_id": evse_id, **({"connector_id": connector_id} if connector_id else {})}
    _show(call_admin(data, "POST", "/ocpi/unlock", json=order), as_json)


def _show(answer: Json, as_json: bool) -> None:
    (print_json if as_json else print_fields)(answer)
