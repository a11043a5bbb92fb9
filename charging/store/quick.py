"""One prepared statement on the database driver's own connections, for the read that robots repeat all day.

SQLAlchemy's asyncio layer costs several times what the read itself does; here it only writes the statement and
converts the columns. Measured in benches/.
"""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

import psycopg
from sqlalchemy import JSON, Select, TypeDecorator

from charging.errors import StoreUnavailable
from charging.store.engine import Database

Values = Sequence[Any]

_POSTGRES_CONNECTIONS = 8
_POSTGRES_WAIT_S = 5

# As charging.store.engine reads JSON, with one decoder for all reads: making it costs more than a small document.
_from_json = json.JSONDecoder(parse_float=Decimal).decode


class _Driver(Protocol):
    """What differs between the two databases."""

    async def fetch(self, sql: str, parameters: Values) -> Values | None:
        """The first row of ``sql``. Raises ``StoreUnavailable``."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


class QuickRead:
    """Reads the first row of ``statement``, whose bind parameters are given by name, converted as SQLAlchemy would."""

    def __init__(self, database: Database, statement: Select[Any]) -> None:
        dialect = database.engine.dialect
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._names = compiled.positiontup or []
        self._by_name = not self._names
        self._literals = compiled.params  # what the statement itself brings, such as the 1 of LIMIT 1
        self._converters = [_converter(column.type, dialect) for column in statement.selected_columns]
        self._driver: _Driver = _Sqlite(database) if database.is_sqlite else _Postgres(database)

    async def one(self, **parameters: Any) -> list[Any] | None:
        """The row's values in the statement's order, or None."""
        named = {**self._literals, **parameters}
        values: Any = named if self._by_name else [named[name] for name in self._names]
        row = await self._driver.fetch(self._sql, values)
        if row is None:
            return None
        return [
            convert(value) if convert and value is not None else value
            for convert, value in zip(self._converters, row, strict=True)
        ]

    async def close(self) -> None:
        """Close the driver's connections."""
        await self._driver.close()


def _converter(column_type: Any, dialect: Any) -> Callable[[Any], Any] | None:
    if isinstance(column_type, JSON):
        return None if dialect.name == "postgresql" else _from_json
    if dialect.name == "postgresql":
        # psycopg makes Python values of everything; only our own types have something to add.
        ours = isinstance(column_type, TypeDecorator)
        return (lambda value: column_type.process_result_value(value, dialect)) if ours else None
    convert: Callable[[Any], Any] | None = column_type.dialect_impl(dialect).result_processor(dialect, None)
    return convert


class _Sqlite:
    """One read-only connection, used in the event loop's own thread.

    Under WAL a reader never waits for a writer, and the row is in the page cache: handing the read to another thread
    would take ten times as long as the read.
    """

    def __init__(self, database: Database) -> None:
        self._path = database.engine.url.database
        self._connection: sqlite3.Connection | None = None

    async def fetch(self, sql: str, parameters: Values) -> Values | None:
        """The first row."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
            row: Values | None = self._connection.execute(sql, parameters).fetchone()
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error
        return row

    async def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Postgres:
    """A few connections in autocommit; one that breaks is replaced at its next use."""

    def __init__(self, database: Database) -> None:
        self._url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._free: asyncio.LifoQueue[psycopg.AsyncConnection[Any] | None] = asyncio.LifoQueue()
        for _ in range(_POSTGRES_CONNECTIONS):
            self._free.put_nowait(None)

    async def fetch(self, sql: str, parameters: Values) -> Values | None:
        """The first row."""
        try:
            async with asyncio.timeout(_POSTGRES_WAIT_S):
                return await self._with_connection(lambda c: _fetch(c, sql, parameters))
        except (psycopg.OperationalError, TimeoutError) as error:
            raise StoreUnavailable(type(error).__name__) from error

    async def _with_connection(
        self, use: Callable[[psycopg.AsyncConnection[Any]], Awaitable[Values | None]]
    ) -> Values | None:
        connection = await self._free.get()
        try:
            if connection is None or connection.closed:
                connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, prepare_threshold=0)
            return await use(connection)
        except BaseException:
            # Cancelled half-way or broken: nobody knows in what state it is.
            if connection is not None:
                await connection.close()
                connection = None
            raise
        finally:
            self._free.put_nowait(connection)

    async def close(self) -> None:
        """Close the connections that are free; call it when nobody reads any more."""
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None:
                await connection.close()


async def _fetch(connection: psycopg.AsyncConnection[Any], sql: str, parameters: Values) -> Values | None:
    cursor = await connection.execute(sql, parameters)
    row: Values | None = await cursor.fetchone()
    return row
