"""``SynchronisationActivities``: pulls, as their workflow uses them. Every one is safe to repeat."""

import asyncio

from temporalio import activity

from activities.heartbeats import heartbeats
from charging.errors import PeerError
from charging.pulling import MAX_PAGES, Pull, Synchronisation
from charging.synchroniser import Synchroniser

# Pages are read for so long at a time: an activity for each would cost more than the page, and one for all of them
# would have to begin again when its worker dies.
STRETCH_S = 10


class SynchronisationActivities:
    """Plan, read some pages, conclude."""

    def __init__(self, synchroniser: Synchroniser) -> None:
        self._synchroniser = synchroniser

    @activity.defn
    async def plan_pulls(self, wish: Synchronisation) -> list[Pull]:
        """What is to be pulled now."""
        return await self._synchroniser.plan(wish)

    @activity.defn
    async def pull_pages(self, pull: Pull) -> Pull:
        """Read on from where ``pull`` is. Raises ``PeerError`` where not one page could be read: try again.

        A page that fails after others ends the stretch: the next attempt begins with it.
        """
        began, loop = pull, asyncio.get_running_loop()
        until = loop.time() + STRETCH_S
        async with heartbeats():
            while not pull.is_over and pull.pages < MAX_PAGES and loop.time() < until:
                try:
                    pull = await self._synchroniser.read_page(pull)
                except PeerError:
                    if pull is began:
                        raise
                    break
        return pull

    @activity.defn
    async def end_pull(self, pull: Pull) -> Pull:
        """Mark what a full list has left out, and keep what became of the pull."""
        return await self._synchroniser.end(pull)
