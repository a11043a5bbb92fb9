"""What this CPO knows: its peers, sessions, CDRs and what was asked of it, in memory and on disk at once.

Every change is written to the journal before the method returns, so whatever is acknowledged after it survives a kill.
"""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from charging.ocpi import wire
from charging.sandbox import clock, messages, station
from charging.sandbox.battery import Car
from charging.sandbox.faults import Fault, FaultBook
from charging.sandbox.locations import CHARGERS
from charging.sandbox.persistence import Entry, Journal
from charging.sandbox.prices import DayPrices
from charging.sandbox.quirks import Quirk, QuirkBook
from charging.sandbox.records import Cdr, Invoice, Job, OtherCommand, ProfileCall, Start, Stop, Swipe
from charging.sandbox.registration import Peer
from charging.sandbox.reservations import Reservation, Standing
from charging.sandbox.settings import SandboxSettings
from charging.sandbox.standing import standing_fault
from charging.sandbox.station import ChargingSession, State


class Bay(BaseModel):
    """A charger's surroundings: its status while idle, since when it shows ``shown``, and the car (None: no car)."""

    uid: str
    status: str
    shown: str
    since: datetime
    plugged: bool = True
    car: Car | None = None


class PushedToken(BaseModel):
    """A token that an eMSP pushed to us."""

    emsp: str
    body: dict[str, Any]


class _Offer(BaseModel):
    versions: tuple[str, ...]


