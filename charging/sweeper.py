"""The sweeper: finds what nobody told us, and what a crash left lying about. Runs in the API's process.

Silence is watched per connection: one list call for all its silent sessions, fed through the push path. Several
processes may run it: a lease per connection keeps a CPO from being asked by two at once, or more than once in a few
seconds.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from charging.errors import PeerError, StoreUnavailable
from charging.names import charging_session_id
from charging.ocpi.peers import Peers
from charging.ocpi.wire import dumps
from charging.receiver import Outcome, Receiver
from charging.session.messages import LateSession
from charging.session.model import may_flow
from charging.session.polling import Question, Watched, ask_at, date_from, questions
from charging.settings import Settings
from charging.store.connections import Connection
from charging.store.engine import Database
from charging.store.inbox import InboxStore
from charging.store.leases import LeaseStore
from charging.store.odd import store_odd_message
from charging.store.quotas import QuotaStore
from charging.store.starts import StartStore
from charging.store.watch import CLAIMS_AT_ONCE, WatchStore
from charging.temporal import RPC_TIMEOUT, stop_late_session

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0  # a workflow that wants its CPO asked writes a date: so soon it is seen
ASK_EVERY: Final = timedelta(seconds=3)  # the least time between two lists from one CPO
NEVER_BEGUN_AFTER: Final = timedelta(seconds=30)
KEEP_DELIVERED: Final = timedelta(days=1)
KEEP_QUOTAS: Final = timedelta(minutes=5)  # of windows that are over: a process whose clock is behind is still in them
# Of one connection while it is asked: short, since a process that dies half-way must not silence its successor.
_LEASE: Final = timedelta(seconds=10)
_KEEP_EVERY_S: Final = 3.0


class Sweeper:
    """Asks silent CPOs, and settles what a crash has left."""

    def __init__(
        self, database: Database, client: Client, peers: Peers, receiver: Receiver, settings: Settings
    ) -> None:
        self._database = database
        self._watch = WatchStore(database)
        self._leases = LeaseStore(database)
        self._starts = StartStore(database)
        self._inbox = InboxStore(database)
        self._quotas = QuotaStore(database)
        self._client = client
        self._peers = peers
        self._receiver = receiver
        self._silence = timedelta(seconds=settings.silence_s)
        self._cdr_wait = timedelta(seconds=settings.policy.cdr_s)
        self._sweep_s = settings.sweep_s
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._last_claim = ""  # where the last sweep of claims ended

    async def run(self) -> None:
        """Look every second and sweep every ``sweep_s``, for ever. Cancel to stop."""
        sweeping = asyncio.create_task(self._sweep_for_ever())
        try:
            await self._quietly(self._watch.ask_all(datetime.now(UTC)))
            while True:
                await self._quietly(self.look())
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            await self._stop_asking()

    async def _sweep_for_ever(self) -> None:
        """In a task of its own: it may have to ask a CPO that does not answer, and silence is watched meanwhile."""
        while True:
            await self._quietly(self.sweep())
            await asyncio.sleep(self._sweep_s)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except StoreUnavailable:
            logger.warning("the sweeper cannot use the store")
        except Exception:
            logger.exception("the sweeper stumbled; it goes on")

    async def _stop_asking(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- silence ---

    @property
    def is_asking(self) -> bool:
        """Whether any CPO is being asked right now."""
        return bool(self._asking)

    async def look(self) -> None:
        """Start asking the CPOs of silent sessions, each in a task of its own: one that hangs holds up no other."""
        # One that has ever so many silent sessions must not hide the others while it is asked.
        silent = await self._watch.silent(datetime.now(UTC), but=self._asking.keys())
        for connection_id in {session.connection_id for session in silent}:
            self._asking[connection_id] = asyncio.create_task(self._ask_alone(connection_id))

    async def _ask_alone(self, connection_id: str) -> None:
        try:
            await self._quietly(self._ask(connection_id))
        finally:
            del self._asking[connection_id]

    async def _ask(self, connection_id: str) -> None:
        now = datetime.now(UTC)
        async with self._turn(connection_id, now) as is_ours:
            if is_ours:
                # Read under the lease: whoever had it before may just have asked about them.
                await self._ask_about(connection_id, await self._watch.silent(now, of=connection_id), now)

    @asynccontextmanager
    async def _turn(self, connection_id: str, now: datetime) -> AsyncIterator[bool]:
        """Hold the lease of a connection while its CPO is asked; False where another holds it, or just has."""
        lease = f"ask/{connection_id}"
        if not await self._leases.take(lease, now=now, until=now + _LEASE):
            yield False
            return
        keeping = asyncio.create_task(self._keep(lease))
        try:
            yield True
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._leases.give_back(lease, datetime.now(UTC) + ASK_EVERY)

    async def _keep(self, lease: str) -> None:
        while True:
            await asyncio.sleep(_KEEP_EVERY_S)
            await self._quietly(self._leases.keep(lease, datetime.now(UTC) + _LEASE))

    async def _ask_about(self, connection_id: str, sessions: Sequence[Watched], now: datetime) -> None:
        wanted = {session.id: questions(session, now, self._cdr_wait) for session in sessions}
        dates = {s.id: ask_at(s, now, self._silence) if wanted[s.id] else None for s in sessions}
        try:
            for question in Question:
                since = [date_from(session, question, now) for session in sessions if question in wanted[session.id]]
                if since:
                    await self._list(connection_id, question, min(since))
        finally:
            # Whatever a list holds: else its CPO would be asked every second, and nothing come of it.
            await self._watch.ask_again(dates, now)

    async def _list(self, connection_id: str, question: Question, since: datetime) -> bool:
        """Read one list of a CPO to its end, each object like a push; whether that went well."""
        try:
            client = await self._peers.client(connection_id)
            listed = client.sessions(since) if question is Question.SESSIONS else client.cdrs(since)
            async for body in listed:
                if not await self._take(client.connection, question, body):
                    await self._keep_odd(connection_id, question, body)
        except PeerError as error:
            detail = {"connection_id": connection_id, "list": question.value, "error": str(error)}
            logger.warning("a silent CPO does not answer", extra=detail)
            return False
        return True

    async def _take(self, connection: Connection, question: Question, body: dict[str, Any]) -> bool:
        """Store one object of a list; whether it could be used."""
        if question is Question.SESSIONS:
            return await self._receiver.session_object(connection, body) is not Outcome.UNUSABLE
        return await self._receiver.cdr_object(connection, body) is not None

    async def _keep_odd(self, connection_id: str, question: Question, body: dict[str, Any]) -> None:
        await store_odd_message(
            self._database,
            connection_id=connection_id,
            method="GET",
            path=question.value,
            body=dumps(body),
            problem="not usable",
            once=True,
        )

    # --- what a crash has left ---

    async def sweep(self) -> None:
        """Settle starts that never began, free claims that nobody holds, throw old mail away."""
        now = datetime.now(UTC)
        await self._watch.arm(now, self._silence)
        await self._inbox.forget(now - KEEP_DELIVERED)
        await self._quotas.forget(now - KEEP_QUOTAS)
        for session_id in await self._watch.never_begun(now - NEVER_BEGUN_AFTER):
            # Safe beside a start that is only slow: the workflow's first step finds it abandoned and ends.
            if await self._is_gone(session_id) and await self._starts.abandon(session_id):
                logger.warning("a start never began", extra={"session_id": session_id})
        await self._sweep_claims(now)

    async def _sweep_claims(self, now: datetime) -> None:
        """Some of the claims each time, in turn: many that are rightly held must not hide one that nobody holds."""
        claims = await self._watch.quiet_claims(now - self._silence, after=self._last_claim)
        self._last_claim = claims[-1].id if len(claims) == CLAIMS_AT_ONCE else ""
        gone = [session for session in claims if await self._is_gone(session.id)]
        for connection_id in {session.connection_id for session in gone}:
            async with self._turn(connection_id, now) as is_ours:
                if is_ours:
                    await self._settle_claims([s for s in gone if s.connection_id == connection_id], now)

    async def _settle_claims(self, gone: Sequence[Watched], now: datetime) -> None:
        """Workflows of one CPO are gone but their EVSEs still claimed: free those of which it says no charging."""
        since = min(date_from(session, Question.SESSIONS, now) for session in gone)
        if not await self._list(gone[0].connection_id, Question.SESSIONS, since):
            return
        for session in gone:
            await self._settle_claim(session.id)

    async def _settle_claim(self, session_id: str) -> None:
        session = await self._watch.watched(session_id)
        if session.ocpi_session_id and may_flow(session.ocpi_session_id, session.cpo_status):
            late = LateSession(
                session_id=session_id, connection_id=session.connection_id, ocpi_session_id=session.ocpi_session_id
            )
            await stop_late_session(self._client, late)
            return
        await self._watch.free_claim(session_id)
        logger.warning("a claim outlived its workflow", extra={"session_id": session_id})

    async def _is_gone(self, session_id: str) -> bool:
        """Whether Temporal says for certain that the session's workflow does not run. Not while Temporal is away."""
        handle = self._client.get_workflow_handle(charging_session_id(session_id))
        try:
            description = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            # A server that is just starting may not know its namespace yet.
            return error.status is RPCStatusCode.NOT_FOUND and "namespace" not in error.message.lower()
        except RuntimeError:
            return False  # a lazy client that cannot connect
        return description.status is not WorkflowExecutionStatus.RUNNING
