"""Faults: how this CPO is told to misbehave, by ``POST /admin/faults`` with one fault or a list of them.

A fault is ``{"when": …, "kind": …}``. Optional for all: ``times`` (default 1; null: for ever), ``skip`` (so many
chances are let pass first) and ``evse`` (uid or evse id: only there). The oldest fault that fits acts.

``when`` a **call** reaches us (a command below, or ``PREFERENCES LOCATIONS TARIFFS SESSIONS CDRS TOKENS VERSIONS
CREDENTIALS``, or ``ANY``), its answer is spoiled. ``executed`` says whether the call takes effect all the same:

- ``http``       ``status`` (default 503), ``retry_after`` s, ``executed`` (default false)
- ``ocpi``       an envelope with ``status_code`` (default 4002) on HTTP 200, ``executed`` (default false)
- ``html``       a web page with HTTP 200, ``executed`` (default false)
- ``redirect``   HTTP 302 to ``url``, ``executed`` (default false)
- ``reset``      the connection is reset without an answer, ``executed`` (default true)
- ``slow``       the answer comes after ``seconds``, ``executed`` (default true)
- ``drip``       the answer comes byte by byte over ``seconds``
- ``flood``      the answer is followed by ``bytes`` (default 20 MB) of blanks

``when`` a **command** (``START_SESSION STOP_SESSION RESERVE_NOW CANCEL_RESERVATION UNLOCK_CONNECTOR SET_PROFILE
CLEAR_PROFILE ACTIVE_PROFILE``), its two answers:

- ``response``          the synchronous answer is ``result`` (REJECTED, NOT_SUPPORTED, UNKNOWN_SESSION, TOO_OFTEN …);
                        PREFERENCES, which have no other answer, too (NOT_POSSIBLE, PROFILE_TYPE_NOT_SUPPORTED …)
- ``no_result``         accepted, executed, and no asynchronous result ever
- ``result``            the asynchronous result is ``result`` (TIMEOUT, FAILED, EVSE_OCCUPIED, REJECTED, UNKNOWN …)
                        and nothing is executed; with ``after_s`` a START becomes active all the same, so late
- ``result_first``      the result is delivered before the response
- ``late_result``       the result comes after ``seconds``
- ``duplicate_result``  the result comes ``copies`` times (default 2)
- ``foreign_result``    before the true one, a result goes to ``url`` (default: a command id that nobody gave out)
- ``ignored``           STOP, RESERVE_NOW, CANCEL_RESERVATION, SET_PROFILE, CLEAR_PROFILE: accepted, reported as
                        done, and not done
- ``withdrawn``         RESERVE_NOW: made, and after ``after_s`` (default 2) taken back with CANCELED_RESERVATION
- ``session_first``     START: PENDING and ACTIVE are delivered before the result; ``before_response`` true: before
                        the synchronous answer too
- ``unplugged``         START: accepted, but there is no car; it comes after ``after_s``, or never

``when: SESSION``, the **session** that the next START makes:

- ``pending_forever``  it never becomes ACTIVE
- ``silent``           neither Session nor CDR is pushed; ``pullable`` false: the lists do not show them either;
                       ``after_s``: the list shows the Session only after so many seconds
- ``idle``             it is ACTIVE, but the car draws nothing
- ``car_stops``        the car ends it after ``after_s`` s of charging (default 2)
- ``invalid``          it becomes INVALID after ``after_s`` s of charging (default 2), and has no CDR
- ``twin``             a second Session with its own id for the same authorization_reference
- ``no_reference``     Session and CDR carry no authorization_reference

``when`` a **push** leaves us (``SESSION_PENDING SESSION_ACTIVE SESSION_UPDATE SESSION_COMPLETED SESSION_INVALID``,
``SESSION_PUSH`` for any of them, or ``CDR``):

- ``drop``         it is not sent (nor, for a CDR with ``pullable`` false, shown in the list)
- ``late``         it is sent after ``seconds``; what follows waits
- ``duplicate``    it is sent ``copies`` times (default 2)
- ``stale``        afterwards an older version is sent, with an older last_updated, status ACTIVE and 0 kWh
- ``patch_first``  it is sent as a PATCH, also when the eMSP has never seen a PUT
- ``kwh``          its kWh are ``kwh``, or ``add_kwh`` more (negative: fewer) than the meter's; only in this push
- ``foreign``      before it, the same is sent in the name of another party (``party_id``, default XXX)
- ``strange``      enum values and fields that nobody has heard of
- ``alter``        the fields in ``set`` replace the message's own, as they are sent
- ``before_completed``  CDR only: it is sent before the session's COMPLETED
- ``credit``       CDR only: it is followed by a credit CDR; with ``set``, also by a third one with other fields

``late`` aside, what was not sent is not sent later either: OCPI 2.2.1 forbids to queue and replay what a peer missed.
Lists show the truth unless ``pullable`` is false.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from charging.sandbox.locations import find
from charging.sandbox.persistence import Journal

_RESERVING: Final = frozenset({"RESERVE_NOW", "CANCEL_RESERVATION"})
_PROFILING: Final = frozenset({"SET_PROFILE", "CLEAR_PROFILE", "ACTIVE_PROFILE"})
COMMANDS: Final = _RESERVING | _PROFILING | {"START_SESSION", "STOP_SESSION", "UNLOCK_CONNECTOR"}
_MODULES: Final = frozenset({"LOCATIONS", "TARIFFS", "SESSIONS", "CDRS", "TOKENS", "VERSIONS", "CREDENTIALS"})
CALLS: Final = COMMANDS | _MODULES | {"PREFERENCES", "ANY"}
SESSION_PUSHES: Final = frozenset(
    {f"SESSION_{what}" for what in ("PENDING", "ACTIVE", "UPDATE", "COMPLETED", "INVALID", "PUSH")}
)

_IN_ANY_COMMAND: Final = frozenset(
    {"response", "no_result", "result", "result_first", "late_result", "duplicate_result", "foreign_result"}
)
_IN_ANY_PUSH: Final = frozenset({"drop", "late", "duplicate", "strange", "alter"})

TRANSPORT_KINDS: Final = frozenset({"http", "ocpi", "html", "redirect", "reset", "slow", "drip", "flood"})
COMMAND_KINDS: Final = _IN_ANY_COMMAND | {"ignored", "session_first", "unplugged", "withdrawn"}
SESSION_KINDS: Final = frozenset({"pending_forever", "silent", "idle", "car_stops", "invalid", "twin", "no_reference"})
PUSH_KINDS: Final = _IN_ANY_PUSH | {"stale", "patch_first", "kwh", "foreign", "before_completed", "credit"}

Kind = Literal[
    "http", "ocpi", "html", "redirect", "reset", "slow", "drip", "flood",
    "response", "no_result", "result", "result_first", "late_result", "duplicate_result", "foreign_result",
    "ignored", "session_first", "unplugged", "withdrawn",
    "pending_forever", "silent", "idle", "car_stops", "invalid", "twin", "no_reference",
    "drop", "late", "duplicate", "stale", "patch_first", "kwh", "foreign", "strange", "alter", "before_completed",
    "credit",
]  # fmt: skip


class Fault(BaseModel):
    """One fault. Which parameters a kind reads stands in the module's docstring."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default_factory=lambda: uuid4().hex)
    when: str
    kind: Kind
    times: int | None = Field(1, ge=1)
    skip: int = Field(0, ge=0)
    evse: str | None = None

    status: int = Field(503, ge=200, le=599)
    status_code: int = 4002
    retry_after: int | None = None
    executed: bool | None = None
    bytes: int = 20_000_000
    seconds: float = Field(3.0, ge=0)
    after_s: float | None = Field(None, ge=0)
    result: str | None = None
    copies: int = Field(2, ge=1)
    url: str | None = None
    before_response: bool = False
    pullable: bool = True
    kwh: float | None = None
    add_kwh: float | None = None
    party_id: str = "XXX"
    set: dict[str, Any] = {}

    @field_validator("when")
    @classmethod
    def _spelling(cls, when: str) -> str:
        return when.upper().replace(".", "_").replace("-", "_")

    @field_validator("evse")
    @classmethod
    def _known_evse(cls, evse: str | None) -> str | None:
        charger = find(evse) if evse is not None else None
        if evse is not None and charger is None:
            raise ValueError("no such EVSE")
        return charger.uid if charger else None

    @model_validator(mode="after")
    def _possible(self) -> "Fault":
        if self.kind not in kinds_at(self.when):
            raise ValueError(f"{self.kind} cannot happen at {self.when}")
        if self.kind in ("response", "result") and not self.result:
            raise ValueError(f"{self.kind} needs `result`")
        return self

    @property
    def is_executed(self) -> bool:
        """Whether a call whose answer is spoiled takes effect."""
        return self.kind in ("reset", "slow", "drip", "flood") if self.executed is None else self.executed


