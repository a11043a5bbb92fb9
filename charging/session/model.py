"""What a charging session is: its fixed facts, its meter, its state. Data only; the rules are in ``rules``.

Units: energy kWh, power kW, durations s, money in ``SessionSpec.currency``, time aware UTC.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from charging.session.profile import ChargingPlan, PlanCause, PlanRecord, ProfileWish

EDITION: Final = 3
"""Of the rules, for sessions that begin now; those under way keep theirs until they continue as new, for their
histories hold what was decided.

1: a Session is known by its id, whatever its status; START_SESSION leaves in time, or not at all;
limits that nothing can cross for long are looked at every six hours, not every hour.
2: a meter that could not be read is read again in five minutes; what the charge point says to START_SESSION counts also
when it comes late; who fails before START_SESSION has perhaps a hold.
3: a car that begins to charge after a stop was wished is stopped at once, however often that was tried before; what
comes while the last decisions are being stored counts.
"""

LONGEST_WORD: Final = 100

Word = Annotated[str, AfterValidator(lambda word: word[:LONGEST_WORD])]
"""A CPO's word of its own choice, such as a result: cut to what the store takes (``profile_requests.result``)."""


class Status(StrEnum):
    """The five statuses that a robot sees (REST API)."""

    PENDING = "pending"
    ACTIVE = "active"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"


class Phase(StrEnum):
    """Where inside its status a session is. None once it has ended."""

    RESERVING_FUNDS = "reserving_funds"
    AWAITING_CPO = "awaiting_cpo"
    AWAITING_PLUG = "awaiting_plug"
    CHARGING = "charging"
    PAUSED = "paused"
    LIMIT_REACHED = "limit_reached"
    STOP_SENT = "stop_sent"
    STOP_OVERDUE = "stop_overdue"
    AWAITING_CDR = "awaiting_cdr"
    SETTLING = "settling"


class CpoStatus(StrEnum):
    """OCPI SessionStatus (2.2.1 §9.4.2). COMPLETED and INVALID are final."""

    PENDING = "PENDING"
    RESERVATION = "RESERVATION"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    INVALID = "INVALID"

    @property
    def is_final(self) -> bool:
        """Whether the CPO's transaction is over."""
        return self in (CpoStatus.COMPLETED, CpoStatus.INVALID)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Reason(_Frozen):
    """Why a session is where it is. ``code`` is stable, ``party`` says whose doing it was."""

    code: str
    detail: str
    retryable: bool = False
    party: Literal["user", "robot", "cpo", "car", "engine", "payments"] = "engine"


class Policy(_Frozen):
    """Deadlines of a session, in seconds, copied into it at its start so that a running session never changes.

    And how closely its charging plan is kept: kWh, s, and money in the session's currency.
    """

    send_s: float = 180  # ordered, until START is sent: what has not left by then is too late
    confirm_s: float = 180  # START sent, until the CPO shows a Session or says yes
    plug_in_s: float = 600  # START accepted by the charge point, until a Session is ACTIVE
    stop_confirm_s: float = 120  # first STOP, until it is called overdue
    call_human_s: float = 1800  # first STOP, until a robot is told to call a human
    cdr_s: float = 35 * 86400  # end of the transaction, until we stop waiting for its CDR
    tombstone_s: float = 86400  # a START of unknown outcome is watched for so long
    profile_result_s: float = 60  # a charging profile is sent again when its result is so late
    drift_kwh: Decimal = Decimal("0.5")  # the meter may be so far from the plan (or what flows in drift_s, if more)
    drift_s: float = 300
    replan_pause_s: float = 300  # between one look at the plan and the next, where only the meter asks for it
    min_gain: Decimal = Decimal("0.10")  # a new plan must save so much, and so large a share of the cost ...
    min_gain_share: Decimal = Decimal("0.02")  # ... of going on with the plan in force
    finish_block_s: float = 1800  # a block that ends so soon is finished
    bridge_s: float = 900  # a shorter gap between two blocks is bridged
    settle_s: float = 120  # what a car takes of a new limit is believed after so long
    probe_s: float = 300  # a car that is to wait for cheap hours charges for so long first: it is seen what it takes
    ready_before_s: float = 600  # the energy shall be in so long before the departure ...
    ready_before_share: float = 0.25  # ... and by such a share of the time that charging takes
    history_limit: int = Field(
        4096, description="History events after which the workflow continues as new, if Temporal has not said so."
    )


