"""The error tree.

::

    ChargingError
    ├── Problem                 refuses a request: HTTP status, stable code, words for a person
    ├── PeerError               a CPO could not be asked or gave no usable answer
    │   ├── PeerNotReached      the CPO has taken nothing: safe to send again
    │   ├── PeerOutcomeUnknown  something may have arrived: never send START again
    │   └── PeerRefused         the CPO answered, and the answer is no
    ├── NeighbourUnavailable    a sibling service gave no answer: whether it did what we asked is not known
    ├── NeighbourRefused        a sibling service answered, and will not have what we asked
    ├── UnusableMessage         a peer's message is JSON, but nothing can be done with it (OCPI 2001)
    │   └── Unstorable          the database has no place for a value
    ├── NotUnique               a row of this key is there already
    ├── PayloadUnreadable       a payload in Temporal is encrypted with a key that is not configured here
    └── StoreUnavailable        the database is locked, full or away

Errors are translated once, at the boundary: activities turn ``PeerError`` into typed outcomes, the API turns
everything into RFC 9457 problem documents.
"""

from typing import Any


class ChargingError(Exception):
    """Root of everything that this engine raises on purpose."""


class Problem(ChargingError):
    """A request that is refused (RFC 9457). ``code`` is stable and machine readable; ``detail`` is for people.

    ``detail`` never echoes input. ``extra`` become members of the problem document.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra


class PeerError(ChargingError):
    """A CPO could not be asked, or gave no usable answer.

    ``retry_after_s``: how long the CPO asks to be left alone (HTTP ``Retry-After``), where it does.
    """

    retry_after_s: float | None = None


class PeerNotReached(PeerError):
    """The CPO has taken nothing: no connection (DNS, TCP, TLS), an answer 429, or we did not call."""


class PeerOutcomeUnknown(PeerError):
    """Timeout, reset, HTTP 408 or 5xx (without an OCPI 2xxx), OCPI 4002, or an answer nobody can read: the CPO may have
    done what we asked.
    """


class PeerRefused(PeerError):
    """The CPO answered with an error: HTTP 3xx or 4xx (but 408 and 429), an OCPI 2xxx on any status but 429, or another
    OCPI error but 4002 in an answer below 500.

    ``http_status`` is the HTTP status, ``status_code`` the OCPI one where there was an envelope.
    """

    def __init__(self, detail: str, *, http_status: int, status_code: int | None) -> None:
        super().__init__(detail)
        self.http_status = http_status
        self.status_code = status_code


class NeighbourUnavailable(ChargingError):
    """A sibling service gave no answer, 5xx, 429 or nothing readable: it may have done what we asked."""


class NeighbourRefused(ChargingError):
    """A sibling service will not have what we asked (HTTP ``http_status``): the same again is refused again."""

    def __init__(self, detail: str, *, http_status: int) -> None:
        super().__init__(detail)
        self.http_status = http_status


class UnusableMessage(ChargingError):
    """A peer's message is JSON, but nothing can be done with it: OCPI status 2001. Says why, never echoes it."""


class Unstorable(UnusableMessage):
    """The database has no place for a value: text with NUL, or longer than its column, or a number beyond all bounds.

    Nothing was stored; the same again is refused again.
    """

    def __init__(self) -> None:
        super().__init__("a value is too long or too large, or holds NUL")


class NotUnique(ChargingError):
    """A row was not stored, because one of its key is there already."""


class StoreUnavailable(ChargingError):
    """The database did not take the write: nothing may be acknowledged."""


class PayloadUnreadable(ChargingError):
    """A payload in Temporal was encrypted with a key that is not configured here, or was changed since."""
