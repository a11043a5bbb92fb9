"""A pull: one list of a CPO's objects, read page by page (OCPI 2.2.1 §4.1.4).

Pure. ``Pull`` is all that is known between one page and the next, so that a pull goes on in another process where one
has left it, and a pull of a million objects takes no more memory than one of a hundred.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict

OVERLAP: Final = timedelta(minutes=30)  # so much before the newest object seen a list is read again
MAX_PAGES: Final = 100_000
FRESH: Final = timedelta(minutes=1)


class Module(StrEnum):
    """What is pulled, in this order: what sessions wait for comes first."""

    SESSIONS = "sessions"
    CDRS = "cdrs"
    TARIFFS = "tariffs"
    LOCATIONS = "locations"

    @property
    def is_history(self) -> bool:
        """Whether its objects belong to the past: a full pull reads back to a horizon, and nothing goes missing."""
        return self in (Module.SESSIONS, Module.CDRS)


class Counts(BaseModel):
    """What became of the objects of a pull."""

    model_config = ConfigDict(frozen=True)

    seen: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    broken: int = 0  # unusable, or not the peer's own: kept as odd messages
    missing: int = 0  # stored, but not in a full list any more

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in Counts.model_fields})


class Pull(BaseModel):
    """One pull, as far as it has come. ``date_from`` None: without a bound; ``url`` None: the first page is next."""

    model_config = ConfigDict(frozen=True)

    connection_id: str
    module: Module
    full: bool
    date_from: datetime | None = None
    started_at: datetime
    url: str | None = None
    anchor: str | None = None  # an earlier page: a Link that leads there goes round in circles
    pages: int = 0
    total: int | None = None  # X-Total-Count of the last page
    high_water: datetime | None = None  # the newest last_updated so far, by the peer's clock
    counts: Counts = Counts()
    is_over: bool = False
    is_whole: bool = True  # nothing hints that the list had more than was read
    error: str | None = None  # why it was given up


class Synchronisation(BaseModel):
    """One synchronisation with a CPO. ``modules`` None: those whose turn has come. ``full``: everything, not news.

    ``waiting`` None: not planned yet.
    """

    model_config = ConfigDict(frozen=True)

    connection_id: str
    modules: list[Module] | None = None
    full: bool = False
    waiting: list[Pull] | None = None
    done: list[Pull] = []


class PageFacts(BaseModel):
    """What a page says beside its objects. ``url`` as requested, ``next_url`` None on the last page."""

    url: str
    next_url: str | None
    total: int | None
    is_list: bool


class SyncState(BaseModel):
    """What is known of former pulls of one module of one connection."""

    model_config = ConfigDict(frozen=True)

    high_water: datetime | None = None
    tried_at: datetime
    last_ok_at: datetime | None = None
    last_full_at: datetime | None = None
    last_error: str | None = None
    counts: Counts | None = None


class Rhythm(BaseModel):
    """How often a module is pulled, how often whole, and how far back history is read."""

    every: Mapping[Module, timedelta]
    full: timedelta
    horizon: timedelta


def due(module: Module, state: SyncState | None, rhythm: Rhythm, now: datetime) -> bool:
    """Whether the module's turn has come, or will before the next look. What never succeeded is always due."""
    if state is None or state.last_ok_at is None:
        return True
    return now - state.tried_at >= rhythm.every[module] * 0.8  # looks are splayed: two may be closer than they should


def is_fresh(state: SyncState | None, now: datetime) -> bool:
    """Whether a module was pulled just now, so that whoever has just started need not do it again."""
    return state is not None and state.last_ok_at is not None and now - state.last_ok_at <= FRESH


def begin(
    connection_id: str, module: Module, state: SyncState | None, rhythm: Rhythm, now: datetime, *, full: bool = False
) -> Pull:
    """The pull that is to be made now: since the newest object seen, or of everything where that is due or asked for.

    History is read back to the horizon at most: a list of Sessions must have a ``date_from`` (OCPI 2.2.1 §9.2.1).
    """
    last_full_at = state.last_full_at if state else None
    is_full = full or last_full_at is None or now - last_full_at >= rhythm.full
    since = state.high_water if state and not is_full else None
    horizon = now - rhythm.horizon if module.is_history else None
    date_from = since - OVERLAP if since else horizon
    return Pull(connection_id=connection_id, module=module, full=is_full, date_from=date_from, started_at=now)


def read_again(pull: Pull, facts: PageFacts) -> str | None:
    """The URL to read instead of this page, where objects have moved up into pages already read; else None.

    An object that was deleted meanwhile makes ``X-Total-Count`` smaller, and one slips through. A page
    without an ``offset`` is named by something that does not slip.
    """
    if pull.total is None or facts.total is None or facts.total >= pull.total:
        return None
    parts = urlsplit(facts.url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    offset = next((value for name, value in query if name == "offset" and value.isdecimal()), "0")
    if int(offset) == 0:
        return None
    earlier = str(max(int(offset) - (pull.total - facts.total), 0))
    moved = [(name, earlier if name == "offset" else value) for name, value in query]
    return urlunsplit(parts._replace(query=urlencode(moved)))


def again(pull: Pull, facts: PageFacts, url: str) -> Pull:
    """The pull with ``url`` to be read next, and nothing of this page taken."""
    return pull.model_copy(update={"url": url, "total": facts.total, "pages": pull.pages + 1})


def after(pull: Pull, facts: PageFacts, counts: Counts, newest: datetime | None) -> Pull:
    """The pull once a page is stored: ``counts`` of the page, ``newest`` the newest ``last_updated`` in it."""
    pages, total = pull.pages + 1, facts.total if facts.total is not None else pull.total
    circles = facts.next_url is not None and facts.next_url in (facts.url, pull.anchor)
    is_over = facts.next_url is None or circles
    counted = pull.counts + counts
    # Every circle comes by the anchor, since it moves on ever more slowly (R. P. Brent); one URL is enough to see it.
    anchor = facts.next_url if pages & (pages - 1) == 0 else pull.anchor
    has_all = not is_over or total is None or counted.seen >= total
    return pull.model_copy(
        update={
            "url": None if is_over else facts.next_url,
            "anchor": anchor,
            "pages": pages,
            "total": total,
            "high_water": max((at for at in (pull.high_water, newest) if at), default=None),
            "counts": counted,
            "is_over": is_over,
            "is_whole": pull.is_whole and facts.is_list and not circles and has_all,
        }
    )


def tells_what_is_missing(pull: Pull) -> bool:
    """Whether what this pull did not name is gone. A list of nothing at all is more likely a fault than the truth."""
    return pull.full and not pull.module.is_history and pull.is_over and pull.is_whole and pull.counts.seen > 0


def ended(pull: Pull, before: SyncState | None) -> SyncState:
    """What is known once the pull is over, or was given up. Only a pull that came to its end moves the high water.

    The high water never passes our own clock at the pull's beginning: one object from the future would hide all others.
    """
    state = before or SyncState(tried_at=pull.started_at)
    tried = state.model_copy(update={"tried_at": pull.started_at, "last_error": pull.error, "counts": pull.counts})
    if pull.error is not None:
        return tried
    marks = [pull.high_water] if pull.full else [pull.high_water, state.high_water]
    reached = max((min(mark, pull.started_at) for mark in marks if mark), default=state.high_water)
    done = {"high_water": reached, "last_ok_at": pull.started_at}
    return tried.model_copy(update={**done, **({"last_full_at": pull.started_at} if pull.full else {})})
