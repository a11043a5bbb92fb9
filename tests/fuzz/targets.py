"""All that reads the words of strangers without any I/O, by name, and what a fuzzer begins with for each."""

import random
from collections.abc import Callable, Mapping
from typing import Final

from tests.fuzz import api_targets, money_targets, ocpi_targets
from tests.fuzz.spoiling import text_of

TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        ocpi_targets.ocpi_object,
        ocpi_targets.ocpi_body,
        ocpi_targets.message,
        ocpi_targets.patch,
        ocpi_targets.doctor,
        ocpi_targets.envelope,
        ocpi_targets.headers,
        ocpi_targets.evse_names,
        money_targets.tariff_engine,
        money_targets.curve,
        api_targets.api_body,
        api_targets.bearer_token,
        api_targets.request_headers,
        api_targets.payments_message,
    )
}
# Good words, where the bytes are the words themselves.
_GOOD: Final[Mapping[str, tuple[bytes, ...]]] = {
    "ocpi_body": tuple(text_of(body) for body in ocpi_targets.GOOD.values()),
    "envelope": (
        b'{"data":[],"status_code":1000,"timestamp":"2026-03-30T12:00:00Z"}',
        *(b"2026-03-30T12:00:00.123456+02:00", b"2026-3-30 2:00"),
    ),
    "headers": (
        *(b'<https://cpo.example/l?offset=5>; rel="next"', b"</l>; rel=next", b"Token dG9rZW4=", b"Token t"),
        *(b"120", b"Mon, 30 Mar 2026 12:01:00 GMT", b"Mon, 30 Mar 2026 12:01:00 +0200"),
    ),
    "evse_names": (b"FI*VRT*E12345*1", b"+49*810*000*438", b"IEC_62196_T2_COMBO", b"ccs"),
    "curve": (
        b"start,end,price\n2026-03-30T12:00Z,2026-03-30T13:00Z,0.1\n",
        b'[{"start":"2026-03-30T12:00:00Z","end":"2026-03-30T13:00:00Z","price":0.1}]',
    ),
    "api_body": tuple(text_of(example) for _, example in api_targets.EXAMPLES),
    "request_headers": (b"a-key", b"application/problem+json; charset=utf-8", b"1024"),
    "payments_message": (b"msg_1\n1774872000\nc2lnbmF0dXJl", b"msg_1\n1e400\n\xff"),
}


def seeds(name: str) -> list[bytes]:
    """What a guided fuzzer begins with: good words, and choices of every kind."""
    choices = random.Random(name)
    return [*_GOOD.get(name, ()), *(choices.randbytes(24) for _ in range(32))]


def words() -> set[str]:
    """What is worth putting into words: the names of fields, and odd values."""
    return {key for body in ocpi_targets.GOOD.values() for key in _keys(body)}


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in _keys(item)}
    return {key for item in value for key in _keys(item)} if isinstance(value, list) else set()
