"""What must not be able to shake the engine: each row is held by a test that is marked ``trust("<row>")``.

Section 1 is what breaks or misbehaves around us, section 2 what somebody sends us on purpose.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """One thing that may happen, and what must come of it."""

    happens: str
    outcome: str


# The row with which each part of the table begins.
PARTS: Mapping[str, str] = {
    "1.1": "Killed and restarted",
    "1.15": "Commands",
    "1.33": "Session pushes",
    "1.44": "CDRs and money",
    "1.58": "Transport to partners",
    "1.65": "Infrastructure",
    "2.1": "Hostile and malformed requests",
}

AROUND_US: Mapping[str, Row] = {}

SENT_TO_US: Mapping[str, Row] = {}

ROWS: Mapping[str, Row] = {**AROUND_US, **SENT_TO_US}
