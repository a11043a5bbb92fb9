"""Texts that make a pattern run for ever (docs/trust.md 2.50)."""

import ast
import importlib
import pkgutil
import re
import string
import time
from collections.abc import Callable, Iterable, Iterator
from inspect import getsource
from types import ModuleType
from typing import Any, Final

import pytest

import api
import charging
from api import schemas
from charging import logs
from charging.ocpi import evse_id, wire
from charging.ocpi.versions.fields import table

LENGTH: Final = 50_000
PATIENCE_S: Final = 0.05  # a pattern that looks at each text again from each place would need minutes
TRIES: Final = 5  # whatever else this machine does does not slow each of them
# What takes a pattern as text, and text second; so a pattern may be written where it is used.
IN_PLACE: Final = frozenset(("search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"))

READERS: Final[dict[str, Callable[[str], Any]]] = {
    "key of an EVSE id": evse_id.lookup_key,
    "segments of an EVSE id": evse_id.segments,
    "operator of an EVSE id": evse_id.operator_prefix,
    "EVSE id without its connector": evse_id.without_last_segment,
    "OCPI DateTime": wire.parse_datetime,
    "link to the next page": wire.next_link,
    "credentials token": wire.token_candidates,
    "start of a robot": lambda text: schemas.StartRequest.model_validate({"evse_id": text}),
    "DateTime of a robot": lambda text: schemas.ReservationRequest.model_validate({"evse_id": "x", "expires_at": text}),
    "line of a log": logs.redact,
}
TEXTS: Final = {
    "separators": "*-_ " * (LENGTH // 4),
    "an EVSE id that does not end": "FI*VRT*E" + "1*" * (LENGTH // 2) + "!",
    "blanks": " " * LENGTH + "x",
    "a date that does not end": "2026-03-30T12:00:00." + "0" * LENGTH,
    "an offset that does not end": "2026-03-30T12:00:00+" + "0" * LENGTH,
    "links": "<" * LENGTH + '; rel="next"',
    "parameters of links": "<u>" + "; a=b" * (LENGTH // 5),
    "a token": "Token " + "=" * LENGTH,
    "a number": "-1." + "5" * LENGTH + "x",
    "a name of a secret": "token" * (LENGTH // 5),
    "a path": "/ocpi/cpo/" + "a/" * (LENGTH // 2),
    **{f"nothing but {letter}": letter * LENGTH + "\x00" for letter in string.printable},
}


def modules() -> Iterator[ModuleType]:
    """All of ours."""
    for package in (api, charging):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__") and ".migrations" not in found.name:
                yield importlib.import_module(found.name)


def compiled_in(module: ModuleType) -> Iterator[re.Pattern[str]]:
    """The patterns that a module keeps, in whatever, and those that it writes where it uses them."""
    yield from _patterns(vars(module).values())
    for node in ast.walk(ast.parse(getsource(module))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {f"re.{name}" for name in IN_PLACE}:
            yield re.compile(ast.literal_eval(node.args[0]))


def _patterns(values: Iterable[Any]) -> Iterator[re.Pattern[str]]:
    for value in values:
        if isinstance(value, re.Pattern):
            yield value
        elif isinstance(value, dict):
            yield from _patterns(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from _patterns(value)


FOUND: Final = {found.pattern: found for module in modules() for found in compiled_in(module)}
# It reads the tables of fields that come with the engine, and nobody's words.
PATTERNS: Final = sorted((text, found) for text, found in FOUND.items() if found is not table._LINE)


def took(read: Callable[[str], Any], text: str) -> float:
    """Seconds of this thread's own: the best of some tries, once one is not good enough."""
    tries = []
    for _ in range(TRIES):
        began = time.thread_time()
        try:
            read(text)
        except ValueError:
            pass
        tries.append(time.thread_time() - began)
        if tries[-1] < PATIENCE_S:
            break
    return min(tries)


def slow(read: Callable[[str], Any]) -> list[str]:
    """The texts that it reads for longer than is right."""
    return [name for name, text in TEXTS.items() if took(read, text) >= PATIENCE_S]


def test_the_patterns_of_all_modules_are_found() -> None:
    known = {evse_id._LAST_SEGMENT, wire._DATETIME, *(pattern for _, pattern, _ in logs._BLACKOUTS)}
    assert known <= {pattern for _, pattern in PATTERNS}
    assert r"<([^<>]*)>([^<]*)" in dict(PATTERNS)  # written where it is used


@pytest.mark.trust("2.50")
@pytest.mark.parametrize("pattern", [pattern for _, pattern in PATTERNS], ids=[text[:40] for text, _ in PATTERNS])
def test_every_pattern_looks_through_50_kb_in_50_ms(pattern: re.Pattern[str]) -> None:
    assert slow(pattern.fullmatch) == []
    assert slow(pattern.findall) == []


@pytest.mark.trust("2.28", "2.50")
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_text_of_50_kb_is_read_or_refused_in_50_ms(read: Callable[[str], Any]) -> None:
    assert slow(read) == []
