"""Which pushes are worth an event, and what users see of a stored row."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from charging.session.events import Event, EventType, is_telling, public_event
from charging.session.model import Meter

NOON = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)


def meter(seq: int, after_s: float, power: str | None = "50") -> Meter:
    return Meter(seq=seq, received_at=NOON + timedelta(seconds=after_s), power_kw=Decimal(power) if power else None)


@pytest.mark.parametrize(
    ("before", "after", "tells"),
    [
        (Meter(), meter(1, 0), True),  # the first
        (meter(1, 0), meter(2, 9.9), False),  # within the same ten seconds
        (meter(1, 9.9), meter(2, 10), True),
        (meter(1, 0), meter(1, 60), False),  # nothing new
        (meter(1, 0), meter(2, 1, "45"), False),  # exactly a tenth
        (meter(1, 0), meter(2, 1, "44.9"), True),
        (meter(1, 0), meter(2, 1, "56"), True),
        (meter(1, 0), meter(2, 1, "0"), True),
        (meter(1, 0, "0"), meter(2, 1, "0"), False),
        (meter(1, 0), meter(2, 1, None), True),
        (meter(1, 0, None), meter(2, 1, None), False),
    ],
)
def test_a_push_is_told_once_in_ten_seconds_or_when_the_power_leaps(before: Meter, after: Meter, tells: bool) -> None:
    assert is_telling(before, after) is tells


def public(kind: str, **data: object) -> Event:
    return public_event(id="e", session_id="s", seq=1, kind=kind, at=NOON, data=data)


def test_a_note_says_no_more_than_its_words() -> None:
    note = public("active_profile", detail="as asked", cpo_secret="never")
    assert (note.type, note.data) == (EventType.NOTE, {"note": "active_profile", "detail": "as asked"})
    assert public("meter_anomaly", kwh="1").data == {"note": "meter_anomaly", "detail": None}


@pytest.mark.parametrize(
    ("kind", "type"),
    [
        ("planned", "plan.revised"),
        ("replanned", "plan.revised"),
        ("payment_failed", "receipt.issued"),
        ("cdr_quarantined", "dispute.opened"),
        ("stop_refused", "session.note"),
    ],
)
def test_what_the_engine_calls_its_entries_has_a_stable_public_type(kind: str, type: str) -> None:
    assert public(kind).type == type


def test_only_a_final_status_ends_a_session() -> None:
    assert public("session.status", status="failed").ends_session
    assert not public("session.status", status="stopping").ends_session
    assert not public("failed").ends_session
