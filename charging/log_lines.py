"""The lines that processes log: text for people, or a JSON object each for machines; with the session they are about.

Which session that is, whoever works on one says with ``about_session``; of workflows and activities Temporal knows it
(``charging.temporal.use_our_logs``). What is logged during an OCPI call has the call's ids (``in_call``).
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, Literal

from charging import tracing

LogFormat = Literal["text", "json"]

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
_session: ContextVar[str | None] = ContextVar("session", default=None)
_call: ContextVar[Mapping[str, str]] = ContextVar("call", default={})  # noqa: B039 - read only
_HARMLESS: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_OF_EVERY_RECORD: Final = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "color_message"}
_finders: list[Callable[[], str | None]] = [_session.get]


def about_session(session_id: str) -> None:
    """What this task logs from now on is about that session."""
    _session.set(session_id)


@contextmanager
def in_call(correlation_id: str | None, request_id: str | None) -> Iterator[None]:
    """What is logged in here belongs to the OCPI call with these ids (OCPI 2.2.1 §4 "Unique message IDs").

    They may be a peer's: of another form than ``harmless`` has it they are left out.
    """
    ids = {"correlation_id": harmless(correlation_id), "request_id": harmless(request_id)}
    token = _call.set({name: value for name, value in ids.items() if value})
    try:
        yield
    finally:
        _call.reset(token)


def fields(**values: str | int | None) -> dict[str, Any]:
    """The ``extra`` of a line that says these, too, also under names that every record has, such as ``module``."""
    return {"fields": values}


def harmless(text: str | None) -> str | None:
    """``text``, where it is 1 to 64 letters, digits and hyphens of ASCII: a UUID is, what forges a line is not."""
    return text if text and _HARMLESS.fullmatch(text) else None


def ask_also(finder: Callable[[], str | None]) -> None:
    """Whom this process asks, too, which session the running task is about."""
    if finder not in _finders:
        _finders.append(finder)


def line_formatter(log_format: LogFormat) -> logging.Formatter:
    """What writes lines of ``log_format``."""
    return _JsonLines() if log_format == "json" else _TextLines(_TEXT)


class _TextLines(logging.Formatter):
    """``… message name=value … [session <id>] [correlation <id>] [request <id>]``."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without its traceback."""
        told = "".join(f" {name}={value}" for name, value in _fields_of(record).items())
        ids = {"session": _session_of_this_task()}
        ids |= {name.removesuffix("_id"): value for name, value in _call.get().items()}
        return super().formatMessage(record) + told + "".join(f" [{name} {id}]" for name, id in ids.items() if id)


class _JsonLines(logging.Formatter):
    """One object a line: ``at`` (UTC), ``level``, ``logger``, ``message``; where there is one also ``session_id``,
    ``trace_id``, ``correlation_id``, ``request_id``, what ``extra`` adds, and a traceback as ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = _fields_of(record)
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **told,
            **_call.get(),
            "session_id": _session_of_this_task() or told.get("session_id"),
            "trace_id": tracing.trace_id(),
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({name: value for name, value in said.items() if value is not None})


def _fields_of(record: logging.LogRecord) -> Mapping[str, str | int]:
    """What ``extra`` adds to the line, without what is somebody's text: that may forge a line, or be a peer's."""
    own: Mapping[str, object] = record.__dict__.get("fields") or {
        name: value for name, value in record.__dict__.items() if name not in _OF_EVERY_RECORD
    }
    return {
        name: value
        for name, value in own.items()
        if isinstance(value, int) or (isinstance(value, str) and harmless(value))
    }


def _session_of_this_task() -> str | None:
    found = (finder() for finder in _finders)
    return next((session_id for session_id in found if session_id), None)
