"""The inbox: tells the workflows what CPOs have pushed, until each has heard it (design: docs/architecture.md).

Runs in the API's process; several processes share the rows by leases. Pushes are acknowledged when they are stored,
so this may lag, stop and start again, and Temporal may be away: nothing is lost, and a session's order is kept.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from charging import tracing
from charging.errors import StoreUnavailable
from charging.group_commit import GroupCommit
from charging.log_lines import about_session
from charging.names import Signal
from charging.session.messages import CdrReceived, CommandResultMessage, LateSession, PricesChanged, SessionUpdated
from charging.store.engine import Database
from charging.store.inbox import InboxStore, Kind, Mail, Message
from charging.temporal import settle, signal_charging_session, stop_late_session

logger = logging.getLogger(__name__)

POLL_S: Final = 0.5  # rows of other processes, and those that were postponed
ATTEMPTS: Final = 10  # after which a message that Temporal refuses for good is dead
SIGNALS_PER_S: Final = 5  # of session snapshots, per session: a flood coalesces
_IN_FLIGHT: Final = 32
_BACKOFF_S: Final = (0.2, 0.5, 1, 2, 5)
_FOR_GOOD: Final = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.OUT_OF_RANGE)


class Inbox:
    """Delivers waiting rows: per session one at a time, oldest first."""

    def __init__(self, database: Database, client: Client) -> None:
        self._store = InboxStore(database)
        self._client = client
        self._kicked = asyncio.Event()
        self._flights: set[asyncio.Task[None]] = set()
        self._pace = Pace(SIGNALS_PER_S)
        self._finished = GroupCommit(self._finish)

    def kick(self) -> None:
        """Something was committed just now: deliver it at once."""
        self._kicked.set()

    async def run(self) -> None:
        """Deliver, for ever. Cancel to stop; what is in flight then is delivered after its lease, maybe twice."""
        try:
            while True:
                self._kicked.clear()
                await self._launch_all()
                await self._rest()
        finally:
            for flight in self._flights:
                flight.cancel()
            await asyncio.gather(*self._flights, return_exceptions=True)
            await self._finished.drain()

    async def _launch_all(self) -> None:
        try:
            while len(self._flights) < _IN_FLIGHT and await self._launch():
                pass
        except StoreUnavailable:
            logger.warning("the inbox cannot read the store")

    async def _launch(self) -> bool:
        """Start the deliveries that are due; whether there may be more."""
        now = datetime.now(UTC)
        if not await self._store.is_waiting(now):
            return False
        room = _IN_FLIGHT - len(self._flights)
        mails = await self._store.claim(now, largest=room, without=self._pace.paused(now))
        for mail in mails:
            flight = asyncio.create_task(self._deliver(mail))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)
        return len(mails) == room

    def _landed(self, flight: "asyncio.Task[None]") -> None:
        self._flights.discard(flight)
        if not flight.cancelled() and (error := flight.exception()) is not None:
            logger.error("a delivery failed; it is tried again after its lease", exc_info=error)
        self.kick()

    async def _rest(self) -> None:
        # Not asyncio.wait_for: in Python 3.11 it loses a cancellation that comes together with a kick.
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._kicked.wait()

    async def _deliver(self, mail: Mail) -> None:
        """All of one session's mail, in order. Session snapshots coalesce into one: the newest."""
        about_session(mail.session_id)
        delivered: list[int] = []
        for at, message in enumerate(mail.messages):
            told = any(m.kind is Kind.SESSION for m in mail.messages[:at])
            try:
                if not (told and message.kind is Kind.SESSION):
                    with tracing.within(_trace_of(message, mail)):
                        await self._tell(mail, message)
            except Exception as error:
                if not await self._is_dead(message, error):
                    await self._finished.submit(delivered)
                    await self._postpone(mail.messages[at:], error)
                    return
            else:
                delivered.append(message.id)
        await self._finished.submit(delivered)

    async def _finish(self, delivered: Sequence[Sequence[int]]) -> Sequence[None]:
        await self._store.finish([row for rows in delivered for row in rows], datetime.now(UTC))
        return [None] * len(delivered)

    async def _tell(self, mail: Mail, message: Message) -> None:
        match message.kind:
            case Kind.COMMAND_RESULT:
                result = CommandResultMessage(message_id=f"inbox/{message.id}", **message.payload)
                await self._signal(mail.session_id, Signal.COMMAND_RESULT, result)
            case Kind.SESSION:
                await self._tell_session(mail)
            case Kind.CDR:
                received = CdrReceived(message_id=f"inbox/{message.id}")
                await self._signal(mail.session_id, Signal.CDR_RECEIVED, received)
                await settle(self._client, mail.session_id, received)
            case Kind.PRICES:
                news = PricesChanged(message_id=f"inbox/{message.id}")
                await self._signal(mail.session_id, Signal.PRICES_CHANGED, news)
            case Kind.PARKED:
                await stop_late_session(
                    self._client, LateSession(session_id=mail.session_id, **message.payload), parked=True
                )

    async def _tell_session(self, mail: Mail) -> None:
        meter = mail.meter
        self._pace.count(mail.session_id, datetime.now(UTC))
        update = SessionUpdated(message_id=f"meter/{meter.seq}", meter=meter)
        heard = await self._signal(mail.session_id, Signal.SESSION_UPDATED, update)
        if not heard and meter.ocpi_session_id and meter.may_flow:
            # It appeared after everybody had stopped waiting for it: nobody would ever stop it.
            late = LateSession(
                session_id=mail.session_id, connection_id=mail.connection_id, ocpi_session_id=meter.ocpi_session_id
            )
            await stop_late_session(self._client, late, has_news=True)

    async def _signal(self, session_id: str, signal: Signal, message: BaseModel) -> bool:
        """Signal the session's workflow; False where it is gone, which is fine."""
        try:
            await signal_charging_session(self._client, session_id, signal, message)
        except RPCError as error:
            if not _is_gone(error):
                raise
            return False
        return True

    async def _is_dead(self, message: Message, error: Exception) -> bool:
        if not _is_for_good(error) or message.attempts + 1 < ATTEMPTS:
            return False
        logger.error("a message is dead", extra={"inbox_id": message.id, "session_id": message.session_id})
        await self._store.bury(message, _words(error))
        return True

    async def _postpone(self, messages: Sequence[Message], error: Exception) -> None:
        backoff = _BACKOFF_S[min(messages[0].attempts, len(_BACKOFF_S) - 1)]
        due_at = datetime.now(UTC) + timedelta(seconds=backoff)
        await self._store.postpone([message.id for message in messages], due_at, error=_words(error))
        logger.warning("not delivered yet", extra={"session_id": messages[0].session_id, "error": _words(error)})


