"""JSON in the database keeps its exact decimals: written as JSON numbers, read back as ``Decimal``."""

import json
from decimal import Decimal
from typing import Any

# One decoder for all: making it costs more than reading a small document.
_decode = json.JSONDecoder(parse_float=Decimal).decode


def to_json(value: Any) -> str:
    """``value`` as JSON text."""
    return json.dumps(value, default=_plain, separators=(",", ":"))


def _plain(value: Any) -> int | float:
    # A float's shortest text equals the decimal that it came from (up to 15 digits), so nothing is lost on the way.
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def from_json(text: str | bytes) -> Any:
    """The value of JSON ``text``."""
    return _decode(text.decode() if isinstance(text, bytes) else text)
