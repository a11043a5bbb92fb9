"""The life of one session at a charger, as a function of the state and the clock.

Pure: ``advance(session, now)`` says what has become of it by ``now``, whether that is a second or a night later,
so a sandbox that was killed goes on as if it had never been away. Everything that will happen stands in the state
as a moment (``pending_at``, ``active_at``, ``ends_at``).

``waiting → pending → active → completed | invalid``; a session that nobody plugs a car in for is ``dropped``.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from charging.sandbox import battery
from charging.sandbox.battery import Car
from charging.sandbox.limits import Limits
from charging.sandbox.locations import CHARGERS, Outlet
from charging.sandbox.pricing import Bill, Mark, bill, next_price_change


class State(StrEnum):
    """Waiting and dropped sessions are known to nobody but us; the other names are OCPI's (§9.4.2)."""

    WAITING = "WAITING"
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    INVALID = "INVALID"
    DROPPED = "DROPPED"


LIVE: Final = frozenset({State.WAITING, State.PENDING, State.ACTIVE})


class Script(BaseModel):
    """How this session misbehaves, decided when it is started (see ``faults``)."""

    model_config = ConfigDict(frozen=True)

    silent: bool = False
    hidden: bool = False  # not even in the lists
    pending_forever: bool = False
    car_stops_after_s: float | None = None
    invalid_after_s: float | None = None
    listed_after_s: float = 0.0
    idle: bool = False  # plugged in, and draws nothing


class ChargingSession(BaseModel):
    """Everything about one session. Energy is exact inside; the meter counts whole Wh (``wh``)."""

    model_config = ConfigDict(frozen=True)

    id: str
    emsp: str
    token: dict[str, Any]
    auth_method: str = "COMMAND"
    authorization_reference: str | None
    evse_uid: str
    connector_id: str
    created_at: datetime
    car: Car
    speed: float
    linger_s: float
    script: Script = Script()

    state: State = State.WAITING
    pending_at: datetime | None = None
    active_at: datetime | None = None
    ends_at: datetime | None = None
    ends_as: State = State.COMPLETED
    end_reason: str | None = None

    started_at: datetime | None = None
    ended_at: datetime | None = None
    full_at: datetime | None = None
    metered_to: datetime | None = None
    energy_kwh: float = 0.0
    soc: float
    marks: tuple[Mark, ...] = ()
    profile: dict[str, Any] | None = None
    limits: Limits = Limits()
    last_updated: datetime

    # What the eMSP was last told; an update carries what has happened since.
    told: State | None = None
    told_at: datetime | None = None
    told_wh: int = 0

    @property
    def wh(self) -> int:
        """What the meter shows."""
        return int(self.energy_kwh * 1000 + 1e-6)

    @property
    def is_live(self) -> bool:
        """Whether it may still change."""
        return self.state in LIVE

    @property
    def is_public(self) -> bool:
        """Whether it is a Session in OCPI's sense."""
        return self.state not in (State.WAITING, State.DROPPED)

    def is_listed(self, now: datetime) -> bool:
        """Whether the lists show it, once it is public."""
        since = self.created_at + timedelta(seconds=self.script.listed_after_s)
        return not self.script.hidden and since <= now

    @property
    def outlet(self) -> Outlet:
        """The connector that the car hangs on."""
        outlet = CHARGERS[self.evse_uid].outlet(self.connector_id)
        assert outlet is not None, "checked when the session was made"  # noqa: S101 - a session's connector exists
        return outlet

    @property
    def power_kw(self) -> float:
        """What flows now, as the meter sees it: ``speed`` times what the car takes."""
        if self.state is not State.ACTIVE or self.metered_to is None:
            return 0.0
        return battery.power_kw(self.car, self.soc, _cap_kw(self, self.metered_to)) * self.speed

    def bill(self) -> Bill:
        """What it costs so far, or cost."""
        end = self.ended_at or self.metered_to or self.created_at
        marks = self.marks or (Mark(at=self.created_at, wh=0),)
        return bill(self.outlet.tariff, marks, end, self.wh)


# ---- The passage of time ------------------------------------------------------------------------------------------


def advance(session: ChargingSession, now: datetime) -> ChargingSession:
    """What ``session`` has become by ``now``. Going back in time changes nothing."""
    session = _begin(session, now)
    if session.state is State.ACTIVE:
        session = _meter(session, _earliest(now, session.ends_at))
    if session.is_live and session.ends_at is not None and session.ends_at <= now:
        session = _end(session)
    return session


def next_moment(session: ChargingSession) -> datetime | None:
    """When something will happen by itself; None: only when someone acts. The filling of the battery is not in it."""
    if session.state is State.WAITING:
        return _soonest(session.pending_at, session.ends_at)
    if session.state is State.PENDING:
        return _soonest(session.active_at, session.ends_at)
    return session.ends_at if session.state is State.ACTIVE else None


