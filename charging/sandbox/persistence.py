"""The sandbox's memory on disk: records by kind and key, written before anything is acknowledged.

SQLite in WAL mode. A killed process loses nothing that was written; a power cut may cost the last moments
(``synchronous=NORMAL``), which is fine for a sandbox. The file is held exclusively: one process per directory.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)
Entry = tuple[str, str, BaseModel]

_SCHEMA = "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))"
_PUT = (
    "INSERT INTO records (kind, key, body) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body"
)


class Journal:
    """Durable records; without a ``path``, in memory only. ``put`` returns once they are safe from a kill."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=1)
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(_SCHEMA)

    def put(self, *entries: Entry) -> None:
        """Write all of ``entries`` (kind, key, record) or none."""
        rows = [(kind, key, record.model_dump_json()) for kind, key, record in entries]
        if len(rows) == 1:
            self._db.execute(_PUT, rows[0])  # its own transaction
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(_PUT, rows)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def delete(self, kind: str, keys: Iterable[str]) -> None:
        """Forget these records of ``kind``."""
        self._db.executemany("DELETE FROM records WHERE kind = ? AND key = ?", [(kind, key) for key in keys])

    def load(self, kind: str, model: type[M]) -> dict[str, M]:
        """All records of ``kind`` by key, oldest first."""
        rows = self._db.execute("SELECT key, body FROM records WHERE kind = ? ORDER BY rowid", (kind,))
        return {key: model.model_validate_json(body) for key, body in rows}

    def close(self) -> None:
        """Close the file."""
        self._db.close()
