"""What every OCPI message has in common (OCPI 2.2.1 §4): JSON, DateTime, tokens, the envelope, headers, URLs.

Pure: nothing here reads a clock or a socket.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal
from urllib.parse import quote

AUTHORIZATION: Final = "Authorization"
REQUEST_ID: Final = "X-Request-ID"
CORRELATION_ID: Final = "X-Correlation-ID"
FROM_COUNTRY: Final = "OCPI-from-country-code"
FROM_PARTY: Final = "OCPI-from-party-id"
TO_COUNTRY: Final = "OCPI-to-country-code"
TO_PARTY: Final = "OCPI-to-party-id"
TOTAL_COUNT: Final = "X-Total-Count"
LIMIT: Final = "X-Limit"

_MAX_DIGITS: Final = 100
MAX_DEPTH: Final = 64  # of objects and lists within one another; no object of OCPI comes near
MAX_ID: Final = 100  # characters of a CPO's own ids: OCPI says 36 or 39, some CPOs write more, and none is cut
VERSION: Final = "2.2.1"

SUCCESS: Final = 1000
CLIENT_ERROR: Final = 2000
INVALID_PARAMETERS: Final = 2001
UNKNOWN_LOCATION: Final = 2003
UNKNOWN_TOKEN: Final = 2004
SERVER_ERROR: Final = 3000
CANNOT_USE_CLIENT_API: Final = 3001
UNSUPPORTED_VERSION: Final = 3002
NO_MATCHING_ENDPOINTS: Final = 3003
HUB_TIMEOUT: Final = 4002


# ---- JSON: numbers are exact decimals, never floats ---------------------------------------------------------------


class MalformedJson(ValueError):
    """Not JSON, or JSON that no store can keep (NaN, NUL, a lone surrogate, absurd nesting). Never echoes it."""


def loads(raw: bytes | str) -> Any:
    """``raw`` as data, its fractions as ``Decimal``. Raises ``MalformedJson``."""
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        data = json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:  # arithmetic: an exponent beyond all bounds
        raise MalformedJson("the body is not JSON") from error
    _refuse_unstorable(text, data)
    # Counted first: most pushes are small, and then nothing has to be walked.
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deeper(data, MAX_DEPTH):
        raise MalformedJson("nested too deeply")
    return data


def _is_deeper(data: Any, levels: int) -> bool:
    """Whether more than so many objects and lists are within one another. Whatever walks them later is recursive."""
    if not isinstance(data, dict | list):
        return False
    inner = data.values() if isinstance(data, dict) else data
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in inner)


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if number and _is_absurd(number):
        raise ValueError("no such number in OCPI")
    return number


def _is_absurd(number: Decimal) -> bool:
    """Whether its exponent is beyond what can be calculated with."""
    return abs(number.adjusted()) > _MAX_DIGITS


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("no such number in OCPI")
    return int(text)


def _refuse_constant(_name: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")


def _refuse_unstorable(text: str, data: Any) -> None:
    # Checked on the text first: walking every body for what almost never comes would cost each push.
    if "\\u0000" in text:
        raise MalformedJson("NUL in a string")
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(data, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError as error:
            raise MalformedJson("half a character in a string") from error


def dumps(value: Any) -> bytes:
    """``value`` as JSON: decimals as numbers, datetimes as OCPI DateTime."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def plain(value: Any) -> Any:
    """``value`` in JSON's own types. A float's shortest text equals the decimal it came from (up to 15 digits)."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return format_datetime(value)
    return value


# ---- DateTime (OCPI 2.2.1 §16.2) ----------------------------------------------------------------------------------

_DATETIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[Tt ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s?([Zz]|[+-]\d{2}:?\d{2})?"
)

# What lies outside was never set (0001-01-01, 9999-12-31): no event of any session, and no room to reckon around it.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9998, 12, 31, tzinfo=UTC)


def parse_datetime(value: object) -> datetime:
    """An OCPI DateTime as aware UTC. No zone means UTC; offsets and other slips of real peers are understood.

    What is before 1970, which stands for unknown (OCPI 2.2.1 §10.3.1), or after 9998 is the bound (but for its
    offset): weeks may be added and taken away. Raises ``ValueError``.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    match = _DATETIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a DateTime")
    year, month, day, hour, minute, seconds, fraction, zone = match.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC)
        # Added, not given: a sample of the specification itself has second 66.
        moment += timedelta(seconds=int(seconds or 0), microseconds=int((fraction or "0")[:6].ljust(6, "0")))
        return min(max(moment, _EARLIEST), _LATEST) - _offset(zone)
    except OverflowError as error:
        raise ValueError("not a DateTime") from error


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return offset if zone[0] == "+" else -offset


