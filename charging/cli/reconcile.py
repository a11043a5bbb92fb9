"""``charging reconcile``: the proof that the money is right, straight from the store."""

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from charging.bootstrap.directory import DataDirectory
from charging.cli.options import Data
from charging.cli.output import notes, print_json

if TYPE_CHECKING:
    from charging.store.reconciliation import Finding


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(reconcile)


def reconcile(
    url: Annotated[
        str | None,
        typer.Option(help="SQLAlchemy URL with an async driver.", show_default="CHARGING_DATABASE_URL, else --data"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
    data: Data = None,
) -> None:
    """Ledger, payments, CDRs and receipts against each other. One line for each exception; exit 1 if there is any."""
    where = url or os.environ.get("CHARGING_DATABASE_URL") or DataDirectory.of(data).database_url
    found = asyncio.run(_findings(where))
    for each in found:
        if as_json:
            print_json({"invariant": each.invariant, "about": each.about, "detail": each.detail})
        else:
            typer.echo(f"{each.invariant}  {each.about}  {each.detail}")
    notes.print(f"{len(found)} exceptions" if found else "the books are right: no exceptions")
    if found:
        raise typer.Exit(1)


async def _findings(url: str) -> "list[Finding]":
    from charging.store.engine import Database  # here: most commands need no database
    from charging.store.reconciliation import reconcile as prove

    database = Database(url)
    try:
        return [each async for each in prove(database, datetime.now(UTC))]
    finally:
        await database.close()