class Cpo:
    """The state of the sandbox. Dictionaries are in the order in which things happened."""

    def __init__(self, settings: SandboxSettings, journal: Journal) -> None:
        self.settings = settings
        self.journal = journal
        self.faults = FaultBook(journal)
        self.quirks = QuirkBook(journal)
        self._offers = journal.load("versions", _Offer)
        self._prices = journal.load("prices", DayPrices)
        self.peers = journal.load("peer", Peer)
        self.sessions = journal.load("session", ChargingSession)
        self.cdrs = journal.load("cdr", Cdr)
        self.starts = journal.load("start", Start)
        self.stops = journal.load("stop", Stop)
        self.profiles = journal.load("profile", ProfileCall)
        self.commands = journal.load("command", OtherCommand)
        self.reservations = journal.load("reservation", Reservation)
        self.swipes = journal.load("swipe", Swipe)
        self.invoices = journal.load("invoice", Invoice)
        self.jobs = journal.load("job", Job)
        self.tokens = journal.load("token", PushedToken)
        self.bays = self._new_bays() | journal.load("bay", Bay)
        # Asked for at every tick of every session: must not grow with those that are over.
        self._live = {session.id: session for session in self.sessions.values() if session.is_live}

    def _new_bays(self) -> dict[str, Bay]:
        now = clock.now()
        return {c.uid: Bay(uid=c.uid, status=c.status, shown=c.status, since=now) for c in CHARGERS.values()}

    # ---- Behaviour ------------------------------------------------------------------------------------------------

    def fault(self, kinds: frozenset[str], *whens: str, evse_uid: str | None = None) -> Fault | None:
        """What goes wrong now: the oldest fault of ``kinds`` at ``whens``, used up by that, or what a quirk makes."""
        once = self.faults.take(kinds, *whens, evse_uid=evse_uid)
        return once or standing_fault(self.quirks, kinds, whens)

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of OCPI at which an eMSP can register. Who is registered stays so."""
        offer = self._offers.get("offered")
        return offer.versions if offer else self.settings.versions

    def offer(self, versions: tuple[str, ...]) -> None:
        """These versions and no others, from now on."""
        self._offers["offered"] = _Offer(versions=versions)
        self.journal.put(("versions", "offered", self._offers["offered"]))

    @property
    def prices(self) -> DayPrices:
        """What power costs by the hour, at the market next door."""
        return self._prices.get("today", DayPrices())

    def set_prices(self, prices: DayPrices) -> None:
        """Other prices from now on."""
        self.journal.put(("prices", "today", prices))
        self._prices["today"] = prices

    # ---- Peers ----------------------------------------------------------------------------------------------------

    def save_peer(self, peer: Peer) -> None:
        """Remember ``peer``, in place of an older registration of the same party."""
        self.journal.put(("peer", peer.key, peer))
        self.peers[peer.key] = peer

    def forget_peer(self, peer: Peer) -> None:
        """Unregister."""
        self.journal.delete("peer", [peer.key])
        self.peers.pop(peer.key, None)

    def save_token(self, key: str, token: PushedToken) -> None:
        """Remember a pushed token."""
        self.journal.put(("token", key, token))
        self.tokens[key] = token

    def pushed_token(self, uid: str, kind: str) -> PushedToken | None:
        """The token of this uid and type that some eMSP has pushed."""
        wanted = (wire.fold(uid), wire.fold(kind))
        for token in self.tokens.values():
            if (wire.fold(token.body["uid"]), wire.fold(token.body["type"])) == wanted:
                return token
        return None

    # ---- Sessions -------------------------------------------------------------------------------------------------

    def advance(self, session_id: str, now: datetime) -> ChargingSession:
        """Let time pass for a session. When it is over, its CDR is made in the same transaction."""
        before = self.sessions[session_id]
        after = station.advance(before, now)
        if after is not before:
            self._save(after, [] if after.is_live or not before.is_live else self._closing(after, now))
        return after

    def update(self, session_id: str, **changes: Any) -> ChargingSession:
        """Change fields of a session."""
        return self.replace(self.sessions[session_id].model_copy(update=changes))

    def replace(self, session: ChargingSession) -> ChargingSession:
        """Store another state of a session."""
        self._save(session, [])
        return session

    def _save(self, session: ChargingSession, cdrs: list[Cdr]) -> None:
        self.journal.put(("session", session.id, session), *(("cdr", cdr.id, cdr) for cdr in cdrs))
        self._remember(session)
        self.cdrs |= {cdr.id: cdr for cdr in cdrs}

    def _remember(self, session: ChargingSession) -> None:
        self.sessions[session.id] = session
        if session.is_live:
            self._live[session.id] = session
        else:
            self._live.pop(session.id, None)

    def _closing(self, session: ChargingSession, now: datetime) -> list[Cdr]:
        is_free = session.bill().total.excl_vat == 0
        if session.state is not State.COMPLETED or (is_free and Quirk.NO_CDR_FOR_FREE in self.quirks):
            return []
        cdr_id = f"CDR-{session.id}"
        body = wire.dumps(messages.cdr_object(session, cdr_id, now)).decode()
        due_at = now + timedelta(seconds=self.settings.cdr_delay_s)
        return [Cdr(id=cdr_id, session_id=session.id, emsp=session.emsp, body=body, due_at=due_at)]

    def live_at(self, evse_uid: str) -> list[ChargingSession]:
        """The sessions that occupy a charger."""
        return [session for session in self._live.values() if session.evse_uid == evse_uid]

    def visible_session(self, emsp: str, session_id: str) -> ChargingSession | None:
        """The session that an eMSP means by ``session_id``, if it is one of its own and exists in OCPI's sense."""
        session = self.sessions.get(session_id)
        return session if session is not None and session.emsp == emsp and session.is_public else None

    # ---- CDRs and results -----------------------------------------------------------------------------------------

    def cdr_of(self, session_id: str) -> Cdr | None:
        """The CDR of a session."""
        return self.cdrs.get(f"CDR-{session_id}")

    def next_cdr(self, session_id: str) -> Cdr | None:
        """The CDR of a session with which something is still to be done: the first, a credit, a correction."""
        cdrs = [self.cdrs.get(f"{prefix}-{session_id}") for prefix in ("CDR", "CRD", "COR")]
        return next((cdr for cdr in cdrs if cdr is not None and not cdr.done), None)

    def credit(self, cdr: Cdr, correction: dict[str, Any]) -> None:
        """Owe a CDR that takes ``cdr`` back, and one that replaces it with other fields if there are any."""
        body = wire.loads(cdr.body)
        credit = messages.credit_object(body, f"CRD-{cdr.session_id}")
        follow = [credit, {**body, **correction, "id": f"COR-{cdr.session_id}"}] if correction else [credit]
        same = {"session_id": cdr.session_id, "emsp": cdr.emsp, "due_at": cdr.due_at, "follows": cdr.id}
        new = {one["id"]: Cdr(id=one["id"], body=wire.dumps(one).decode(), **same) for one in follow}
        self.journal.put(*(("cdr", key, record) for key, record in new.items()))
        self.cdrs |= new

    def update_cdr(self, cdr: Cdr, **changes: Any) -> Cdr:
        """Change what is known about a CDR's delivery."""
        changed = cdr.model_copy(update=changes)
        self.journal.put(("cdr", cdr.id, changed))
        self.cdrs[cdr.id] = changed
        return changed

    def save_invoice(self, invoice: Invoice) -> None:
        """Remember an invoice."""
        self.journal.put(("invoice", invoice.id, invoice))
        self.invoices[invoice.id] = invoice

    def drop_job(self, job: Job) -> None:
        """A result was posted, or could not be."""
        self.journal.delete("job", [job.id])
        self.jobs.pop(job.id, None)

    # ---- Commands -------------------------------------------------------------------------------------------------

    def record_start(self, start: Start, sessions: list[ChargingSession], jobs: list[Job]) -> None:
        """A START_SESSION with all that it sets off, in one transaction."""
        self._put_begun(("start", start.id, start), sessions, [("job", job.id, job) for job in jobs])
        self.starts[start.id] = start
        self.jobs |= {job.id: job for job in jobs}

    def record_swipe(self, swipe: Swipe, session: ChargingSession | None) -> None:
        """A card with the session that it begins (None: it does not)."""
        self._put_begun(("swipe", swipe.id, swipe), [session] if session is not None else [], [])
        self.swipes[swipe.id] = swipe

    def _put_begun(self, cause: Entry, sessions: list[ChargingSession], others: list[Entry]) -> None:
        """New sessions with what began them and the reservations that they use up, in one transaction."""
        used = self._used_by(sessions)
        entries: list[Entry] = [("session", session.id, session) for session in sessions]
        self.journal.put(cause, *entries, *(("reservation", one.key, one) for one in used), *others)
        self.reservations |= {one.key: one for one in used}
        for session in sessions:
            self._remember(session)

    def record_stop(self, stop: Stop, session: ChargingSession | None, jobs: list[Job]) -> None:
        """A STOP_SESSION with the session as it changed (None: it did not)."""
        self.journal.put(("stop", stop.id, stop), *self._with(session, jobs))
        self.stops[stop.id] = stop

    def record_profile(self, call: ProfileCall, session: ChargingSession | None, jobs: list[Job]) -> None:
        """A charging profile call with the session as it changed (None: it did not)."""
        self.journal.put(("profile", call.id, call), *self._with(session, jobs))
        self.profiles[call.id] = call

    def record_command(self, call: OtherCommand, reservation: Reservation | None, jobs: list[Job]) -> None:
        """Another command with the reservation that it makes or ends (None: it does neither)."""
        entries: list[Entry] = [("command", call.id, call), *(("job", job.id, job) for job in jobs)]
        if reservation is not None:
            entries.append(("reservation", reservation.key, reservation))
            self.reservations[reservation.key] = reservation
        self.journal.put(*entries)
        self.commands[call.id] = call
        self.jobs |= {job.id: job for job in jobs}

    def _with(self, session: ChargingSession | None, jobs: list[Job]) -> list[Entry]:
        self.jobs |= {job.id: job for job in jobs}
        entries: list[Entry] = [("job", job.id, job) for job in jobs]
        if session is None:
            return entries
        self._remember(session)
        return [("session", session.id, session), *entries]

    # ---- Reservations ---------------------------------------------------------------------------------------------

    def held_at(self, evse_uid: str, now: datetime) -> Reservation | None:
        """The reservation that holds a charger."""
        return next((one for one in self.reservations.values() if one.evse_uid == evse_uid and one.is_held(now)), None)

    def _used_by(self, sessions: list[ChargingSession]) -> list[Reservation]:
        """The reservations that new sessions use up."""
        held = ((session, self.held_at(session.evse_uid, session.created_at)) for session in sessions)
        return [
            one.ended(Standing.USED)
            for session, one in held
            if one is not None and one.lets_in(session.token["uid"], session.authorization_reference)
        ]

    # ---- Bays -----------------------------------------------------------------------------------------------------

    def set_bay(self, uid: str, **changes: Any) -> Bay:
        """Change what stands at a charger."""
        bay = self.bays[uid].model_copy(update=changes)
        self.journal.put(("bay", uid, bay))
        self.bays[uid] = bay
        return bay

    def refresh_status(self, uid: str) -> Bay | None:
        """Bring the status that a charger shows up to date. The bay if it changed."""
        bay = self.bays[uid]
        occupied = any(session.is_public for session in self.live_at(uid))
        now = clock.now()
        busy = "CHARGING" if occupied else "RESERVED" if self.held_at(uid, now) else bay.status
        shown = busy if bay.status == "AVAILABLE" else bay.status
        return None if shown == bay.shown else self.set_bay(uid, shown=shown, since=now)

    # ---- For people -----------------------------------------------------------------------------------------------

    def records(self) -> dict[str, Any]:
        """Our own account of what happened."""
        now = clock.now()
        for session_id in [*self._live]:
            self.advance(session_id, now)
        return {
            "starts": [start.model_dump() for start in self.starts.values()],
            "stops": [stop.model_dump() for stop in self.stops.values()],
            "swipes": [swipe.model_dump() for swipe in self.swipes.values()],
            "invoices": [invoice.model_dump() for invoice in self.invoices.values()],
            "commands": [call.model_dump() for call in self.commands.values()],
            "reservations": [one.model_dump() | {"standing": one.standing(now)} for one in self.reservations.values()],
            "profiles": [call.model_dump() for call in self.profiles.values()],
            "sessions": [_session_record(s) for s in self.sessions.values() if s.is_public],
            "cdrs": [_cdr_record(cdr) for cdr in self.cdrs.values()],
        }


def _session_record(session: ChargingSession) -> dict[str, Any]:
    inside = {
        "emsp": session.emsp,
        "end_reason": session.end_reason if not session.is_live else None,
        "state_of_charge": round(session.soc * 100, 3),
        "power_kw": session.power_kw,
        "limit_kw": session.limits.kw(session.last_updated),
        "told": session.told,
    }
    return {**messages.session_object(session), "sandbox": inside}


def _cdr_record(cdr: Cdr) -> dict[str, Any]:
    inside = cdr.model_dump(include={"emsp", "due_at", "done", "sent", "issued"})
    return {**wire.loads(cdr.body), **cdr.changes, "sandbox": inside}
