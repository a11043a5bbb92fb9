"""Group commit: who comes while a commit is under way shares the next one."""

import asyncio
from collections.abc import Sequence

import pytest

from charging.errors import StoreUnavailable
from charging.group_commit import GroupCommit


class Log:
    """Commits numbers to a list, a batch at a time; refuses what it is told to."""

    def __init__(self, refuses: dict[int, Exception] | None = None) -> None:
        self.batches: list[list[int]] = []
        self.refuses = refuses or {}
        self.open = asyncio.Event()
        self.open.set()

    async def commit(self, items: Sequence[int]) -> list[str]:
        await self.open.wait()
        for item in items:
            if item in self.refuses:
                raise self.refuses[item]
        self.batches.append(list(items))
        return [str(item) for item in items]


async def test_whoever_waits_shares_one_commit_in_order() -> None:
    log = Log()
    group = GroupCommit(log.commit)
    log.open.clear()
    waiting = [asyncio.create_task(group.submit(n)) for n in range(5)]
    await asyncio.sleep(0)
    log.open.set()
    assert await asyncio.gather(*waiting) == ["0", "1", "2", "3", "4"]
    assert [n for batch in log.batches for n in batch] == [0, 1, 2, 3, 4]
    assert len(log.batches) <= 2


async def test_batches_have_a_largest_size() -> None:
    log = Log()
    group = GroupCommit(log.commit, largest=3)
    await asyncio.gather(*(group.submit(n) for n in range(7)))
    assert [len(batch) for batch in log.batches] == [3, 3, 1]


async def test_one_that_cannot_be_stored_takes_no_other_with_it() -> None:
    log = Log({2: ValueError("two")})
    group = GroupCommit(log.commit)
    results = await asyncio.gather(*(group.submit(n) for n in range(4)), return_exceptions=True)
    assert [str(result) for result in results] == ["0", "1", "two", "3"]


async def test_a_store_that_is_away_fails_all_at_once() -> None:
    log = Log({0: StoreUnavailable("away")})
    group = GroupCommit(log.commit)
    results = await asyncio.gather(*(group.submit(n) for n in range(4)), return_exceptions=True)
    assert all(isinstance(result, StoreUnavailable) for result in results)
    assert log.batches == []


async def test_a_caller_that_leaves_is_stored_all_the_same() -> None:
    log = Log()
    group = GroupCommit(log.commit)
    log.open.clear()
    leaver, other = asyncio.create_task(group.submit(1)), asyncio.create_task(group.submit(2))
    await asyncio.sleep(0)
    leaver.cancel()
    log.open.set()
    assert await other == "2"
    with pytest.raises(asyncio.CancelledError):
        await leaver
    assert sorted(n for batch in log.batches for n in batch) == [1, 2]
