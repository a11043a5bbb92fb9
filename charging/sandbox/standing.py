"""The quirks that are nothing but a fault that happens every time."""

from typing import Any, Final

from charging.sandbox.faults import Fault
from charging.sandbox.quirks import Quirk, QuirkBook

_LATE_S: Final = 3.0


def _fault(when: str, kind: str, **parameters: Any) -> Fault:
    return Fault.model_validate({"when": when, "kind": kind, **parameters})


FAULTS: Final[dict[Quirk, tuple[Fault, ...]]] = {
    Quirk.LATE_AFTER_TIMEOUT: (_fault("START_SESSION", "result", result="TIMEOUT", after_s=1),),
    Quirk.NEVER_STARTS: (_fault("START_SESSION", "unplugged"),),
    Quirk.SLOW_START: (_fault("START_SESSION", "unplugged", after_s=_LATE_S),),
    Quirk.STUCK_PENDING: (_fault("SESSION", "pending_forever"),),
    Quirk.FIRST_ACTIVE: (_fault("SESSION_PENDING", "drop"),),
    Quirk.FIRST_COMPLETED: tuple(_fault(f"SESSION_{what}", "drop") for what in ("PENDING", "ACTIVE", "UPDATE")),
    Quirk.NO_REFERENCE: (_fault("SESSION", "no_reference"),),
    Quirk.DRAWS_NOTHING: (_fault("SESSION", "idle"),),
    Quirk.CREDIT_AND_CORRECTION: (_fault("CDR", "credit", set={"remark": "corrected"}),),
    Quirk.CREDIT: (_fault("CDR", "credit"),),
    Quirk.MUTE: (_fault("START_SESSION", "no_result"), _fault("SESSION", "silent", after_s=_LATE_S)),
}


def standing_fault(quirks: QuirkBook, kinds: frozenset[str], whens: tuple[str, ...]) -> Fault | None:
    """What a quirk makes go wrong at one of ``whens``; None: nothing."""
    standing = (fault for quirk in quirks for fault in FAULTS.get(quirk, ()))
    return next((fault for fault in standing if fault.kind in kinds and fault.when in whens), None)
