"""Tells every CPO of our stable tokens (OCPI 2.2.1 §12.2.2). Runs in the API's process.

What is owed lies in the store, so a crash or an unreachable CPO only delays it. Several processes may run this: a
lease per connection lets one at a time push there, so that no older state of a token overtakes a newer one.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from charging.errors import PeerError, PeerRefused, StoreUnavailable
from charging.ocpi.client import CpoClient
from charging.ocpi.peers import Peers
from charging.ocpi.wire import NO_MATCHING_ENDPOINTS, SERVER_ERROR
from charging.settings import Settings
from charging.store.engine import Database
from charging.store.leases import LeaseStore
from charging.store.token_pushes import OwedPush, TokenPushStore

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
FIRST_DELAY_S: Final = 5
LONGEST_DELAY_S: Final = 3600

# What these say is about us or the moment, not about the token.
_NOT_ABOUT_THE_TOKEN: Final = (401, 403, 408, 429)
_TAKES_NO_PATCH: Final = (404, 405)


class TokenPusher:
    """Pushes what is owed, each CPO in a task of its own: one that hangs holds up no other."""

    def __init__(self, database: Database, peers: Peers, settings: Settings) -> None:
        self._pushes = TokenPushStore(database)
        self._leases = LeaseStore(database)
        self._peers = peers
        # Two calls at most between two renewals.
        self._lease = timedelta(seconds=2 * settings.cpo_timeout_s + 5)
        self._pushing: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look every second, for ever. Cancel to stop."""
        try:
            while True:
                try:
                    await self.look()
                except StoreUnavailable:
                    logger.warning("the token pusher cannot use the store")
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            tasks = list(self._pushing.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_pushing(self) -> bool:
        """Whether any CPO is being told something right now."""
        return bool(self._pushing)

    async def look(self) -> None:
        """Start pushing to every CPO that something is due to."""
        await self._pushes.offer_to_new_peers()
        owing = await self._pushes.owing(datetime.now(UTC))
        for connection_id in set(owing) - self._pushing.keys():
            self._pushing[connection_id] = asyncio.create_task(self._push_alone(connection_id))

    async def _push_alone(self, connection_id: str) -> None:
        try:
            await self._push_all(connection_id)
        except StoreUnavailable:
            logger.warning("the token pusher cannot use the store")
        except Exception:
            logger.exception("pushing tokens stumbled; it goes on", extra={"connection_id": connection_id})
        finally:
            del self._pushing[connection_id]

    async def _push_all(self, connection_id: str) -> None:
        lease, now = f"tokens/{connection_id}", datetime.now(UTC)
        if not await self._leases.take(lease, now=now, until=now + self._lease):
            return
        try:
            while (push := await self._pushes.next(connection_id, datetime.now(UTC))) is not None:
                await self._leases.keep(lease, datetime.now(UTC) + self._lease)
                if not await self._push(push):
                    return
        finally:
            await self._leases.give_back(lease, datetime.now(UTC))

    async def _push(self, push: OwedPush) -> bool:
        """Push one token; False where its CPO is better left alone for a while."""
        try:
            await _tell(await self._peers.client(push.connection_id), push)
        except PeerRefused as error:
            if _is_final(error):
                await self._pushes.refused(push, str(error))
                return True
            await self._postpone(push, error)
            return False
        except PeerError as error:
            await self._postpone(push, error)
            return False
        await self._pushes.sent(push)
        return True

    async def _postpone(self, push: OwedPush, error: PeerError) -> None:
        delay = min(FIRST_DELAY_S * 2 ** min(push.attempts, 20), LONGEST_DELAY_S)
        now = datetime.now(UTC)
        until = now + timedelta(seconds=delay)
        await self._pushes.postpone(push.connection_id, now=now, until=until, problem=str(error))


def _is_final(error: PeerRefused) -> bool:
    """Whether the same token again would be refused again."""
    code = error.status_code or SERVER_ERROR
    return code == NO_MATCHING_ENDPOINTS or (code < SERVER_ERROR and error.http_status not in _NOT_ABOUT_THE_TOKEN)


async def _tell(client: CpoClient, push: OwedPush) -> None:
    changes = changed(push.sent, push.body)
    if changes is None:
        await client.put_token(push.body)
        return
    try:
        await client.patch_token(push.body, changes)
    except PeerRefused as error:
        if error.http_status not in _TAKES_NO_PATCH:
            raise
        await client.put_token(push.body)


def changed(sent: dict[str, Any] | None, body: dict[str, Any]) -> dict[str, Any] | None:
    """What a PATCH of ``sent`` into ``body`` says; None where only a PUT will do: a PATCH takes nothing out (§6)."""
    if sent is None or sent.keys() - body.keys():
        return None
    differing = {name: value for name, value in body.items() if sent.get(name) != value}
    return {**differing, "last_updated": body["last_updated"]}