class SessionSpec(_Frozen):
    """The fixed facts of one charging session, decided at POST /v1/sessions/start and never changed.

    ``need_kwh``: energy to deliver before the session stops itself. ``cost_limit``: the smaller of the user's
    ``max_cost`` and the hold; reaching it stops the session. ``user_key``: keyed hash of the user, safe to index.
    ``voltage`` V and ``phases`` of the connector convert W to A per phase; ``rate_unit`` is what profiles use.
    """

    session_id: str
    evse_id: str  # as the caller spelled it
    network: str
    user_key: str
    job_id: str | None = None
    robot_id: str | None = None

    connection_id: str
    country_code: str
    party_id: str
    location_id: str
    evse_uid: str
    connector_id: str
    authorization_reference: str

    max_power_kw: Decimal
    rate_unit: Literal["W", "A"] = "W"
    phases: int = 1
    voltage: int = 230
    profile_capable: bool = True
    preferences_capable: bool = False
    power_factor: int = 1

    currency: str
    need_kwh: Decimal | None = None
    hold: Decimal
    cost_limit: Decimal
    policy: Policy = Policy()
    created_at: datetime


def may_flow(ocpi_session_id: str | None, cpo_status: str | None) -> bool:
    """Whether there is a Session, in which energy flows or may begin to. One of unread status (None) counts."""
    return ocpi_session_id is not None and cpo_status in (None, CpoStatus.PENDING, CpoStatus.ACTIVE)


class Meter(_Frozen):
    """What the CPO has told about its Session so far, as the receiver stored it. Energy and cost never fall.

    ``cost``: the CPO's running total incl. VAT, where it gives one (0 while the car charges is none); ``estimate``:
    ours. ``seq`` counts stored changes. ``updated_at`` is the CPO's ``last_updated``, ``received_at`` our clock.
    ``kwh_changed_at`` is the CPO's ``last_updated`` of the push in which the energy last rose. ``final_kwh`` is what
    the last message of a Session that is COMPLETED said of it: it may be less than ``kwh``. None: none said anything.
    """

    seq: int = 0
    ocpi_session_id: str | None = None
    cpo_status: CpoStatus | None = None
    kwh: Decimal = Decimal(0)
    cost: Decimal | None = None
    estimate: Decimal | None = None
    power_kw: Decimal | None = None
    state_of_charge: Decimal | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    updated_at: datetime | None = None
    received_at: datetime | None = None
    kwh_changed_at: datetime | None = None
    final_kwh: Decimal | None = None

    @property
    def may_flow(self) -> bool:
        """Whether the CPO has a Session in which energy flows, or may begin to."""
        return may_flow(self.ocpi_session_id, self.cpo_status)

    @property
    def known_cost(self) -> Decimal | None:
        """The CPO's running total where it gives one, else our estimate."""
        return self.cost if self.cost is not None else self.estimate


class LiveMeter(Meter):
    """The stored meter with ``estimate`` as it is by now: prices of time grow while a CPO is silent.

    ``look_at``: shortly before the cost limit could be reached, should the car take all that the connector gives, and
    within six hours; None: it is the CPO that tells what is reached, or nobody knows the price.
    """

    look_at: datetime | None = None


class StartOutcome(StrEnum):
    """What is known of the one START_SESSION."""

    NOT_SENT = "not_sent"
    SENT = "sent"  # the activity has it; no answer yet
    UNDERSTOOD = "understood"  # CommandResponse ACCEPTED
    ACKNOWLEDGED = "acknowledged"  # CommandResult ACCEPTED
    UNKNOWN = "unknown"  # timeout, reset, 5xx, 4002, CommandResult TIMEOUT
    REFUSED = "refused"  # a definite no


class StopProgress(BaseModel):
    """The wish to stop and what became of it. ``attempts`` counts STOP_SESSION commands sent.

    ``repeats_from``: since when repeats are counted, where that is not the first STOP_SESSION.
    """

    requested_at: datetime | None = None
    by: Literal["user", "operator", "limit", "late", "deadline"] | None = None
    attempts: int = 0
    first_sent_at: datetime | None = None
    repeats_from: datetime | None = None
    next_at: datetime | None = None
    accepted_at: datetime | None = None
    refusals: int = 0
    overdue: bool = False