def _begin(session: ChargingSession, now: datetime) -> ChargingSession:
    limit = _earliest(now, session.ends_at)
    if session.state is State.WAITING and session.pending_at is not None and session.pending_at <= limit:
        session = session.model_copy(update={"state": State.PENDING, "last_updated": session.pending_at})
    if session.state is State.PENDING and session.active_at is not None and session.active_at <= limit:
        session = _activate(session, session.active_at)
    return session


def _activate(session: ChargingSession, at: datetime) -> ChargingSession:
    session = session.model_copy(
        update={
            "state": State.ACTIVE,
            "started_at": at,
            "metered_to": at,
            "marks": (Mark(at=at, wh=0),),
            "last_updated": at,
            "told_at": at,
        }
    )
    script = session.script
    if script.car_stops_after_s is not None:
        session = end(session, at + timedelta(seconds=script.car_stops_after_s), "EV")
    if script.invalid_after_s is not None:
        session = end(session, at + timedelta(seconds=script.invalid_after_s), "INVALID", as_=State.INVALID)
    return session


def _meter(session: ChargingSession, until: datetime) -> ChargingSession:
    """Integrate up to ``until``, stretch by stretch between the moments at which price or limit change."""
    while session.metered_to is not None and session.metered_to < until:
        price_change = next_price_change(session.metered_to)
        edge = _earliest(min(until, price_change), session.limits.next_change(session.metered_to))
        session = _stretch(session, session.metered_to, edge)
        until = _earliest(until, session.ends_at)  # a car that got full has set its own end
        if session.metered_to == price_change:
            session = _mark(session, price_change)
    return session


def _stretch(session: ChargingSession, begin: datetime, edge: datetime) -> ChargingSession:
    seconds = (edge - begin).total_seconds()
    charge = battery.charge(session.car, session.soc, _cap_kw(session, begin), seconds * session.speed)
    changed = session.model_copy(
        update={
            "energy_kwh": session.energy_kwh + charge.energy_kwh,
            "soc": charge.soc,
            "metered_to": edge,
            "last_updated": edge,
        }
    )
    if session.full_at is not None or charge.soc < 1:
        return changed
    full_s = seconds if charge.full_after_s is None else charge.full_after_s / session.speed
    return _fill(changed, begin, edge, full_s)


def _fill(session: ChargingSession, begin: datetime, edge: datetime, after_s: float) -> ChargingSession:
    """The battery got full within the stretch: the car asks for no more power, and leaves after a while."""
    full_at = min(edge, _to_millis(begin + timedelta(seconds=after_s)))
    session = session.model_copy(update={"full_at": full_at, "metered_to": full_at, "last_updated": full_at})
    session = _mark(session, full_at)
    return end(session, full_at + timedelta(seconds=session.linger_s), "FULL")


def _mark(session: ChargingSession, at: datetime) -> ChargingSession:
    mark = Mark(at=at, wh=session.wh, parking=session.full_at is not None)
    kept = session.marks[:-1] if session.marks[-1].at == at else session.marks
    return session.model_copy(update={"marks": (*kept, mark)})


def _cap_kw(session: ChargingSession, at: datetime) -> float:
    if session.script.idle:
        return 0.0
    outlet = session.outlet
    caps = [outlet.max_kw, session.limits.kw(at), None if outlet.is_dc else session.car.max_ac_kw]
    return min(cap for cap in caps if cap is not None)


def _end(session: ChargingSession) -> ChargingSession:
    at = session.ends_at
    if session.state is State.WAITING:
        return session.model_copy(update={"state": State.DROPPED})
    return session.model_copy(update={"state": session.ends_as, "ended_at": at, "last_updated": at})


# ---- What people and commands do ----------------------------------------------------------------------------------


def end(session: ChargingSession, at: datetime, reason: str, *, as_: State = State.COMPLETED) -> ChargingSession:
    """Let the session end at ``at``, unless something ends it sooner."""
    if not session.is_live or (session.ends_at is not None and session.ends_at <= at):
        return session
    return session.model_copy(update={"ends_at": at, "ends_as": as_, "end_reason": reason})


def plug(session: ChargingSession, at: datetime, start_delay_s: float) -> ChargingSession:
    """A car arrives: what waited for it begins."""
    if session.state is not State.WAITING or session.pending_at is not None:
        return session
    delay = timedelta(seconds=start_delay_s)
    active_at = None if session.script.pending_forever else at + delay
    moments = {"pending_at": at + delay / 2, "active_at": active_at, "ends_at": None, "end_reason": None}
    return session.model_copy(update=moments)


def limit(session: ChargingSession, now: datetime, profile: dict[str, Any] | None, limits: Limits) -> ChargingSession:
    """A charging profile is set, or cleared, at ``now``: what was charged until then stays as it was."""
    session = advance(session, now)
    return session.model_copy(update={"profile": profile, "limits": limits})


def _earliest(moment: datetime, other: datetime | None) -> datetime:
    return moment if other is None else min(moment, other)


def _soonest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _to_millis(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
