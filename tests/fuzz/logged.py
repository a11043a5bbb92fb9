"""All that the engine has logged, in every form in which somebody might read it."""

import logging
from collections.abc import Sequence
from typing import Final

from charging.log_lines import line_formatter

_FORMATTERS: Final = (line_formatter("text"), line_formatter("json"))
_USUAL: Final = frozenset(vars(logging.makeLogRecord({})))


def everything_logged(records: Sequence[logging.LogRecord]) -> str:
    """Lines for people and for machines, nothing blacked out, tracebacks and what came along (``extra``) included."""
    lines = [formatter.format(record) for record in records for formatter in _FORMATTERS]
    extras = [vars(record)[name] for record in records for name in vars(record).keys() - _USUAL]
    arguments = [record.args for record in records]
    return "\n".join([*lines, *map(repr, arguments), *map(str, extras), *map(repr, extras)])