def kinds_at(when: str) -> frozenset[str]:
    """The kinds of fault that can happen at ``when``."""
    kinds = set(TRANSPORT_KINDS) if when in CALLS else set()
    if when in COMMANDS:
        kinds |= _IN_ANY_COMMAND
    if when == "PREFERENCES":
        kinds.add("response")
    if when in _RESERVING | {"STOP_SESSION", "SET_PROFILE", "CLEAR_PROFILE"}:
        kinds.add("ignored")
    if when == "RESERVE_NOW":
        kinds.add("withdrawn")
    if when == "START_SESSION":
        kinds |= {"session_first", "unplugged"}
    if when == "SESSION":
        kinds |= SESSION_KINDS
    if when in SESSION_PUSHES:
        kinds |= PUSH_KINDS - {"before_completed", "credit"}
    if when == "CDR":
        kinds |= _IN_ANY_PUSH | {"before_completed", "credit"}
    return frozenset(kinds)


class FaultBook:
    """The faults still to come, durable: a fault that has acted does not act again after a restart."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._faults = journal.load("fault", Fault)

    def list(self) -> list[Fault]:
        """What is still to come, oldest first."""
        return [*self._faults.values()]

    def add(self, faults: Iterable[Fault]) -> None:
        """Append ``faults``."""
        new = {fault.id: fault for fault in faults}
        self._faults |= new
        self._journal.put(*(("fault", key, fault) for key, fault in new.items()))

    def clear(self) -> None:
        """Behave again."""
        self._journal.delete("fault", self._faults)
        self._faults = {}

    def take(self, kinds: frozenset[str], *whens: str, evse_uid: str | None = None) -> Fault | None:
        """The oldest fault of ``kinds`` at ``whens`` that acts now, used up by that; None: all goes well."""
        for fault in self.list():
            fits = fault.kind in kinds and fault.when in whens and fault.evse in (None, evse_uid)
            if fits and self._use(fault):
                return fault
        return None

    def _use(self, fault: Fault) -> bool:
        """Count this chance. Whether the fault acts on it."""
        if fault.skip:
            self._replace(fault.model_copy(update={"skip": fault.skip - 1}))
            return False
        if fault.times is None:
            return True
        if fault.times > 1:
            self._replace(fault.model_copy(update={"times": fault.times - 1}))
        else:
            del self._faults[fault.id]
            self._journal.delete("fault", [fault.id])
        return True

    def _replace(self, fault: Fault) -> None:
        self._faults[fault.id] = fault
        self._journal.put(("fault", fault.id, fault))
