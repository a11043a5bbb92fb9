"""Notes of what happened to a session, for people and for the workflow, which publishes when something changed."""

from datetime import datetime
from typing import Final

from charging.session.events import EventType
from charging.session.model import SessionState, TimelineEntry

TIMELINE_KEPT: Final = 50


def note(state: SessionState, kind: str, detail: str, now: datetime) -> None:
    """Something worth knowing happened at ``now``; it goes to the timeline and to the ``events`` table."""
    entry = TimelineEntry(n=state.noted, at=now, type=kind, detail=detail)
    state.noted += 1
    state.timeline = [*state.timeline[-TIMELINE_KEPT + 1 :], entry]
    state.unpublished = [*state.unpublished, entry]
    changed(state)


def note_status(state: SessionState, now: datetime) -> None:
    """A status or phase that is about to be published for the first time becomes an event, not a timeline entry."""
    told = f"{state.status}/{state.phase}"
    if told == state.told:
        return
    reason = state.reason.model_dump(mode="json") if state.reason else None
    data = {"status": state.status.value, "phase": state.phase.value if state.phase else None, "reason": reason}
    entry = TimelineEntry(n=state.noted, at=now, type=EventType.STATUS, detail=told, data=data)
    state.noted += 1
    state.unpublished = [*state.unpublished, entry]
    state.told, state.told_at = told, now


def note_passing(state: SessionState, now: datetime) -> None:
    """The status that is being left becomes an event, too, where it came and goes between two publications."""
    if state.told.partition("/")[0] != state.status:
        note_status(state, now)


def changed(state: SessionState) -> None:
    """The state is another one now."""
    state.changes += 1