class Pace:
    """At most ``limit`` snapshots per second and session; beyond that they wait, and so become one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sent: dict[str, deque[datetime]] = {}

    def count(self, session_id: str, now: datetime) -> None:
        """A snapshot is sent."""
        self._sent.setdefault(session_id, deque(maxlen=self._limit)).append(now)

    def paused(self, now: datetime) -> list[str]:
        """The sessions that have had theirs for this second."""
        ago = now - timedelta(seconds=1)
        # What lies far ahead was counted before the clock was put back; a little, since ``now`` was read.
        ahead = now + timedelta(seconds=1)
        self._sent = {session_id: sent for session_id, sent in self._sent.items() if ago < sent[-1] < ahead}
        return [session_id for session_id, sent in self._sent.items() if len(sent) == self._limit and sent[0] > ago]


def _trace_of(message: Message, mail: Mail) -> str | None:
    """Of what came with the message. Of snapshots that become one: the first that was traced."""
    alike = [other for other in mail.messages if other.kind is Kind.SESSION]
    traces = (each.traceparent for each in (alike if message.kind is Kind.SESSION else [message]))
    return next((trace for trace in traces if trace), None)


def _is_gone(error: RPCError) -> bool:
    # A server that is just starting may not know its namespace yet: that is not the workflow's absence.
    return error.status is RPCStatusCode.NOT_FOUND and "namespace" not in error.message.lower()


def _is_for_good(error: Exception) -> bool:
    if isinstance(error, RPCError):
        return error.status in _FOR_GOOD
    return isinstance(error, ValueError | TypeError | KeyError)  # a payload that no message can be made of


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
