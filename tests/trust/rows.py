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

AROUND_US: Mapping[str, Row] = {
    "1.44": Row("A CDR comes twice.", "One payment."),
    "1.45": Row("A second CDR under another id, and no credit.", "It waits for a person; the first one stays."),
    "1.46": Row("A Credit CDR, and a corrected one.", "Refunded, then charged; the receipt has a next version."),
    "1.47": Row("A CDR while the Session still says ACTIVE.", "The session is completed by it."),
    "1.48": Row(
        "No CDR comes.",
        "It is asked for; at the deadline `failed` (`cdr_missing`), nothing charged, nothing held. One that comes "
        "after all is settled.",
    ),
    "1.49": Row("A CDR with energy for a failed session.", "Settled; the session stays `failed`."),
    "1.50": Row("A CDR that does not add up, or is in another currency.", "It waits for a person; no charge."),
    "1.51": Row("A CDR of nothing.", "A receipt of 0, and no payment is asked for."),
    "1.52": Row("A negative total that is no credit.", "It waits for a person; no charge."),
    "1.53": Row("Payments does not answer a capture.", "Looked up under the same key; one charge."),
    "1.54": Row("The payment is declined.", "The session is completed, its payment `failed`, and can be made again."),
    "1.55": Row("Webhooks of Payments: repeated, out of order, forged.", "Taken once; ignored; 401."),
    "1.56": Row("The hold expires before the bill comes.", "A new charge; nothing of the hold is left."),
    "1.57": Row("The CDR comes when the session's workflow has long closed.", "The inbox has it settled."),
}

SENT_TO_US: Mapping[str, Row] = {}

ROWS: Mapping[str, Row] = {**AROUND_US, **SENT_TO_US}
