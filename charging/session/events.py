"""What users are told of their sessions: the public form of the rows of the ``events`` table (docs/events.md). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from charging.session.model import Meter, Status

METER_EVERY: Final = timedelta(seconds=10)
POWER_CHANGE: Final = Decimal("0.1")


class EventType(StrEnum):
    """The types of events. Others may be added; none is ever renamed."""

    STATUS = "session.status"
    METER = "session.meter"
    NOTE = "session.note"
    PLAN = "plan.revised"
    RECEIPT = "receipt.issued"
    DISPUTE = "dispute.opened"


# What the workflow and the settlement call their entries, where it is more than a note. The rest are notes.
_TYPES: Final[Mapping[str, EventType]] = {
    EventType.STATUS: EventType.STATUS,
    EventType.METER: EventType.METER,
    "planned": EventType.PLAN,
    "replanned": EventType.PLAN,
    "payment_paid": EventType.RECEIPT,
    "payment_failed": EventType.RECEIPT,
    "payment_refunded": EventType.RECEIPT,
    "payment_not_required": EventType.RECEIPT,
    "cdr_quarantined": EventType.DISPUTE,
}


@dataclass(frozen=True)
class Event:
    """One event of a session. ``seq`` counts the session's events from 1 without a gap; ``id`` is the same for ever."""

    id: str
    type: EventType
    session_id: str
    at: datetime
    seq: int
    data: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """As users see it."""
        at = self.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return {
            "id": self.id,
            "type": str(self.type),
            "session_id": self.session_id,
            "at": at,
            "seq": self.seq,
            "data": self.data,
        }

    @property
    def ends_session(self) -> bool:
        """Whether the session has come to its end with this event."""
        return self.type is EventType.STATUS and self.data.get("status") in (Status.COMPLETED, Status.FAILED)


def public_event(*, id: str, session_id: str, seq: int, kind: str, at: datetime, data: Mapping[str, Any]) -> Event:
    """The public form of a stored row. ``kind``: what the row is called; a note says no more than its words.

    What CPOs have sent is left out of notes: it is theirs, and may hold what no user should see.
    """
    known = _TYPES.get(kind)
    if known is not None:
        return Event(id, known, session_id, at, seq, dict(data))
    return Event(id, EventType.NOTE, session_id, at, seq, {"note": kind, "detail": data.get("detail")})


def is_telling(before: Meter, after: Meter) -> bool:
    """Whether a push is worth an event: the first of its ten seconds, or the power changed by more than a tenth."""
    if after.seq == before.seq or after.received_at is None:
        return False
    return _window(before.received_at) != _window(after.received_at) or _leaps(before.power_kw, after.power_kw)


def meter_data(meter: Meter, currency: str) -> dict[str, Any]:
    """The data of a meter event: kWh, kW, percent, and the cost so far (the CPO's, else our estimate)."""
    return {
        "energy_kwh": meter.kwh,
        "power_kw": meter.power_kw,
        "state_of_charge": meter.state_of_charge,
        "cost": meter.known_cost,
        "currency": currency,
    }


def _window(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() // METER_EVERY.total_seconds())


def _leaps(before: Decimal | None, after: Decimal | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > POWER_CHANGE * max(before, after)
