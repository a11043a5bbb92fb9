"""Quotas as several processes share them: pure of HTTP, on the real store."""

import asyncio
from datetime import datetime

import pytest

from api.limiter import SHARES, WINDOW_S, Limiter, Policy, window_end
from charging.errors import StoreUnavailable
from charging.store.engine import Database
from charging.store.quotas import QuotaStore

POLICY = Policy("user", 100)
SHARE = 100 // SHARES


class Clock:
    """Unix time that moves when it is told to."""

    def __init__(self, name: str) -> None:
        self.now = window_end(name, 1_790_000_000)  # a window of ``name`` begins

    def __call__(self) -> float:
        return self.now


class Counted:
    """A ``QuotaStore`` of its own for each process, whose writes are counted; it can be away."""

    def __init__(self, database: Database) -> None:
        self.store = QuotaStore(database)
        self.writes = 0
        self.is_away = False

    async def use(self, name: str, ends_at: datetime, amount: int) -> int:
        if self.is_away:
            raise StoreUnavailable("away")
        self.writes += 1
        return await self.store.use(name, ends_at, amount)


@pytest.fixture
def clock() -> Clock:
    return Clock("user/ada")


async def admitted(limiter: Limiter, times: int, caller: str = "ada") -> int:
    verdicts = await asyncio.gather(*(limiter.spend(POLICY, caller) for _ in range(times)))
    return sum(verdict.is_admitted for verdict in verdicts)


async def test_two_processes_admit_one_quota_together_and_a_share_more_at_most(
    database: Database, clock: Clock
) -> None:
    stores = [Counted(database), Counted(database)]
    one, two = (Limiter(store.use, clock) for store in stores)
    counts = await asyncio.gather(admitted(one, 105), admitted(two, 105))  # more than either may have
    assert 100 <= sum(counts) <= 100 + SHARE
    assert sum(store.writes for store in stores) <= SHARES + 4
    before = [store.writes for store in stores]
    assert await admitted(one, 50) + await admitted(two, 50) == 0
    assert [store.writes for store in stores] == before, "whoever has nothing left does not ask again"
    assert await admitted(one, 1, caller="bob") == 1, "another caller has a quota of his own"
    clock.now += WINDOW_S
    assert await admitted(two, 100) == 100


async def test_a_caller_within_one_share_costs_no_write_and_sees_what_is_left(database: Database, clock: Clock) -> None:
    store = Counted(database)
    limiter = Limiter(store.use, clock)
    verdicts = [await limiter.spend(POLICY, "ada") for _ in range(SHARE)]
    assert [v.remaining for v in verdicts] == [99, 98, 97, 96, 95]
    assert {v.seconds for v in verdicts} == {WINDOW_S}
    assert store.writes == 0
    other = Limiter(Counted(database).use, clock)
    assert await admitted(other, 2 * SHARE + 1) == 2 * SHARE + 1
    assert (await limiter.spend(POLICY, "ada")).remaining == 100 - 5 * SHARE + SHARE - 1, "as the store knows it now"


async def test_while_the_store_is_away_everybody_is_admitted_and_afterwards_all_is_counted(
    database: Database, clock: Clock
) -> None:
    store = Counted(database)
    limiter = Limiter(store.use, clock)
    store.is_away = True
    assert await admitted(limiter, 150) == 150
    store.is_away = False
    assert await admitted(limiter, 10) == 0


async def test_rows_of_windows_that_are_over_are_forgotten_and_a_clock_that_is_behind_counts_in_the_newer_one(
    database: Database,
) -> None:
    store = QuotaStore(database)
    older, newer = datetime.fromisoformat("2026-03-01T00:00:00Z"), datetime.fromisoformat("2026-03-01T00:00:10Z")
    assert await store.use("user/ada", older, 7) == 7
    assert await store.use("user/ada", newer, 5) == 5
    assert await store.use("user/ada", older, 2) == 7
    await store.forget(newer)
    assert await store.use("user/ada", newer, 1) == 8
    await store.forget(datetime.fromisoformat("2026-03-01T00:01:00Z"))
    assert await store.use("user/ada", newer, 1) == 1
