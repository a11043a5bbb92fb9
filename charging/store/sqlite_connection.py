"""A connection to SQLite that goes to its thread only for what may wait: for a lock, for the disk, for a long read.

The driver hands every call to a thread, four of them for one statement: make a cursor, execute, fetch, close. A
hand-over costs more than such a statement itself, once its transaction has the lock and finds its pages in memory.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import aiosqlite

BEGIN_READING: Final = "BEGIN"
BEGIN_FEW: Final = "BEGIN IMMEDIATE"
BEGIN_MANY: Final = "BEGIN IMMEDIATE TRANSACTION"  # the same to SQLite; here its statements may take long
_CHUNK = 64  # rows at a time, of what is read row by row


class SqliteConnection(aiosqlite.Connection):
    """What ``aiosqlite.connect(path)`` makes, but for where its calls are run."""

    def __init__(self, path: str) -> None:
        super().__init__(partial(sqlite3.connect, path, check_same_thread=False), _CHUNK)
        self._thread.daemon = True
        self._is_short = False  # the transaction under way: it writes, and only rows that it knows by their keys
        self._handed_over = 0  # counted by the event loop
        self._finished = 0  # counted by the thread

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._is_quick(fn):
            return fn(*args, **kwargs)
        self._handed_over += 1
        return await super()._execute(self._run, fn, *args, **kwargs)  # type: ignore[no-untyped-call] # aiosqlite's own

    def _is_quick(self, fn: Callable[..., Any]) -> bool:
        """Whether ``fn`` waits for nothing, and not for the thread either.

        A caller that is cancelled leaves its call to the thread behind: what comes after it must not overtake it.
        """
        if self._connection is None or self._handed_over != self._finished:
            return False
        if fn.__name__ == "cursor" or (fn.__name__ == "close" and isinstance(fn.__self__, sqlite3.Cursor)):  # type: ignore[attr-defined] # a method
            return True
        waits = fn.__name__ in ("commit", "executemany", "close")
        return self._is_short and self._connection.in_transaction and not waits

    def _run(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            result = fn(*args, **kwargs)
            if args and args[0] in (BEGIN_FEW, BEGIN_MANY, BEGIN_READING):
                self._is_short = args[0] == BEGIN_FEW
            return result
        finally:
            self._finished += 1
