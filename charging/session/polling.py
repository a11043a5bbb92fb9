"""When a CPO is asked about a session because it says nothing by itself, and for what. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from charging.session.metering import FUTURE
from charging.session.model import CpoStatus, Status

OVERLAP: Final = timedelta(minutes=30)  # lists are read from so far back: clocks differ
TOMBSTONE_EVERY: Final = timedelta(hours=1)
CDR_EVERY: Final = timedelta(days=1)
_UNKNOWN_YEAR: Final = 1970
_LIVE: Final = (Status.PENDING, Status.ACTIVE, Status.STOPPING)


class Question(StrEnum):
    """What a CPO is asked for."""

    SESSIONS = "sessions"
    CDRS = "cdrs"


@dataclass(frozen=True)
class Watched:
    """A session whose CPO may have to be asked.

    ``heard_at``: the CPO's own last time stamp. ``cpo_ended_at``: the end of its Session. ``ended_at``: ours.
    ``watch_until``: the end of its tombstone. ``is_billed``: a CDR is stored.
    """

    id: str
    connection_id: str
    status: Status
    cpo_status: CpoStatus | None
    ocpi_session_id: str | None
    created_at: datetime
    heard_at: datetime | None = None
    cpo_ended_at: datetime | None = None
    ended_at: datetime | None = None
    watch_until: datetime | None = None
    is_billed: bool = False


def questions(session: Watched, now: datetime, cdr_wait: timedelta) -> set[Question]:
    """What to ask about ``session``; nothing where nobody waits for an answer any more.

    A CDR is asked for as long as it may come: for ``cdr_wait`` after the end.
    """
    if session.is_billed:
        return set()
    if session.cpo_status is CpoStatus.COMPLETED:
        ended = _ended_at(session, now) or session.created_at
        return {Question.CDRS} if now - ended < cdr_wait else set()
    if session.cpo_status is CpoStatus.INVALID:
        return set()  # will not be billed
    if session.status is Status.STOPPING:
        # Some CPOs drop a Session from their list when it ends, or have no Sessions at all.
        return {Question.SESSIONS, Question.CDRS}
    charges = session.cpo_status in (CpoStatus.PENDING, CpoStatus.ACTIVE)
    buried = session.watch_until is not None and now < session.watch_until
    return {Question.SESSIONS} if session.status in _LIVE or charges or buried else set()


def ask_at(session: Watched, now: datetime, silence: timedelta) -> datetime:
    """When to ask again after asking at ``now``: every ``silence`` while live, ever more rarely after the end."""
    if session.cpo_status is CpoStatus.COMPLETED:
        since, slowest = _ended_at(session, now) or now, CDR_EVERY
    elif session.status is Status.FAILED:
        since, slowest = session.ended_at or now, TOMBSTONE_EVERY
    else:
        return now + silence
    # Waiting as long as it has taken so far doubles the wait each time, without a counter.
    return now + max(silence, min(now - since, slowest))


def date_from(session: Watched, question: Question, now: datetime) -> datetime:
    """From when on a list holds what is missing. ``last_updated`` is filtered by, in the CPO's clock.

    Never from a moment to come: a CPO's clock may be ahead, and one wrong time stamp must not hide a session.
    """
    heard_at = session.cpo_ended_at if question is Question.CDRS else session.heard_at
    return min(_known(heard_at) or session.created_at, now) - OVERLAP


def _ended_at(session: Watched, now: datetime) -> datetime | None:
    """When its CPO says that it ended, else when we saw it end. An end that is yet to come is none."""
    said = _known(session.cpo_ended_at)
    return session.ended_at if said is None or said > now + FUTURE else said


def _known(moment: datetime | None) -> datetime | None:
    """None for a date that was never set: 1970 stands for unknown (OCPI 2.2.1 §10.3.1)."""
    return None if moment is None or moment.year <= _UNKNOWN_YEAR else moment
