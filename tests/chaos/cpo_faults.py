"""What the sandbox CPO is told to do wrong (``charging.sandbox.faults``), by what it does wrong.

Left out is what no engine could put right: a Session that nobody shows us, and a CDR that no list has.
"""

from typing import Any, Final

Templates = tuple[dict[str, Any], ...]

ALTERED: Final = "altered"  # the remark on a CDR that says something else than it adds up to

_ANSWERS: Final[Templates] = (
    {"kind": "http", "status": 503},
    {"kind": "http", "status": 500, "executed": True},
    {"kind": "http", "status": 429, "retry_after": 2},
    {"kind": "ocpi", "status_code": 3000},
    {"kind": "html", "executed": True},
    {"kind": "reset"},
    {"kind": "reset", "executed": False},
    {"kind": "slow", "seconds": 4},
    {"kind": "drip", "seconds": 4},
    {"kind": "flood"},
)
_RESULTS: Final[Templates] = (
    {"kind": "no_result"},
    {"kind": "result_first"},
    {"kind": "late_result", "seconds": 5},
    {"kind": "duplicate_result", "copies": 3},
    {"kind": "foreign_result"},
)


def _at(when: str, *templates: dict[str, Any]) -> Templates:
    return tuple({"when": when, **template} for template in templates)


CPO_FAULTS: Final[dict[str, Templates]] = {
    "start": _at(
        "START_SESSION",
        *_ANSWERS,
        *_RESULTS,
        {"kind": "response", "result": "REJECTED"},
        {"kind": "result", "result": "TIMEOUT"},
        {"kind": "result", "result": "TIMEOUT", "after_s": 5},
        {"kind": "result", "result": "EVSE_OCCUPIED"},
        {"kind": "result", "result": "FAILED"},
        {"kind": "session_first"},
        {"kind": "session_first", "before_response": True},
        {"kind": "unplugged", "after_s": 4},
        {"kind": "unplugged"},
    ),
    "stop": _at(
        "STOP_SESSION",
        *_ANSWERS,
        *_RESULTS,
        {"kind": "response", "result": "REJECTED"},
        {"kind": "result", "result": "FAILED"},
        {"kind": "ignored"},
    ),
    "profile": (
        *_at("SET_PROFILE", *_ANSWERS, *_RESULTS, {"kind": "ignored"}, {"kind": "response", "result": "TOO_OFTEN"}),
        *_at("CLEAR_PROFILE", {"kind": "no_result"}, {"kind": "response", "result": "REJECTED"}),
        *_at("ACTIVE_PROFILE", {"kind": "no_result"}, {"kind": "http", "status": 503}),
    ),
    "session": _at(
        "SESSION",
        {"kind": "pending_forever"},
        {"kind": "silent"},
        {"kind": "silent", "after_s": 6},
        {"kind": "idle"},
        {"kind": "car_stops", "after_s": 1},
        {"kind": "invalid", "after_s": 2},
        {"kind": "twin"},
        {"kind": "no_reference"},
    ),
    "push": (
        *_at("SESSION_PENDING", {"kind": "drop"}, {"kind": "late", "seconds": 3}),
        *_at("SESSION_ACTIVE", {"kind": "drop"}, {"kind": "late", "seconds": 4}, {"kind": "patch_first"}),
        *_at(
            "SESSION_UPDATE",
            {"kind": "stale"},
            {"kind": "kwh", "add_kwh": -1},
            {"kind": "kwh", "add_kwh": 500},
            {"kind": "foreign"},
            {"kind": "strange"},
            {"kind": "drop", "times": 5},
        ),
        *_at(
            "SESSION_COMPLETED",
            {"kind": "drop"},
            {"kind": "late", "seconds": 5},
            {"kind": "duplicate", "copies": 3},
            {"kind": "stale"},
        ),
    ),
    "cdr": _at(
        "CDR",
        {"kind": "drop"},
        {"kind": "late", "seconds": 6},
        {"kind": "duplicate", "copies": 3},
        {"kind": "before_completed"},
        {"kind": "strange"},
        {"kind": "credit"},
        {"kind": "credit", "set": {"remark": "corrected"}},
        {"kind": "alter", "set": {"remark": ALTERED, "total_cost": {"excl_vat": 999, "incl_vat": 1239}}},
    ),
    "lists": (
        *_at("SESSIONS", *_ANSWERS),
        *_at("CDRS", *_ANSWERS),
    ),
}
