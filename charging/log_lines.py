"""The lines that processes log: text for people, or a JSON object each for machines; with the session they are about.

Which session that is, Temporal knows of its workflows and activities; anybody else says it with ``about_session``.
"""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Literal

from temporalio import activity, workflow

from charging import tracing

LogFormat = Literal["text", "json"]

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
_session: ContextVar[str | None] = ContextVar("session", default=None)


def about_session(session_id: str) -> None:
    """What this task logs from now on is about that session."""
    _session.set(session_id)


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
    workflow_id: str | None = None
    if workflow.in_workflow():
        workflow_id = workflow.info().workflow_id
    elif activity.in_activity():
        workflow_id = activity.info().workflow_id
    if workflow_id is None:
        return _session.get()
    kind, _, session_id = workflow_id.partition("/")
    return session_id if kind in ("charging-session", "settlement", "late-session") else None
