"""How many requests somebody may make: counted in this process, shared with the others through the store.

Time is cut into windows of ``WINDOW_S``, at a moment of its own for each caller, so that callers who were refused do
not all come back at once. Of each quota a process takes shares of one ``SHARES``-th. Its first share of a window needs
no store, so the requests of a caller who stays below it cost nothing; it is reported with the second share, and each
further share is one write. So a window never admits more than the quota and one share for each further process, and
whoever is refused has left at most one share unused in each of them.

While the store is away everything is admitted: whatever needs the store is refused anyway.
"""

import asyncio
import logging
import math
import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from charging.errors import StoreUnavailable

WINDOW_S: Final = 10
SHARES: Final = 20
_MOST_CALLERS: Final = 50_000  # that are remembered; the longest known is forgotten first

Use = Callable[[str, datetime, int], Awaitable[int]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """``quota`` requests in each window, for each caller."""

    name: str
    quota: int

    @property
    def share(self) -> int:
        """What a process takes at a time."""
        return max(1, self.quota // SHARES)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is admitted; ``remaining`` of ``policy``, as far as this process knows, for ``seconds``."""

    policy: Policy
    is_admitted: bool
    remaining: int
    seconds: int


@dataclass(slots=True)
class _Account:
    """What this process has of one caller's quota in the window that ends at ``ends_at``."""

    ends_at: float
    left: int  # may be spent without asking
    elsewhere: int  # neither ours nor known to be used
    unreported: int  # is ours, and the store does not know
    is_exhausted: bool = False
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Limiter:
    """Admits and refuses. ``use`` is ``QuotaStore.use``; ``clock`` tells Unix time, s."""

    def __init__(self, use: Use, clock: Callable[[], float] = time.time) -> None:
        self._use = use
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    async def spend(self, policy: Policy, caller: str) -> Verdict:
        """One request of ``caller``."""
        name = f"{policy.name}/{caller}"
        now = self._clock()
        account = self._accounts.get(name)
        if account is None or account.ends_at <= now:
            account = self._open(name, policy, now)
        while account.left == 0 and not account.is_exhausted:
            await self._ask(name, policy, account)
        is_admitted = account.left > 0
        if is_admitted:
            account.left -= 1
        seconds = max(1, math.ceil(account.ends_at - now))
        return Verdict(policy, is_admitted, account.left + account.elsewhere, seconds)

    def _open(self, name: str, policy: Policy, now: float) -> _Account:
        share = policy.share
        account = _Account(window_end(name, now), share, policy.quota - share, unreported=share)
        self._accounts[name] = account
        self._accounts.move_to_end(name)
        while len(self._accounts) > _MOST_CALLERS:
            self._accounts.popitem(last=False)
        return account

    async def _ask(self, name: str, policy: Policy, account: _Account) -> None:
        """A further share, or the news that there is none."""
        async with account.asking:
            if account.left or account.is_exhausted:
                return  # whoever was before us has asked
            wanted, unreported = policy.share, account.unreported
            try:
                used = await self._use(name, datetime.fromtimestamp(account.ends_at, UTC), wanted + unreported)
            except StoreUnavailable:
                log.warning("the store does not count requests; they are admitted")
                account.left, account.unreported = wanted, unreported + wanted
                return
            account.unreported = 0
            account.left = max(0, wanted - max(0, used - policy.quota))
            account.elsewhere = max(0, policy.quota - used)
            account.is_exhausted = account.left == 0


def window_end(name: str, now: float) -> float:
    """When the window of ``now`` ends for ``name``: the same in every process, Unix time, s."""
    phase = zlib.crc32(name.encode()) % (WINDOW_S * 1000) / 1000
    return math.floor((now - phase) / WINDOW_S) * WINDOW_S + phase + WINDOW_S
