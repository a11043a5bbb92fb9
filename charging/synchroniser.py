"""Reads what a CPO has and makes what we have equal to it: one page at a time, resumable between any two.

The worker does so on a schedule (``workflows.synchronisation``), the API once when a CPO is registered.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from charging.errors import PeerError
from charging.ocpi.client import Page
from charging.ocpi.peers import Peers
from charging.ocpi.wire import dumps, parse_datetime
from charging.pulling import (
    MAX_PAGES,
    Counts,
    Module,
    PageFacts,
    Pull,
    Rhythm,
    Synchronisation,
    after,
    again,
    begin,
    due,
    read_again,
    tells_what_is_missing,
)
from charging.receiver import Receiver
from charging.receiver.pushes import Outcome
from charging.settings import Settings
from charging.store.client_infos import ClientInfoStore
from charging.store.connections import Connection, ConnectionStore
from charging.store.engine import Database
from charging.store.locations import LocationStore
from charging.store.object_pages import Written
from charging.store.odd import store_odd_message
from charging.store.sync_states import SyncStateStore
from charging.store.tariffs import TariffStore

logger = logging.getLogger(__name__)

Body = dict[str, Any]

FIRST_PULL: Final = timedelta(seconds=15)  # so long a registration waits for it


def rhythm(settings: Settings) -> Rhythm:
    """How often is pulled, by the settings."""
    history, places = timedelta(seconds=settings.sync_s), timedelta(seconds=settings.sync_places_s)
    return Rhythm(
        every={module: history if module.is_history else places for module in Module},
        full=timedelta(seconds=settings.sync_full_s),
        horizon=timedelta(days=settings.sync_horizon_days),
    )


class Synchroniser:
    """Plans pulls, reads their pages, and ends them. Safe to repeat at every step."""

    def __init__(
        self, database: Database, connections: ConnectionStore, peers: Peers, receiver: Receiver, settings: Settings
    ) -> None:
        self._database = database
        self._connections = connections
        self._peers = peers
        self._receiver = receiver
        self._rhythm = rhythm(settings)
        self._states = SyncStateStore(database)
        self._locations = LocationStore(database)
        self._tariffs = TariffStore(database)

    async def plan(self, wish: Synchronisation) -> list[Pull]:
        """The pulls to be made now: of what the CPO offers, and nothing where it is not connected."""
        connection = await self._connections.get(wish.connection_id)
        if connection is None or not connection.is_active:
            return []
        states, now = await self._states.of(connection.id), datetime.now(UTC)
        return [
            begin(connection.id, module, states.get(module), self._rhythm, now, full=wish.full)
            for module in Module
            if connection.endpoint(module, "SENDER")
            if module in (wish.modules or Module)
            if wish.modules is not None or due(module, states.get(module), self._rhythm, now)
        ]

    async def read_page(self, pull: Pull) -> Pull:
        """Read one page and store it. Raises ``PeerError`` and ``StoreUnavailable``; then the pull is where it was."""
        client = await self._peers.client(pull.connection_id)
        page = await client.page(pull.module, pull.url, date_from=pull.date_from)
        facts = PageFacts(url=page.url, next_url=page.next_url, total=page.total, is_list=page.is_list)
        if (earlier := read_again(pull, facts)) is not None:
            return again(pull, facts, earlier)
        counts = await self._store(client.connection, pull, page)
        return after(pull, facts, counts, _newest(page.objects))

    async def end(self, pull: Pull) -> Pull:
        """Draw the conclusions of a pull that is over or was given up, and keep its result."""
        if pull.error is None and tells_what_is_missing(pull):
            mark = (self._locations if pull.module is Module.LOCATIONS else self._tariffs).mark_missing
            missing = await mark(pull.connection_id, unseen_since=pull.started_at)
            pull = pull.model_copy(update={"counts": pull.counts + Counts(missing=missing)})
        await self._states.record(pull)
        if pull.error is None and pull.full and pull.module is Module.LOCATIONS:
            await self._connections.locations_synced(pull.connection_id, pull.started_at)
        return pull

    async def first_pull(self, connection: Connection) -> Connection:
        """The tariffs and locations of a CPO that was registered just now, as many as can be had in ``FIRST_PULL``.

        What fails or takes longer is left to the schedule. ``locations_synced_at`` of the connection that is returned
        says whether all locations are stored.
        """
        self._peers.health.forget(connection.id)
        await self._meet_parties(connection)
        wish = Synchronisation(connection_id=connection.id, modules=[Module.TARIFFS, Module.LOCATIONS], full=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_PULL.total_seconds()):
                for pull in await self.plan(wish):
                    await self.end(await self._read_all(pull))
        return await self._connections.get(connection.id) or connection

    async def _meet_parties(self, connection: Connection) -> None:
        """The parties behind a hub: whose objects it may send depends on them (OCPI 2.2.1 mod_hub_client_info)."""
        if connection.hub is None or connection.endpoint("hubclientinfo", "SENDER") is None:
            return
        store = ClientInfoStore(self._database)
        try:
            bodies = [body async for body in self._peers.of(connection).client_infos()]
        except PeerError as error:
            logger.warning("a hub did not tell of its parties", extra={"cpo": connection.name, "why": str(error)})
            return
        for body, problem in await store.put_client_infos(connection.id, bodies):
            await self._keep_odd(connection, "hubclientinfo", body, problem)
        self._connections.forget()

    async def _keep_odd(self, connection: Connection, module: str, body: Body, problem: str) -> None:
        await store_odd_message(
            self._database,
            connection_id=connection.id,
            method="GET",
            path=module,
            body=dumps(body),
            problem=problem,
            once=True,
        )

    async def _read_all(self, pull: Pull) -> Pull:
        try:
            while not pull.is_over and pull.pages < MAX_PAGES:
                pull = await self.read_page(pull)
        except PeerError as error:
            logger.warning("a pull failed", extra={"connection_id": pull.connection_id, "why": str(error)})
            return pull.model_copy(update={"error": str(error)})
        return pull

    # --- What is done with a page ---

    async def _store(self, connection: Connection, pull: Pull, page: Page) -> Counts:
        takers: dict[Module, Callable[[Connection, Pull, list[Body]], Awaitable[Written]]] = {
            Module.SESSIONS: self._take_sessions,
            Module.CDRS: self._take_cdrs,
            Module.TARIFFS: self._take_tariffs,
            Module.LOCATIONS: self._take_locations,
        }
        own = [body for body in page.objects if _is_own(connection, pull.module, body)]
        written = await takers[pull.module](connection, pull, own)
        others = [body for body in page.objects if not _is_own(connection, pull.module, body)]
        foreign = [(body, "not of the peer's roles") for body in others]
        for body, problem in [*foreign, *written.broken]:
            await self._keep_odd(connection, pull.module.value, body, problem)
        return Counts(
            seen=len(page.objects),
            created=written.created,
            changed=written.changed,
            unchanged=written.unchanged,
            broken=len(foreign) + len(written.broken),
        )

    async def _take_locations(self, connection: Connection, pull: Pull, bodies: list[Body]) -> Written:
        return await self._locations.put_locations(connection.id, bodies, is_full=pull.full)

    async def _take_tariffs(self, connection: Connection, pull: Pull, bodies: list[Body]) -> Written:
        return await self._tariffs.put_tariffs(connection.id, bodies, is_full=pull.full)

    async def _take_sessions(self, connection: Connection, pull: Pull, bodies: list[Body]) -> Written:
        # At once, so that they are committed together (charging.group_commit).
        storing = (self._receiver.session_object(connection, body) for body in bodies)
        outcomes = await asyncio.gather(*storing)
        unusable = [body for body, outcome in zip(bodies, outcomes, strict=True) if outcome is Outcome.UNUSABLE]
        return Written(
            created=outcomes.count(Outcome.CREATED),
            changed=outcomes.count(Outcome.UPDATED),
            unchanged=outcomes.count(Outcome.UNCHANGED) + outcomes.count(Outcome.IGNORED),
            broken=[(body, "not a usable Session") for body in unusable],
        )

    async def _take_cdrs(self, connection: Connection, pull: Pull, bodies: list[Body]) -> Written:
        written = Written()
        for body in bodies:
            stored = await self._receiver.cdr_object(connection, body)
            if stored is None:
                written.broken.append((body, "not a usable CDR"))
            else:
                written.created += stored.created
                written.changed += stored.differs
                written.unchanged += not (stored.created or stored.differs)
        return written


def _is_own(connection: Connection, module: Module, body: Body) -> bool:
    if module is Module.CDRS:  # as received: 2.1.1 does not say whose it is
        body = connection.dialect.read("cdr", body, connection.party)
    country_code, party_id = body.get("country_code"), body.get("party_id")
    return isinstance(country_code, str) and isinstance(party_id, str) and connection.owns(country_code, party_id)


def _newest(bodies: Sequence[Body]) -> datetime | None:
    moments: list[datetime] = []
    for body in bodies:
        with suppress(ValueError):  # a broken object, which is kept as an odd message
            moments.append(parse_datetime(body.get("last_updated")))
    return max(moments, default=None)