class ProfileProgress(BaseModel):
    """The newest wish for a charging profile, and the one in force.

    ``request_id`` names the row that the API waits on. ``wish`` None with a ``request_id`` asks to clear.
    ``own``: a new plan for the wish in force, or the rest of the one in force, which nobody waits for. ``refused``
    counts how often in a row the CPO refused such a one.
    """

    request_id: str | None = None
    own: bool = False
    wish: ProfileWish | None = None
    plan: ChargingPlan | None = None
    sent_at: datetime | None = None
    next_at: datetime | None = None
    attempts: int = 0
    command_id: str | None = None
    asked: bool = True  # since the last send: which profile is active (nothing was sent yet, so nothing to ask)
    ask_id: str | None = None
    in_force: ChargingPlan | None = None
    rest_at: datetime | None = None  # when the rest of the plan in force is to be sent
    sent_rest_at: datetime | None = None  # the same of what was sent last
    sent_limit_w: Decimal | None = None  # with which that began: a pause may be sent as the least power
    quiet_until: datetime | None = None  # the CPO has said TOO_OFTEN
    too_often: int = 0  # so often in a row
    must_list: bool = False  # the CPO does not know the Session: its sessions are listed before the next attempt
    listed: bool = False
    refused: int = 0
    preference_refusals: tuple[str, ...] = ()  # answers to charging preferences that were taken into account


class Following(BaseModel):
    """How the plan in force is kept true: ``cause``, ``why``: it is to be made again; ``taken_kw`` as in a plan.

    ``departed``: the departure whose passing was noted. ``looked_at``: the price horizon at which it was made again.
    """

    cause: PlanCause | None = None
    why: str = ""
    taken_kw: Decimal | None = None
    departed: datetime | None = None
    looked_at: datetime | None = None


class ProfileAnswer(_Frozen):
    """What became of one profile request; written to the row that the API waits on."""

    request_id: str
    state: Literal["accepted", "rejected", "superseded", "session_over"]
    result: Word | None = None


class TimelineEntry(_Frozen):
    """One thing that happened, for people: the query ``timeline`` and the ``events`` table."""

    n: int  # counts a session's entries; with what it says it is the entry's identity
    at: datetime
    type: str
    detail: str
    data: dict[str, Any] | None = None  # of an event that programs read; the others have ``detail`` only


class SessionState(BaseModel):
    """All that a session's workflow remembers; carried whole across continue-as-new.

    ``closed_at``: the CPO's transaction is over (or provably never was): the EVSE claim ends.
    ``start_by``: a START_SESSION that has not left by then is too late for whoever ordered it; None: never (edition 0).
    ``watch_until``: how long a failed session of unknown outcome is watched (its tombstone).
    ``answers``, ``plans`` and ``unpublished`` are profile answers, plan revisions and timeline entries that the store
    does not have yet.
    ``seen``: the last 200 message ids; ``timeline``: the last 50 entries.
    """

    spec: SessionSpec
    edition: int = 0  # of the rules that it lives by (``EDITION``)
    status: Status = Status.PENDING
    phase: Phase | None = Phase.RESERVING_FUNDS
    reason: Reason | None = None
    admitted: bool = False
    held: bool = False  # perhaps, where it failed before START_SESSION
    hold_released: bool = False
    start: StartOutcome = StartOutcome.NOT_SENT
    start_by: datetime | None = None
    start_sent_at: datetime | None = None
    meter: Meter = Meter()
    stop: StopProgress = StopProgress()
    profile: ProfileProgress = ProfileProgress()
    following: Following = Following()
    cost_look_at: datetime | None = None  # when to ask again whether the cost limit is reached
    plans_made: int = 0  # the revision of the newest plan
    asked_at_deadline: bool = False  # the CPO's sessions were listed before giving up
    closed_at: datetime | None = None
    watch_until: datetime | None = None
    cdr_at: datetime | None = None
    settled_at: datetime | None = None
    ended_at: datetime | None = None
    ask_cpo: bool = False  # the next publication asks the silence watch to list this CPO's sessions now
    answers: list[ProfileAnswer] = []
    plans: list[PlanRecord] = []
    seen: list[str] = []
    timeline: list[TimelineEntry] = []
    unpublished: list[TimelineEntry] = []
    noted: int = 0  # timeline entries so far, of all runs
    told: str = ""  # status and phase of the newest ``session.status`` event
    told_at: datetime | None = None  # when that was
    changes: int = 0  # raised by every change, so that the workflow knows when to publish
    run: int = 0  # continue-as-new runs before this one
