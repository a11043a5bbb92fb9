"""How the tables are written down: ``name type cardinality``, as the specification has them.

``Ci36`` is a CiString of at most 36 characters, ``s64`` text that may be cut, ``id36`` a string that names something
and so may not; other types are ``URL DateTime number int bool``, an enum, or another object. Cardinality: ``1``
required, ``?`` optional, ``*`` any number, ``+`` at least one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_LINE: Final = re.compile(r"(\w+) ([A-Za-z]+?)(\d*) ([1?*+])")


@dataclass(frozen=True)
class Field:
    """One row of a table. ``length``: at most so many characters (or decimals, of a number); None: no bound."""

    type: str
    length: int | None
    cardinality: str

    @property
    def is_required(self) -> bool:
        """Whether an object is broken without it."""
        return self.cardinality in "1+"

    @property
    def is_list(self) -> bool:
        """Whether it holds any number of values."""
        return self.cardinality in "*+"


@dataclass(frozen=True)
class Tables:
    """All objects and enums of a version. An enum in ``open`` may hold values that nobody listed."""

    objects: Mapping[str, Mapping[str, Field]]
    enums: Mapping[str, frozenset[str]]
    open: frozenset[str] = field(default_factory=frozenset)


def table(text: str) -> dict[str, Field]:
    """The fields of one object. Raises ``ValueError`` where a row is not written as it should be."""
    rows = [row.strip() for row in text.replace("\n", ",").split(",")]
    return dict(_field(row) for row in rows if row)


def values(text: str) -> frozenset[str]:
    """The values of an enum."""
    return frozenset(text.split())


def _field(row: str) -> tuple[str, Field]:
    match = _LINE.fullmatch(row)
    if match is None:
        raise ValueError(f"not a row of a table: {row}")
    name, kind, length, cardinality = match.groups()
    return name, Field(kind, int(length) if length else None, cardinality)
