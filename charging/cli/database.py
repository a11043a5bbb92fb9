"""``charging db``: the store's schema, and what a restored store needs."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from charging.cli.output import notes

if TYPE_CHECKING:
    from charging.reuniting import Reunion

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.command()
def upgrade(
    url: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL with an async driver.", show_default="CHARGING_DATABASE_URL")
    ] = None,
) -> None:
    """Bring the database to the newest schema; run it before API and worker start. A no-op where it is there."""
    from charging.settings import get_settings  # here: the other commands need neither settings nor a database
    from charging.store.migrate import upgrade as migrate

    migrate(url or get_settings().database_url)


@app.command()
def restored() -> None:
    """Once after a restore, before API and workers start: bring the store and Temporal together (docs/backup.md)."""
    found = asyncio.run(_reunite())
    notes.print(f"{len(found.behind)} sessions go on and hear {found.messages} messages again with the rest")
    notes.print(f"{len(found.started)} sessions that Temporal did not know are started again from the store")
    for session_id in found.ended:
        typer.echo(f"{session_id}  over in Temporal, open in the store: an older store was restored")
    for session_id in found.unknown:
        typer.echo(f"{session_id}  not in the store: stop it at its CPO, then terminate its workflow")
    if found.ended or found.unknown:
        raise typer.Exit(1)


async def _reunite() -> "Reunion":
    from charging.reuniting import reunite  # here: most commands need no database
    from charging.settings import get_settings
    from charging.store.engine import Database
    from charging.temporal import connect

    settings = get_settings()
    database = Database(settings.database_url)
    try:
        return await reunite(database, await connect(settings), datetime.now(UTC))
    finally:
        await database.close()
