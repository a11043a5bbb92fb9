"""``charging reconcile``: the proof that the money is right, from the store and from whoever keeps the money."""

import asyncio
import os
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.neighbours import engine_settings
from charging.cli.failure import Failure
from charging.cli.options import Data
from charging.cli.output import notes, print_json

if TYPE_CHECKING:
    from charging.payments.finding import Finding
    from charging.settings import Settings


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
    """Ledger, payments, CDRs, receipts and the neighbour with the money against each other; exit 1 if not all is well.

    One line for each exception, and for each session about which the neighbour could not be asked.
    """
    found = asyncio.run(_report(_settings(url, data), as_json))
    if found:
        raise typer.Exit(1)


def _settings(url: str | None, data: Data) -> "Settings":
    """The engine's own: from the environment where that names the database, else those of the data directory."""
    from charging.settings import Settings  # here: most commands need none

    where = url or os.environ.get("CHARGING_DATABASE_URL")
    try:
        if where:
            return Settings(database_url=where)
        directory = DataDirectory.of(data)
        return Settings.model_validate({"database_url": directory.database_url, **engine_settings(directory)})
    except ValueError as error:
        raise Failure("settings", str(error)) from None


async def _report(settings: "Settings", as_json: bool) -> int:
    """Print what is wrong as it is found; how much that is."""
    from charging.neighbours.purse import payments_books  # here: most commands need no database
    from charging.neighbours.reconciliation import reconcile_with
    from charging.payments.finding import UNCHECKED
    from charging.store.engine import Database

    database, kinds = Database(settings.database_url), Counter[bool]()
    try:
        async for each in reconcile_with(database, payments_books(settings, database), datetime.now(UTC)):
            kinds[each.invariant == UNCHECKED] += 1
            _show(each, as_json)
    finally:
        await database.close()
    wrong = "the books are right: no exceptions" if not kinds else f"{kinds[False]} exceptions"
    notes.print(f"{wrong}, {kinds[True]} lines not checked" if kinds[True] else wrong)
    return kinds.total()


def _show(each: "Finding", as_json: bool) -> None:
    if not as_json:
        typer.echo(f"{each.invariant}  {each.about}  {each.detail}")
        return
    print_json(
        {
            "invariant": each.invariant,
            "about": each.about,
            "detail": each.detail,
            "ours": each.ours,
            "theirs": each.theirs,
        }
    )
