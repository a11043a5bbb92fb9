"""What activities answer to the workflow, and what the workflow publishes to the store. Data only."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from charging.session.model import (
    Phase,
    ProfileAnswer,
    Reason,
    StartOutcome,
    Status,
    TimelineEntry,
    Word,
)
from charging.session.profile import ChargingPlan, PlanRecord


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class StartAnswer(_Frozen):
    """The synchronous outcome of START_SESSION: UNDERSTOOD, UNKNOWN or REFUSED (then with a reason's code)."""

    outcome: StartOutcome
    code: str = ""
    detail: str = ""
    retryable: bool = False


class StopAnswer(_Frozen):
    """The synchronous outcome of STOP_SESSION. Neither: unknown, and the next attempt has its date."""

    accepted: bool = False
    refused: bool = False
    detail: str = ""


class ProfileSent(_Frozen):
    """The ``result`` of a ChargingProfileResponse (OCPI 2.2.1 §14.3.1), the ChargingPreferencesResponse (§9.4.1), or
    ``UNREACHABLE`` where none came. ``limit_w``: what was sent for the moment, W; ``send_again_at``: when the rest of
    the plan must follow.
    """

    command_id: str
    result: Word
    limit_w: Decimal | None = None
    send_again_at: datetime | None = None


class Publication(_Frozen):
    """A session's decisions, as the workflow writes them to the store.

    ``(run, length, n)`` orders publications: continue-as-new run, history length, count. A strictly greater one
    wins; a plain counter would repeat a number with other content after a worker died.
    ``wake_kwh`` and ``wake_cost`` are limits in kWh and in the session's currency.
    """

    session_id: str
    run: int
    length: int
    n: int
    status: Status
    phase: Phase | None
    reason: Reason | None
    start_outcome: StartOutcome
    stop_sent_at: datetime | None
    stop_accepted_at: datetime | None
    closed_at: datetime | None
    watch_until: datetime | None
    wake_kwh: Decimal | None
    wake_cost: Decimal | None
    profile: ChargingPlan | None
    ended_at: datetime | None
    ask_cpo: bool
    answers: list[ProfileAnswer]
    plans: list[PlanRecord] = []
    entries: list[TimelineEntry]
