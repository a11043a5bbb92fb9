"""Alembic's entry: runs migrations on the database that ``charging.store.migrate`` names."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import create_engine

from charging.store import tables


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Migrations name our column types instead of spelling them out."""
    if kind != "type":
        return False
    names = {tables.UtcDateTime: "tables.UtcDateTime()", tables.Exact: "tables.Exact()"}
    if type(item) in names:
        return names[type(item)]
    return {id(tables.Json): "tables.Json", id(tables.BigId): "tables.BigId"}.get(id(item), False)


def run() -> None:
    """Run on a synchronous engine: psycopg serves both, SQLite its standard driver."""
    url = context.config.attributes["url"].replace("sqlite+aiosqlite", "sqlite")
    engine = create_engine(url)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=tables.metadata,
            render_as_batch=url.startswith("sqlite"),
            render_item=_render,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
