"""Every name that two processes must agree on: workflow ids, the task queue, messages, search attributes.

Pure: strings only, so that workflows, activities, the API and the tests share one spelling.
"""

from enum import StrEnum
from typing import Final

TASK_QUEUE: Final = "charging-sessions"
DEPLOYMENT: Final = "charging-sessions"  # of our workers, where they have versions (docs/deploying.md)
WEBHOOK_QUEUE: Final = "charging-webhooks"  # receivers that hang must not keep a CPO waiting


class Signal(StrEnum):
    """Signals: ``cdr_received`` is ``SettlementWorkflow``'s too, ``session_updated`` ``LateSessionWorkflow``'s,
    ``deliver`` ``WebhookWorkflow``'s alone.
    """

    STOP = "stop"
    CHANGE_PROFILE = "change_profile"
    CLEAR_PROFILE = "clear_profile"
    COMMAND_RESULT = "command_result"
    SESSION_UPDATED = "session_updated"
    CDR_RECEIVED = "cdr_received"
    PRICES_CHANGED = "prices_changed"
    DELIVER = "deliver"


class Query(StrEnum):
    """Queries of ``ChargingSessionWorkflow``."""

    STATUS = "status"
    PLAN = "plan"
    TIMELINE = "timeline"


class Workflow(StrEnum):
    """Workflow types as Temporal UI lists them."""

    CHARGING_SESSION = "ChargingSessionWorkflow"
    SETTLEMENT = "SettlementWorkflow"
    LATE_SESSION = "LateSessionWorkflow"
    SYNCHRONISE = "SynchroniseWorkflow"
    REFRESH_CURVE = "RefreshCurveWorkflow"
    WEBHOOK = "WebhookWorkflow"


class SearchAttribute(StrEnum):
    """Custom search attributes, all of type Keyword. They are stored as plain text: no personal data."""

    CHARGING_STATUS = "ChargingStatus"
    EVSE_ID = "EvseId"
    NETWORK = "Network"
    USER_ID = "UserId"  # a keyed hash of the JWT's `sub`
    JOB_ID = "JobId"


def charging_session_id(session_id: str) -> str:
    """Workflow id of one charging session."""
    return f"charging-session/{session_id}"


def settlement_id(session_id: str) -> str:
    """Workflow id under which all CDRs of one session are settled, one run at a time."""
    return f"settlement/{session_id}"


def late_session_id(session_id: str, ocpi_session_id: str | None = None) -> str:
    """Workflow id that stops a CPO Session which appeared after its charging session was closed.

    With ``ocpi_session_id``: a second CPO Session for one ``authorization_reference``, parked and stopped.
    """
    return f"late-session/{session_id}" + (f"/{ocpi_session_id}" if ocpi_session_id else "")


def webhook_id(webhook_id: str) -> str:
    """Workflow id that delivers to one webhook, one run at a time."""
    return f"webhook/{webhook_id}"


def synchronise_id(connection_id: str) -> str:
    """Workflow id under which a schedule pulls what a CPO has; Temporal appends the time."""
    return f"synchronise/{connection_id}"


def asked_synchronise_id(connection_id: str, wish: str) -> str:
    """Workflow id of a pull that was asked for, one at a time for each ``wish``."""
    return f"synchronise/{connection_id}/{wish}"


def sync_schedule_id(connection_id: str) -> str:
    """Id of the schedule that pulls what a CPO has."""
    return f"sync/{connection_id}"


def refresh_curve_id(name: str) -> str:
    """Workflow id under which a schedule fetches a curve; Temporal appends the time."""
    return f"refresh-curve/{name}"


def asked_refresh_curve_id(name: str) -> str:
    """Workflow id of a refresh that was asked for, one at a time."""
    return f"refresh-curve/{name}/asked"


def curve_schedule_id(name: str) -> str:
    """Id of the schedule that fetches a curve."""
    return f"curve/{name}"
