"""What moves by itself: one task per session that lets time pass and tells the eMSP, one per result that is owed.

Tasks hold nothing of their own. After a restart ``resume`` makes them again from the journal, and a message that was
not yet sent when the process died is sent then.
"""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from charging.ocpi import wire
from charging.ocpi.versions import Body, Kind
from charging.sandbox import clock, messages, station
from charging.sandbox.cpo import Cpo
from charging.sandbox.faults import PUSH_KINDS, Fault
from charging.sandbox.mishaps import spoil
from charging.sandbox.pusher import Push, Pusher
from charging.sandbox.quirks import Quirk
from charging.sandbox.records import Cdr, Job
from charging.sandbox.registration import Peer
from charging.sandbox.reservations import Reservation
from charging.sandbox.station import ChargingSession, State
from charging.sandbox.strange import strange
from charging.sandbox.wording import worded

_log = logging.getLogger(__name__)


class Driver:
    """Runs the tasks of ``cpo``'s sessions and results."""

    def __init__(self, cpo: Cpo, pusher: Pusher) -> None:
        self._cpo = cpo
        self._pusher = pusher
        self._tasks: set[asyncio.Task[None]] = set()
        self._wakers: dict[str, asyncio.Event] = {}
        self._told = asyncio.Event()  # replaced whenever somebody was told something

    def resume(self) -> None:
        """Go on where the process before us stopped."""
        for session in self._cpo.sessions.values():
            if session.is_live or session.state is not session.told or self._cpo.next_cdr(session.id):
                self.drive(session.id)
        for job in [*self._cpo.jobs.values()]:
            self.owe(job)
        for reservation in self._cpo.reservations.values():
            if reservation.ended_as is None:
                self.watch(reservation)

    async def aclose(self) -> None:
        """Stop all tasks; the journal knows what they were at."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drive(self, session_id: str) -> None:
        """Let a session live."""
        self._wakers[session_id] = asyncio.Event()
        self._spawn(self._drive(session_id))

    def poke(self, session_id: str) -> None:
        """Something about a session was changed from outside."""
        if waker := self._wakers.get(session_id):
            waker.set()

    def owe(self, job: Job) -> None:
        """Post a result when it is due."""
        self._spawn(self._deliver(job))

    def watch(self, reservation: Reservation) -> None:
        """Show the EVSE as reserved, and as free when that is over."""
        self._spawn(self._watch(reservation))

    async def _watch(self, reservation: Reservation) -> None:
        self.show(reservation.evse_uid)
        await _sleep_until(reservation.holds_until)
        self.show(reservation.evse_uid)

    def show(self, evse_uid: str) -> None:
        """Tell everybody about the status of an EVSE, if it changed."""
        bay = self._cpo.refresh_status(evse_uid)
        if bay is None:
            return
        message = {"status": bay.shown, "last_updated": bay.since}
        for peer in self._cpo.peers.values():
            self._spawn(self._tell_status(peer, evse_uid, message))

    async def _tell_status(self, peer: Peer, evse_uid: str, message: messages.Message) -> None:
        await self._pusher.evse_status(peer, evse_uid, message)

    async def until_told(self, session_id: str, state: State, seconds: float) -> None:
        """Wait until the eMSP was told that a session is in ``state``, but not for ever."""
        try:
            async with asyncio.timeout(seconds):
                while self._cpo.sessions[session_id].told is not state:
                    await self._told.wait()
        except TimeoutError:
            _log.warning("session %s did not become %s", session_id, state)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a task failed", exc_info=task.exception())

    # ---- One session ----------------------------------------------------------------------------------------------

    async def _drive(self, session_id: str) -> None:
        waker = self._wakers[session_id]
        while True:
            waker.clear()
            session = self._cpo.advance(session_id, self._next(session_id))
            self.show(session.evse_uid)
            await self._tell(session)
            session = self._cpo.sessions[session_id]
            if not session.is_live and session.told is session.state:
                break
            await self._pause(session, waker)
        del self._wakers[session_id]
        while (cdr := self._cpo.next_cdr(session_id)) is not None:
            await self._bill(session, cdr)

    def _next(self, session_id: str) -> datetime:
        """Now, or what comes first: however late we are, the eMSP is told of one status after the other."""
        moment, now = station.next_moment(self._cpo.sessions[session_id]), clock.now()
        return now if moment is None else min(moment, now)

    async def _pause(self, session: ChargingSession, waker: asyncio.Event) -> None:
        if session.told is not session.state:
            return  # a list or a record let time pass meanwhile: there is something new to tell
        moment = station.next_moment(session)
        if session.state is State.ACTIVE:
            update_at = self._next_update(session)
            moment = update_at if moment is None else min(moment, update_at)
        seconds = None if moment is None else max(0.0, (moment - clock.now()).total_seconds())
        try:
            async with asyncio.timeout(seconds):
                await waker.wait()
        except TimeoutError:
            return

    def _next_update(self, session: ChargingSession) -> datetime:
        since = session.told_at or session.created_at
        return since + timedelta(seconds=self._cpo.settings.push_interval_s)

    async def _tell(self, session: ChargingSession) -> None:
        if session.state is not session.told:
            await self._announce(session)
        elif session.state is State.ACTIVE and self._next_update(session) <= clock.now():
            await self._update(session)

    async def _announce(self, session: ChargingSession) -> None:
        if session.state is State.COMPLETED and (cdr := self._cpo.cdr_of(session.id)) is not None:
            if self._cpo.fault(frozenset({"before_completed"}), "CDR", evse_uid=session.evse_uid):
                await self._bill(session, self._cpo.update_cdr(cdr, due_at=clock.now()))
        if session.is_public:
            await self._push(session, "PUT", messages.session_object(session), f"SESSION_{session.state}")
        self._mark_told(session)

    async def _update(self, session: ChargingSession) -> None:
        changes = messages.session_patch(session)
        if Quirk.ALL_PERIODS in self._cpo.quirks:
            changes["charging_periods"] = messages.session_object(session)["charging_periods"]
        await self._push(session, "PATCH", changes, "SESSION_UPDATE")
        self._mark_told(session)

    def _mark_told(self, session: ChargingSession) -> None:
        # On the present record: commands may have changed it while the eMSP was being told.
        at = session.metered_to or session.created_at
        self._cpo.update(session.id, told=session.state, told_at=at, told_wh=session.wh)
        self._told.set()
        self._told = asyncio.Event()

    async def _push(self, session: ChargingSession, method: str, message: messages.Message, when: str) -> None:
        peer = self._cpo.peers.get(session.emsp)
        if peer is None or session.script.silent:
            return
        push = Push(method, session.id, self._worded(peer, "session", message))
        fault = self._cpo.fault(PUSH_KINDS, when, "SESSION_PUSH", evse_uid=session.evse_uid)
        if fault is None:
            if not await self._pusher.session(peer, push) and push.method == "PATCH":
                whole = self._worded(peer, "session", messages.session_object(session))
                await self._pusher.session(peer, Push("PUT", session.id, whole))
            return
        if fault.kind == "late":
            await asyncio.sleep(fault.seconds)
        for spoiled in spoil(fault, push):
            await self._pusher.session(peer, spoiled)

    def _worded(self, peer: Peer, kind: Kind, message: messages.Message) -> Body:
        return worded(kind, message, peer.version, self._cpo.quirks)

    # ---- CDR ------------------------------------------------------------------------------------------------------

    async def _bill(self, session: ChargingSession, cdr: Cdr) -> None:
        """Send the CDR when it is due. Marked after the attempt: a kill in between sends it twice, never not at all."""
        await _sleep_until(cdr.due_at)
        if session.script.silent:
            self._cpo.update_cdr(cdr, done=True, issued=not session.script.hidden)
            return
        fault = self._fault_of(session, cdr)
        if fault is not None and fault.kind == "drop":
            self._cpo.update_cdr(cdr, done=True, issued=fault.pullable)
            return
        if fault is not None and fault.kind == "late":
            cdr = self._cpo.update_cdr(cdr, due_at=clock.now() + timedelta(seconds=fault.seconds))
            await _sleep_until(cdr.due_at)
        if fault is not None and fault.kind in ("alter", "strange"):
            changes = fault.set if fault.kind == "alter" else strange(self._cdr_body(cdr))
            cdr = self._cpo.update_cdr(cdr, changes=wire.plain(changes))
        if fault is not None and fault.kind == "credit":
            self._cpo.credit(cdr, fault.set)
        cdr = self._cpo.update_cdr(cdr, issued=True)
        copies = fault.copies if fault is not None and fault.kind == "duplicate" else 1
        await self._post_cdr(cdr, copies)

    async def _post_cdr(self, cdr: Cdr, copies: int) -> None:
        peer, taken = self._cpo.peers.get(cdr.emsp), False
        if peer is not None:
            for _ in range(copies):
                taken = await self._pusher.cdr(peer, self._cdr_body(cdr)) or taken
        self._cpo.update_cdr(cdr, done=True, sent=taken)

    def _fault_of(self, session: ChargingSession, cdr: Cdr) -> Fault | None:
        """What goes wrong with a session's first CDR; what follows it comes as it should."""
        if cdr.follows is not None:
            return None
        return self._cpo.fault(PUSH_KINDS - {"before_completed"}, "CDR", evse_uid=session.evse_uid)

    def _cdr_body(self, cdr: Cdr) -> Body:
        version = self._cpo.peers[cdr.emsp].version
        return worded("cdr", wire.loads(cdr.body), version, self._cpo.quirks) | cdr.changes

    # ---- Results --------------------------------------------------------------------------------------------------

    async def _deliver(self, job: Job) -> None:
        await _sleep_until(job.due_at)
        await self.deliver(job)

    async def deliver(self, job: Job) -> None:
        """Post a result now. It is owed no more, whatever came of it."""
        peer = self._cpo.peers.get(job.emsp)
        if peer is not None:
            await self._pusher.result(peer, job.url, job.body)
        self._cpo.drop_job(job)


async def _sleep_until(moment: datetime) -> None:
    await asyncio.sleep(max(0.0, (moment - clock.now()).total_seconds()))
