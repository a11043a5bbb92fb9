"""What differs between the versions of OCPI that peers speak; inside, everything is 2.2.1 (ADR 0004).

``dialect`` gives the converters of one version. They are pure, and work both ways: the engine reads what a CPO sends
and writes what a CPO is sent; the sandbox does the opposite with the same functions.
"""

from typing import Final

from charging.ocpi.versions.dialect import Body, Dialect, Kind
from charging.ocpi.versions.v211 import V211
from charging.ocpi.versions.v221 import V221
from charging.ocpi.versions.v230 import V230

__all__ = ["DIALECTS", "Body", "Dialect", "Kind", "dialect"]

# Highest first: the highest that both sides speak is taken (OCPI 2.2.1 §6).
DIALECTS: Final[dict[str, Dialect]] = {d.version: d for d in (V230(), V221(), V211())}


def dialect(version: str | None) -> Dialect:
    """The converters of ``version``. Raises ``KeyError`` where we do not speak it; None is the canonical 2.2.1."""
    return DIALECTS[version or V221.version]
