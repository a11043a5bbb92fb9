"""A line in the log for each OCPI call, with which a CPO's engineers find it in theirs (docs/operations.md, Logs).

Ours are few in a session: at INFO. A CPO pushes every few seconds: at DEBUG, unless it was refused.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from charging.log_lines import fields, in_call
from charging.ocpi.wire import CORRELATION_ID, REQUEST_ID

logger = logging.getLogger(__name__)


@dataclass
class Ended:
    """How a call has ended: its HTTP status and OCPI status code (§5), None where there is none."""

    http_status: int | None = None
    ocpi_status: int | None = None

    @property
    def is_well(self) -> bool:
        """Taken by both layers: HTTP below 400, OCPI 1xxx."""
        return (self.http_status or 500) < 400 and 1000 <= (self.ocpi_status or 0) < 2000


@contextmanager
def our_call(method: str, about: Mapping[str, str], headers: Mapping[str, str]) -> Iterator[Ended]:
    """Around a call of ours, which tells in the ``Ended`` what it was answered. What it raises is in the line.

    ``about``: what else the line says. ``headers``: with its ids (OCPI 2.2.1 §4), where it has any.
    """
    ended, failure, began = Ended(), None, time.monotonic()
    with in_call(headers.get(CORRELATION_ID), headers.get(REQUEST_ID)):
        try:
            yield ended
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            told = _told(method, ended, time.monotonic() - began)
            logger.info("called a CPO", extra=fields(**about, **told, failure=failure))


def their_call(method: str, about: Mapping[str, str | None], ended: Ended, seconds: float) -> None:
    """A peer's call has been answered."""
    level = logging.DEBUG if ended.is_well else logging.INFO
    if logger.isEnabledFor(level):
        logger.log(level, "a CPO called", extra=fields(**about, **_told(method, ended, seconds)))


def _told(method: str, ended: Ended, seconds: float) -> dict[str, str | int | None]:
    return {
        "method": method,
        "http_status": ended.http_status,
        "ocpi_status": ended.ocpi_status,
        "duration_ms": round(seconds * 1000),
    }
