"""Holding a session between two steps: the store refuses the write that would be the next one.

A trigger in the real database fails the statement of one EVSE's sessions, and with it the whole transaction, however
often it is repeated; all other sessions go on. ``hangs`` instead keeps the statement, and everybody who would write,
busy: whoever is killed then dies in the midst of its transaction.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_REFUSE = "SELECT RAISE(ABORT, 'a test holds this session here')"
_HANG = "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)"


@dataclass(frozen=True)
class Barrier:
    """``write``: SQLite's words for the statement (``INSERT ON ledger``); ``when``: of the row ``NEW``, in SQL."""

    write: str
    when: str = "TRUE"
    session: str = "NEW.session_id"

    def up(self, data: Path, evse_id: str, *, hangs: bool = False) -> None:
        """From now on this write of the EVSE's sessions is refused, or never done."""
        mine = f"{self.session} IN (SELECT id FROM sessions WHERE evse_id = '{evse_id}')"
        body = _HANG if hangs else _REFUSE
        trigger = f"CREATE TRIGGER '{evse_id}' BEFORE {self.write} WHEN {self.when} AND {mine} BEGIN {body}; END"
        _execute(data, trigger)

    @staticmethod
    def down(data: Path, evse_id: str) -> None:
        """The EVSE's sessions are held no more."""
        _execute(data, f"DROP TRIGGER IF EXISTS '{evse_id}'")


def _execute(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / "charging.db", timeout=20, isolation_level=None)) as store:
        store.execute(statement)


def is_locked(folder: Path) -> bool:
    """Whether somebody writes to ``charging.db`` for longer than a living process does."""
    with closing(sqlite3.connect(folder / "charging.db", timeout=0.5, isolation_level=None)) as store:
        try:
            store.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        store.execute("ROLLBACK")
        return False
