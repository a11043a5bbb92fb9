"""Commands of OCPI 2.1.1 and their answers (mod_commands). Pure."""

import hashlib
from typing import Any, Final

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.shape import changed, inside, mapped, renamed
from charging.ocpi.versions.v211_token import read_token, write_token
from charging.ocpi.wire import Party

_INTEGER: Final = 2**31  # a reservation id goes on to the charge point, where OCPP has 32 bits with a sign
# "Timed out waiting for the charge point" as the first answer: it was understood, the outcome is open.
_READ_RESPONSE: Final = {"TIMEOUT": "ACCEPTED"}
_WRITE_RESULT: Final = dict.fromkeys(
    ("CANCELED_RESERVATION", "EVSE_OCCUPIED", "EVSE_INOPERATIVE", "FAILED", "UNKNOWN_RESERVATION"), "REJECTED"
)


def read_command(body: Body, owner: Party | None) -> Body:
    """``authorization_id`` is Gireve's name for the reference (docs/ocpi.md, Q40)."""
    body = renamed(body, {"authorization_id": "authorization_reference"})
    body = changed(body, "reservation_id", str)
    return inside(body, "token", lambda token: read_token(token, owner))


def write_command(body: Body) -> Body:
    """Reservations have whole numbers for ids in 2.1.1: always the same one for the same id of ours."""
    return inside(changed(body, "reservation_id", _whole_number), "token", write_token)


def read_response(body: Body) -> Body:
    """The synchronous answer."""
    return mapped(body, "result", _READ_RESPONSE)


def write_result(body: Body) -> Body:
    """The asynchronous answer: 2.1.1 tells no reasons."""
    return mapped(body, "result", _WRITE_RESULT)


def _whole_number(reservation_id: Any) -> int:
    text = str(reservation_id)
    if text.isascii() and text.isdecimal() and len(text) < 11 and int(text) < _INTEGER:
        return int(text)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % _INTEGER
