"""The lines that processes log: text for people, or a JSON object each for machines; with the session they are about.

Which session that is, whoever works on one says with ``about_session``; of workflows and activities Temporal knows it
(``charging.temporal.use_our_logs``).
"""

import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Literal

from charging import tracing

LogFormat = Literal["text", "json"]

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
_session: ContextVar[str | None] = ContextVar("session", default=None)
_finders: list[Callable[[], str | None]] = [_session.get]


def about_session(session_id: str) -> None:
    """What this task logs from now on is about that session."""
    _session.set(session_id)


def ask_also(finder: Callable[[], str | None]) -> None:
    """Whom this process asks, too, which session the running task is about."""
    if finder not in _finders:
        _finders.append(finder)


def line_formatter(log_format: LogFormat) -> logging.Formatter:
    """What writes lines of ``log_format``."""
    return _JsonLines() if log_format == "json" else _TextLines(_TEXT)


class _TextLines(logging.Formatter):
    """``… message [session <id>]``."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without its traceback."""
        session_id = _session_of_this_task()
        return super().formatMessage(record) + (f" [session {session_id}]" if session_id else "")


class _JsonLines(logging.Formatter):
    """One object a line: ``at`` (UTC), ``level``, ``logger``, ``message``; where there is one also ``session_id``,
    ``trace_id``, and a traceback as ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "session_id": _session_of_this_task(),
            "trace_id": tracing.trace_id(),
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({name: value for name, value in said.items() if value is not None})


def _session_of_this_task() -> str | None:
    found = (finder() for finder in _finders)
    return next((session_id for session_id in found if session_id), None)
