"""The database driver's own connections, for the few statements that robots wait for all day.

SQLAlchemy's asyncio layer costs several times what such a statement itself does; here it only writes the SQL and
converts the columns (``charging.store.quick``). Measured in benches/.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads

from charging.errors import NotUnique, StoreUnavailable, Unstorable
from charging.store.exact_json import from_json, to_json

Values = Any  # the parameters of a statement: a sequence, or a mapping, as the driver's style wants
Result = TypeVar("Result")

_POSTGRES_CONNECTIONS = 8
_POSTGRES_WAIT_S = 5
_NOT_UNIQUE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


class Driver(Protocol):
    """What differs between the two databases. Every method raises ``StoreUnavailable`` and ``Unstorable``."""

    async def fetch(self, sql: str, parameters: Values) -> Sequence[Sequence[Any]]:
        """All rows of a SELECT."""
        ...

    async def write(self, statements: Sequence[tuple[str, Values]]) -> None:
        """``statements`` in one transaction, in order. Raises ``NotUnique``, and then has written nothing."""
        ...

    async def close(self) -> None:
        """Give the connections back; call it when nobody works any more."""
        ...


class SqliteDriver:
    """One connection that reads in the event loop's own thread, and one that writes in another.

    Under WAL a reader never waits for a writer, and the row is in the page cache: handing a read to another thread
    would take ten times as long as the read. A write waits for the disk: one hop to a thread for all its statements.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None

    async def fetch(self, sql: str, parameters: Values) -> Sequence[Sequence[Any]]:
        """All rows."""
        try:
            if self._reader is None:
                self._reader = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error

    async def write(self, statements: Sequence[tuple[str, Values]]) -> None:
        """One transaction in a thread, which is seen to its end even where the caller is cancelled."""
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, statements))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise

    def _write(self, statements: Sequence[tuple[str, Values]]) -> None:
        try:
            if self._writer is None:
                self._writer = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
                configure_sqlite(self._writer)
            self._writer.execute("BEGIN IMMEDIATE")
            with self._writer:  # commits, or rolls back on any error
                for sql, parameters in statements:
                    self._writer.execute(sql, parameters)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode not in _NOT_UNIQUE:
                raise
            raise NotUnique from error
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error

    async def close(self) -> None:
        """Close the file."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None


def configure_sqlite(connection: Any) -> None:
    """What every writing connection is set to (``charging.store.engine`` says why)."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


class PostgresDriver:
    """A few connections in autocommit; one that breaks is replaced at its next use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: asyncio.LifoQueue[psycopg.AsyncConnection[Any] | None] = asyncio.LifoQueue()
        for _ in range(_POSTGRES_CONNECTIONS):
            self._free.put_nowait(None)

    async def fetch(self, sql: str, parameters: Values) -> Sequence[Sequence[Any]]:
        """All rows."""

        async def fetch(connection: psycopg.AsyncConnection[Any]) -> Sequence[Sequence[Any]]:
            return await (await connection.execute(sql, parameters)).fetchall()

        return await self._use(fetch)

    async def write(self, statements: Sequence[tuple[str, Values]]) -> None:
        """One transaction, sent in one go."""

        async def write(connection: psycopg.AsyncConnection[Any]) -> None:
            async with connection.pipeline(), connection.transaction():
                for sql, parameters in statements:
                    await connection.execute(sql, parameters)

        try:
            await self._use(write)
        except psycopg.errors.UniqueViolation as error:
            raise NotUnique from error

    async def _use(self, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[Result]]) -> Result:
        try:
            async with asyncio.timeout(_POSTGRES_WAIT_S):
                return await self._with_connection(work)
        except (psycopg.OperationalError, TimeoutError) as error:
            raise StoreUnavailable(type(error).__name__) from error
        except psycopg.DataError as error:
            raise Unstorable from error

    async def _with_connection(self, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[Result]]) -> Result:
        connection = await self._free.get()
        try:
            if connection is None or connection.closed:
                connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, prepare_threshold=0)
                set_json_dumps(to_json, connection)
                set_json_loads(from_json, connection)
            return await work(connection)
        except (psycopg.DataError, psycopg.IntegrityError):
            raise  # an answer like any other: the connection is fine
        except BaseException:
            # Cancelled half-way or broken: nobody knows in what state it is.
            if connection is not None:
                await connection.close()
                connection = None
            raise
        finally:
            self._free.put_nowait(connection)

    async def close(self) -> None:
        """Close the connections that are free."""
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None:
                await connection.close()
