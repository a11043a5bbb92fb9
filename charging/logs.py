"""What every process writes down of itself, and what it never does: secrets and people's data are blacked out.

One set-up for all processes: one handler at the root, whose formatter blacks out what any other formatter has written
(``charging.log_lines``), messages, values and tracebacks alike.
"""

import logging
import re
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Final

from charging.log_lines import LogFormat, line_formatter

_OUR_LOGGERS: Final = ("api", "workflows", "activities", "charging")
_SERVER_LOGGERS: Final = ("uvicorn", "uvicorn.access", "uvicorn.error")

_HIDDEN_NAME = (
    r"(?:proxy-)?authorization|x-api-key|(?:set-)?cookie|[\w-]*(?:token|secret|passw(?:or)?d|credential|api_?key"
    r"|admin_key|secret_keys?|signature)(?:_[abc])?"
)
_HINTS_OF_NAMES: Final = (
    "authorization", "api-key", "api_key", "apikey", "cookie", "token", "secret", "passw", "credential", "admin_key",
    "signature",
)  # fmt: skip
_QUOTE = r"\\?[\"']"
_Blackout = str | Callable[[re.Match[str]], str]


def redact(text: str) -> str:
    """``text`` with everything blacked out that looks like a secret or like somebody's own data."""
    lowered = text.lower()
    for hints, pattern, blackout in _BLACKOUTS:
        # Most lines hold nothing, and looking for a word costs a fiftieth of looking for a pattern.
        if not hints or any(hint in lowered for hint in hints):
            text = pattern.sub(blackout, text)
    return text


class RedactingFormatter(logging.Formatter):
    """Writes as ``inner`` does, blacked out."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The whole line or lines of ``record``, its traceback included."""
        return redact(self.inner.format(record))


def configure(
    level: int | str = logging.INFO, log_format: LogFormat = "text", *, our_level: int | str = logging.NOTSET
) -> None:
    """Set up this process's logging: lines of ``log_format`` on stderr.

    ``our_level`` is that of our own code, where it is not to be ``level``: at DEBUG libraries say what they are given.

    Where the root has a handler already, it stays as it is. Handlers that a
    web server has made for itself black out from now on, whatever they write.
    """
    root = logging.getLogger()
    if not root.handlers:
        ours = logging.StreamHandler(sys.stderr)
        ours.setFormatter(RedactingFormatter(line_formatter(log_format)))
        root.addHandler(ours)
        root.setLevel(level)
        for name in _OUR_LOGGERS:
            logging.getLogger(name).setLevel(our_level)
        sys.excepthook = _log_uncaught
        # It says every request's URL at INFO; what went wrong with a partner is said by whoever asked.
        logging.getLogger("httpx").setLevel(logging.WARNING)
    for name in _SERVER_LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if not isinstance(handler.formatter, RedactingFormatter):
                handler.setFormatter(RedactingFormatter(handler.formatter or logging.Formatter()))


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What ends this process."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("charging").critical("this process ends", exc_info=(kind, error, traceback))


def _opaque(match: re.Match[str]) -> str:
    """A long word of letters and digits is a key, a token or a hash of one; a name is not."""
    word = match[0]
    return "[secret]" if all(any(map(kind, word)) for kind in (str.isalpha, str.isdigit)) else word


def _card(match: re.Match[str]) -> str:
    """The number of a payment card, by its check digit (ISO/IEC 7812-1, Luhn)."""
    digits = [int(character) for character in match[0] if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return "[card]" if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else match[0]


# In this order: what stands behind a name first, then what is known by its own looks. Each pattern begins where a word
# does and is bounded, so that no text makes it slow. Before it: words of which one must be there, in lower case.
_BLACKOUTS: Final[list[tuple[tuple[str, ...], re.Pattern[str], _Blackout]]] = [
    # Pydantic shows what it was given; who was wrong is worth a log line, what they sent is not.
    (("input_value=",), re.compile(r"input_value=.{0,300}?, input_type="), "input_value=[input], input_type="),
    (("whsec_",), re.compile(r"whsec_[\w+/=-]+"), "[secret]"),
    (("eyj",), re.compile(r"\beyJ[\w-]{5,}(?:\.[\w-]*){1,4}"), "[token]"),
    (("bearer ", "basic "), re.compile(r"(?i)\b(bearer|basic) +(?!\[)[\w.~+/=-]{4,}"), r"\1 [secret]"),
    (("token ",), re.compile(r"\b([Tt]oken) +(?=[\w.~+/=-]*\d)[\w.~+/=-]{8,256}"), r"\1 [secret]"),
    (
        _HINTS_OF_NAMES,
        # name=value, "name": "value", ('name', b'value'); with or without the scheme of an Authorization header.
        re.compile(
            rf"(?i)(?<![\w-])((?:{_HIDDEN_NAME})(?:{_QUOTE})?\s{{0,3}}[:=,]\s{{0,3}}b?(?:{_QUOTE})?"
            rf"(?:SecretStr\()?(?:(?:bearer|token|basic) +)?)(?![\s\[])([^\s\"'\\,;&)\]}}]{{3,}})"
        ),
        r"\1[secret]",
    ),
    (("://",), re.compile(r"(://[^/\s:@]{0,256}:)[^@\s/]{1,256}@"), r"\1[secret]@"),
    ((), re.compile(r"(?<![\w-])[\w-]{40,}={0,2}"), _opaque),
    (("@",), re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "[e-mail]"),
    ((), re.compile(r"(?<![\w.-])[2-6]\d(?:[ -]?\d){11,17}(?![\w-])"), _card),
]
