"""The database: SQLite embedded, PostgreSQL in production, one code for both (design: docs/architecture.md).

SQLite rules that keep a kill or two writers from hurting: WAL, ``synchronous=FULL``, a busy timeout, and every
writing transaction begun with ``BEGIN IMMEDIATE`` so that it never has to upgrade a read lock. Within a process the
writers queue up: SQLite lets one write at a time, and lets those that wait sleep and try again, in no order, so that
one of twenty could go without for longer than its busy timeout.
"""

import asyncio
import builtins
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.exc import DataError, OperationalError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from charging.errors import StoreUnavailable, Unstorable
from charging.store.driver import Driver, PostgresDriver, SqliteDriver, configure_sqlite
from charging.store.exact_json import from_json, to_json
from charging.store.sqlite_connection import BEGIN_FEW, BEGIN_MANY, BEGIN_READING, SqliteConnection

_TURN_S = 15  # to wait for one's turn to write


class Database:
    """One engine per process. ``read()`` and ``write()`` are its two kinds of transaction.

    Both raise ``Unstorable`` where PostgreSQL has no place for a value; SQLite has one for nearly all.
    Never await anything but the store inside a transaction. ``driver`` is for ``charging.store.quick``. Raises
    ``ValueError`` for the URL of an SQLite store with options.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine: AsyncEngine = create_async_engine(
            url,
            json_serializer=to_json,
            json_deserializer=from_json,
            hide_parameters=True,  # an error is logged; what was to be stored is not
            **self._options(),
        )
        self._writing = asyncio.Lock()
        self.driver: Driver = _driver(self.engine)
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _autocommit)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    def _options(self) -> dict[str, Any]:
        if self.is_sqlite:
            url = make_url(self.url)
            if url.query:
                raise ValueError("the URL of an SQLite store has no options")
            # No overflow: such a connection starts a thread for one transaction only. The one that was used last has
            # the most of the file in its memory.
            pool = {"pool_size": 20, "max_overflow": 0, "pool_timeout": 5, "pool_use_lifo": True}
            return {"async_creator": lambda: SqliteConnection(url.database or ""), **pool}
        # A lock that somebody keeps is as good as no database: whoever waits is told so.
        waiting = {"options": "-c lock_timeout=5s"}
        return {
            "connect_args": waiting,
            "pool_size": 10,
            "max_overflow": 10,
            "pool_timeout": 5,
            "pool_pre_ping": True,
        }

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A reading transaction. Raises ``StoreUnavailable`` when the database is away."""
        async with self._translated(), self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self, *, many: bool = False) -> AsyncIterator[AsyncConnection]:
        """A writing transaction, committed at the end, rolled back on any error.

        ``many``: its statements may take long, for they concern, or look at, more than a few rows. On SQLite all others
        are run in the event loop's thread.
        """
        async with self.turn(), self._translated(), self.engine.connect() as connection:
            # The execution option is how the "begin" listener knows that this one writes.
            await connection.execution_options(begin=BEGIN_MANY if many else BEGIN_FEW)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One's turn to write, where only one may. ``write`` takes it by itself."""
        if not self.is_sqlite:
            yield
            return
        try:
            # Not asyncio.wait_for: in Python 3.11 it may lose a cancellation, and the turn with it.
            async with asyncio.timeout(_TURN_S):
                await self._writing.acquire()
        except builtins.TimeoutError as error:
            raise StoreUnavailable("no turn to write") from error
        try:
            yield
        finally:
            self._writing.release()

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            yield
        except (OperationalError, TimeoutError) as error:
            raise StoreUnavailable(type(error).__name__) from error
        except DataError as error:
            raise Unstorable from error

    async def close(self) -> None:
        """Give all connections back."""
        await self.driver.close()
        await self.engine.dispose()


def _driver(engine: AsyncEngine) -> Driver:
    if engine.dialect.name == "sqlite":
        return SqliteDriver(engine.url.database or "")
    return PostgresDriver(engine.url.set(drivername="postgresql").render_as_string(hide_password=False))


def _autocommit(connection: Any, _record: Any) -> None:
    # At the driver: we say BEGIN ourselves, in _begin_sqlite.
    connection.isolation_level = None
    configure_sqlite(connection)


def _begin_sqlite(connection: Any) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", BEGIN_READING))
