"""Session facts and states for tests of the pure rules."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from charging.session import rules
from charging.session.answers import StartAnswer
from charging.session.model import CpoStatus, Meter, SessionSpec, SessionState, StartOutcome

T0 = datetime(2026, 3, 30, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds into the test."""
    return T0 + timedelta(seconds=seconds)


def spec(**changes: Any) -> SessionSpec:
    """A 150 kW DC session at the sandbox's first EVSE."""
    facts: dict[str, Any] = {
        "session_id": "3f0e7b1e-0000-4000-8000-000000000001",
        "evse_id": "FI-VRT-E12345",
        "network": "Virta",
        "user_key": "u",
        "connection_id": "c",
        "country_code": "FI",
        "party_id": "VRT",
        "location_id": "LOC1",
        "evse_uid": "3256",
        "connector_id": "1",
        "authorization_reference": "REF1",
        "max_power_kw": Decimal(150),
        "currency": "EUR",
        "need_kwh": Decimal(60),
        "hold": Decimal(50),
        "cost_limit": Decimal(50),
        "created_at": T0,
    }
    return SessionSpec.model_validate({**facts, **changes})


def ordered(**changes: Any) -> SessionState:
    """A session that was ordered at T0, under the present rules."""
    state = SessionState(spec=spec(**changes))
    rules.taken_up(state, T0)
    return state


def started(**changes: Any) -> SessionState:
    """Admitted, funds held, START_SESSION sent at T0 and understood."""
    state = ordered(**changes)
    rules.admitted(state, True, T0)
    rules.funds_answered(state, True, "", T0)
    rules.start_sent(state, T0)
    rules.start_answered(state, StartAnswer(outcome=StartOutcome.UNDERSTOOD), T0)
    return state


def meter(state: SessionState, status: CpoStatus | None = CpoStatus.ACTIVE, *, kwh: str = "0", **changes: Any) -> Meter:
    """The next snapshot of the CPO's Session."""
    before = state.meter
    values = {"seq": before.seq + 1, "ocpi_session_id": "S1", "cpo_status": status, "kwh": Decimal(kwh), **changes}
    return before.model_copy(update=values)


def active(**changes: Any) -> SessionState:
    """A session that charges since T0."""
    state = started(**changes)
    rules.session_updated(state, meter(state, power_kw=Decimal(100)), T0)
    return state
