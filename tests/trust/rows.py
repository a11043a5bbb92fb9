"""What must not be able to shake the engine: each row is held by a test that is marked ``trust("<row>")``.

Section 1 is what breaks or misbehaves around us, section 2 what somebody sends us on purpose.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tests.trust.rows_hostile import HOSTILE


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
    "1.1": Row(
        "The API dies when a start is stored, before its workflow begins.",
        "The same key starts it, once; a start that nobody repeats is given up within a minute.",
    ),
    "1.2": Row("The API dies when the workflow has begun.", "The same key is the same session; the CPO has one START."),
    "1.3": Row(
        "The worker dies before START leaves (with all else; in soak alone too).", "Another one sends it; one START."
    ),
    "1.4": Row(
        "The worker dies when the CPO has START (with all else; in soak alone too).",
        "It is never sent again; the CPO's Session is found by its reference.",
    ),
    "1.5": Row("No worker for long while a car charges.", "Limits are kept late, and by how much is shown."),
    "1.6": Row(
        "Temporal is away when a session is to start.", "503 with Retry-After, nothing half done; reads are answered."
    ),
    "1.7": Row("Temporal is restarted.", "Timers ring, no session is lost."),
    "1.8": Row(
        "We die when a push is stored, before its answer (a CDR; in soak a Session or a result too).",
        "The CPO sends it again: it changes nothing.",
    ),
    "1.9": Row(
        "We die (a CDR; in soak a Session or a result too), or cannot write, before a push is stored.",
        "No answer that takes it; sent again, it is kept.",
    ),
    "1.10": Row("We die between a payment and its record.", "Asked again under the same key; one charge."),
    "1.11": Row(
        "Whoever sends a webhook is killed, or ends, in the middle.", "It is sent again under the same `webhook-id`."
    ),
    "1.12": Row(
        "Processes are replaced one after the other (SIGTERM).",
        "Streams end and go on elsewhere from `Last-Event-ID`; what was accepted is answered.",
    ),
    "1.13": Row("Workflow code changes while sessions run.", "The stored histories of every path replay."),
    "1.14": Row(
        "Anything dies at a random moment, again and again.",
        "12 seeds: every session ends, is paid for once or not at all, and its key is still it. "
        "All of I1 to I12 are judged by chaos.",
    ),
    "1.15": Row("START is answered REJECTED or NOT_SUPPORTED.", "`failed` with the reason; the hold goes back."),
    "1.16": Row(
        "Neither a result nor a Session follows a START.",
        "The CPO's sessions are listed; then `failed` (`start_timeout`). A Session that comes later is stopped.",
    ),
    "1.17": Row(
        "The result of START is TIMEOUT, and then it charges.",
        "In time: `active`. After the failure: stopped at once, and its CDR is settled.",
    ),
    "1.18": Row("The result of START overtakes its answer.", "It is taken."),
    "1.19": Row("The Session is ACTIVE before any answer.", "`active`, and can be stopped."),
    "1.20": Row("A result comes twice.", "The first one counts."),
    "1.21": Row("A result for a command that is unknown, or somebody else's.", "404; nobody is told."),
    "1.22": Row(
        "START is accepted and no car is plugged in.", "`pending`, `awaiting_plug`; then `failed` (`plug_in_timeout`)."
    ),
    "1.23": Row("STOP is accepted and it goes on charging.", "STOP again, `stop_overdue`, never `completed` early."),
    "1.24": Row("STOP is refused.", "It stays `stopping`, and the robot is not told to unplug."),
    "1.25": Row("A stop while `pending`.", "It is kept; a Session that becomes ACTIVE is stopped at once."),
    "1.26": Row("Two stops.", "The same answer, one STOP."),
    "1.27": Row("A stop after the end.", "200 with the true status."),
    "1.28": Row("The car or the CPO ends it.", "`completed`, and the reason says who."),
    "1.29": Row("100 starts at once at one EVSE.", "One wins; 99 are 409 `evse_busy`."),
    "1.30": Row("The same key many times at once.", "One session, and all answers say so."),
    "1.31": Row(
        "A charging profile for a session that is `pending`, or whose EVSE takes none.",
        "202, and sent once it is active; 409 `smart_charging_unsupported`.",
    ),
    "1.32": Row("A charging profile is refused later.", "An event says so; the one before stays in force."),
    "1.33": Row(
        "A limit is passed, perhaps while we are away: energy or cost, the two that a start can set.",
        "STOP; how far it went is shown.",
    ),
    "1.34": Row("A push that is older than what we have.", "Acknowledged and ignored."),
    "1.35": Row("A PATCH before its PUT.", "404, and the whole object is asked for."),
    "1.36": Row("Energy falls, or is negative.", "The most is kept; `meter_anomaly`."),
    "1.37": Row("More energy than the charger can deliver.", "Flagged, and no limit is judged by it."),
    "1.38": Row("A Session that stays PENDING.", "It fails at its own deadline."),
    "1.39": Row("A CPO that falls silent.", "`stale`, and it is asked."),
    "1.40": Row("A Session under another party's name.", "Refused; nothing is written."),
    "1.41": Row("A Session becomes INVALID.", "`failed`; without a CDR nothing is charged."),
    "1.42": Row("Words and fields that nobody knows.", "Kept as they are; no harm."),
    "1.43": Row("A second Session for one START.", "Parked, stopped, told."),
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
    "1.58": Row(
        "5xx, resets and silence on START; a CPO that cannot be reached.",
        "What may have been understood is never sent again: a Session decides, or the deadline. What never left is "
        "tried until the deadline, then `failed` (`cpo_unavailable`).",
    ),
    "1.59": Row("An answer that comes drop by drop.", "Cut when its time is over."),
    "1.60": Row("An answer without end.", "Cut at 10 MB."),
    "1.61": Row("A web page, half a JSON, an OCPI error.", "A failure that programs know; no crash."),
    "1.62": Row("429.", "`Retry-After` is kept to."),
    "1.63": Row("TLS or DNS fails.", "New starts at this CPO are 503 at once; others feel nothing."),
    "1.64": Row("A redirect to an address inside.", "Not followed."),
    "1.65": Row("The store is locked, or its pool is empty.", "503; nothing is acknowledged."),
    "1.66": Row("The disk is full.", "Not ready; nothing is acknowledged that is not kept."),
    "1.67": Row(
        "A CPO's clock that is minutes off; summer time. The clock of our own host is not stepped.",
        "No time is negative, no update is lost.",
    ),
    "1.68": Row("A callback that cannot be read, or is poison.", "4xx or 2xxx, kept for people; the session goes on."),
    "1.69": Row("100 Session pushes a second.", "At most five signals a second to a workflow."),
    "1.70": Row(
        "The identity provider is away.",
        "The last known keys are good for an hour, unknown ones are 401; then 503.",
    ),
}

SENT_TO_US: Mapping[str, Row] = {f"2.{number}": Row(*words) for number, words in HOSTILE.items()}

ROWS: Mapping[str, Row] = {**AROUND_US, **SENT_TO_US}