def format_datetime(moment: datetime) -> str:
    """``moment`` as OCPI DateTime: UTC with ``Z``, milliseconds only where there are any."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place on the wire")
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond >= 1000 else "seconds") + "Z"


# ---- The credentials token (OCPI 2.2.1 §4.1.2) --------------------------------------------------------------------

# How a token stands in the header: Base64 since 2.2, as it is in 2.1.1; many peers do the other (docs/ocpi.md, Q8).
TokenForm = Literal["base64", "raw"]


def encode_token(token: str, form: TokenForm = "base64") -> str:
    """The ``Authorization`` header of ``token``: Base64 with padding (or raw), after ``Token`` and one space."""
    return "Token " + (token if form == "raw" else base64.b64encode(token.encode()).decode())


def form_of_token(authorization: str, token: str) -> TokenForm:
    """The form in which an ``Authorization`` header that means ``token`` has it."""
    return "raw" if authorization.strip().partition(" ")[2].strip() == token else "base64"


def token_candidates(authorization: str | None) -> list[str]:
    """The tokens that an ``Authorization`` header may mean, likeliest first.

    Base64; Base64 of the token and a line end (the specification's own samples are so); the raw token, as many
    2.2 peers still send it.
    """
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    credentials = credentials.strip()
    if scheme.lower() != "token" or not credentials:
        return []
    decoded = _base64(credentials)
    candidates = [decoded, decoded.rstrip("\r\n")] if decoded is not None else []
    # What holds a NUL no database can look for, and nobody was given.
    return [each for each in dict.fromkeys([*candidates, credentials]) if "\x00" not in each]


def _base64(text: str) -> str | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


# ---- The envelope (OCPI 2.2.1 §4.1.7) -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Envelope:
    """A peer's answer. ``data`` may be anything, also absent (None)."""

    status_code: int
    data: Any = None
    status_message: str | None = None

    @property
    def is_success(self) -> bool:
        """Status codes 1xxx."""
        return 1000 <= self.status_code < 2000


def envelope(
    data: Any = None, *, now: datetime, status_code: int = SUCCESS, message: str | None = None
) -> dict[str, Any]:
    """The body of a response; ``data`` and ``status_message`` are left out where there are none."""
    body: dict[str, Any] = {} if data is None else {"data": data}
    body["status_code"] = status_code
    if message is not None:
        body["status_message"] = message
    return {**body, "timestamp": format_datetime(now)}


def read_envelope(body: Any) -> Envelope | None:
    """The envelope that ``body`` is, or None: some peers answer with none, or with HTML."""
    if not isinstance(body, dict):
        return None
    code = body.get("status_code")
    if isinstance(code, str) and code.isdecimal() and len(code) < _MAX_DIGITS:
        code = int(code)
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    message = body.get("status_message")
    return Envelope(code, body.get("data"), None if message is None else str(message))


# ---- URLs and headers ---------------------------------------------------------------------------------------------


def join_url(base: str, *segments: str) -> str:
    """``base`` and percent-encoded ``segments`` with exactly one slash between (ids may hold ``*``, ``|``, ``/``)."""
    return "/".join([base.rstrip("/"), *(quote(segment, safe="") for segment in segments)])


def next_link(link: str | None) -> str | None:
    """The URL of ``rel="next"`` in a ``Link`` header (OCPI 2.2.1 §4.1.4), None on the last page."""
    for url, parameters in re.findall(r"<([^<>]*)>([^<]*)", link or ""):
        if re.search(r';\s*rel\s*=\s*"?next\b', parameters, re.IGNORECASE):
            return str(url).strip() or None
    return None


@dataclass(frozen=True)
class Party:
    """A party of OCPI: ISO 3166 country code and party id. Compares without regard to case (CiString)."""

    country_code: str
    party_id: str

    def is_same(self, country_code: str, party_id: str) -> bool:
        """Whether these name this party."""
        return fold(self.country_code) == fold(country_code) and fold(self.party_id) == fold(party_id)


def routing_headers(sender: Party, receiver: Party | None) -> dict[str, str]:
    """``OCPI-from-*`` and ``OCPI-to-*``: for functional modules only (OCPI 2.2.1 §4.1.3).

    No ``receiver``: an open routing request, whose receiver the hub finds (§4.2.4).
    """
    to = {} if receiver is None else {TO_COUNTRY: receiver.country_code, TO_PARTY: receiver.party_id}
    return {FROM_COUNTRY: sender.country_code, FROM_PARTY: sender.party_id, **to}


def fold(text: str) -> str:
    """``text`` for comparing CiStrings: case does not matter, the received spelling is what is kept."""
    return text.strip().upper()


def decimal(value: Any) -> Decimal | None:
    """``value`` as an exact number that can be calculated with, None where it is none (also true, NaN, "1e999")."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and not _is_absurd(number) else None
