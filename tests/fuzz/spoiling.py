"""Objects that a peer might send, spoiled: something is left out, of another type, nested, or absurd.

Whoever fuzzes chooses: ``choose(n)`` is a number from 0 to n - 1, drawn by hypothesis or from the bytes of a fuzzer
that is guided by coverage.
"""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from charging.ocpi import wire
from charging.ocpi.versions import Kind, dialect
from tests.peer import ROLE, ScriptedCpo, client_info, location, tariff

Choose = Callable[[int], int]
NOW: Final = datetime(2026, 3, 30, 12, tzinfo=UTC)

# What Python cannot hold, or copy, goes out as it is: endless numbers, NaN, absurd nesting.
_ENDLESS: Final = ("1e400", "-1e400", "1e-400", "1e" + "9" * 40, "9" * 400, "9" * 5000, "NaN", "Infinity")
_RAW: Final = {f'"@{text}@"': text for text in (*_ENDLESS, "[" * 500 + "]" * 500)}
ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 10**18, 2**63, 10**30, -0.0, 1e30, 1e-30, 0.1, 1e99, -1e99, 1e101),
    *(text.strip('"') for text in _RAW),
    *("", " ", "x", "\x00", "\ud800", "\udfff\ud800", "\x7f", "\u202e", "\U0001f50c", "x" * 300, "x" * 5_000),
    *("NaN", "null", "0", "-1.5", "1e5", "../../etc/passwd", "' OR 1=1 --", "${jndi:ldap://x}", "<script>", "%00"),
    *("2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("2026-01-01T00:00:99Z", "2026-01-01", "24:00", "25:61", "Europe/Nowhere", "../../UTC", "XXX", "eur", "S1", "T1"),
    *([], {}, [[]], [None], [0], [{}], {"": None}, {"a": {"b": [{}]}}, [[[[[[[[[[]]]]]]]]]]),
)


def chooser(data: bytes) -> Choose:
    """Choices out of bytes, two for each; 0 where they have run out."""
    rest = iter(data)
    return lambda n: (next(rest, 0) * 256 + next(rest, 0)) % n


def objects() -> dict[Kind, dict[str, Any]]:
    """One good object of each kind that a CPO pushes, as 2.2.1 has it."""
    cpo = ScriptedCpo()
    session = cpo.session(kwh=1.5, end_date_time="2026-01-01T01:00:00Z")
    periods = [{"start_date_time": session["start_date_time"], "dimensions": [{"type": "ENERGY", "volume": 1.5}]}]
    price = {"excl_vat": 1, "incl_vat": 1.24}
    restrictions = {"start_time": "08:00", "end_time": "20:00", "day_of_week": ["MONDAY"], "max_kwh": 5, "min_power": 1}
    elements = tariff()["elements"]
    return {
        "location": location(),
        "tariff": tariff(elements=[{**elements[0], "restrictions": restrictions}, *elements]),
        "session": {**session, "charging_periods": periods, "total_cost": price},
        "cdr": cpo.cdr(session, tariffs=[tariff()], total_energy_cost=price),
    }


def in_version(version: str, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """``body`` as a peer of ``version`` writes it, in JSON's own types."""
    written: dict[str, Any] = json.loads(wire.dumps(dialect(version).write(kind, body)))
    return written


def credentials() -> dict[str, Any]:
    """What a CPO says of itself."""
    return {"token": "a-token-of-the-peer", "url": "http://127.0.0.1:9/versions", "roles": [ROLE]}


def result(value: str = "ACCEPTED") -> dict[str, Any]:
    """What a charge point says to a command."""
    return {"result": value, "message": [{"language": "en", "text": "yes"}]}


def client() -> dict[str, Any]:
    """One party behind a hub."""
    return client_info("VRT")


def spoiled(body: Any, choose: Choose, most: int = 3) -> Any:
    """A copy of ``body`` with 1 to ``most`` things wrong."""
    body = copy.deepcopy(body)
    for _ in range(1 + choose(most)):
        body = _spoil(body, choose)
    return body


def text_of(body: Any) -> bytes:
    """``body`` as JSON, or as what looks like it."""
    text = json.dumps(body)
    for placeholder, raw in _RAW.items():
        text = text.replace(placeholder, raw)
    return text.encode()


def _spoil(body: Any, choose: Choose) -> Any:
    places = _places(body)
    if not places:
        return ODD[choose(len(ODD))]
    holder, key = places[choose(len(places))]
    what = choose(6)
    if what == 0:
        del holder[key]
    elif what == 1:
        holder[key] = [holder[key]]
    elif what == 2:
        holder[key] = {"value": holder[key]}
    elif what == 3 and isinstance(holder, dict):
        holder[str(ODD[choose(len(ODD))])[:40]] = holder[key]
    else:
        holder[key] = copy.deepcopy(ODD[choose(len(ODD))])
    return body


def _places(body: Any) -> list[tuple[Any, Any]]:
    """Everywhere in ``body`` where something stands: what holds it, and under which key."""
    keys = list(body) if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else []
    found = [(body, key) for key in keys]
    return [*found, *(deeper for key in keys for deeper in _places(body[key]))]
