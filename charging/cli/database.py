"""``charging db``: the store's schema."""

from typing import Annotated

import typer

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``upgrade`` a subcommand although it is the only one."""


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
