"""A stack to kill, and kills that hit a session at every point at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import select

from charging.store import tables
from tests.embedded import Embedded, embedded
from tests.kill.points import POINTS, Point
from tests.kill.steps import Captured

# Of the steps of settlement this one is always run; `make soak` has all (test_settlement).
WHERE: tuple[type[Point], ...] = (*POINTS, Captured)
# Chargers with one connector, one for each point.
EVSES = [f"FI-VRT-E{number}" for number in (*range(12345, 12350), *range(12352, 12358))]
# 3 kW times 600: a kWh in two seconds, so that sessions last until they are stopped and the meter is seen to run.
SLOW_CAR = {"capacity_kwh": 1000, "soc": 0.2, "max_dc_kw": 3, "max_ac_kw": 3}
EVERYTHING = "everything"


@pytest.fixture(scope="module")
async def take_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[], Awaitable[Embedded]]]:
    """A stack with all chargers free: the one before, unless a session was left on it."""
    taken: list[Embedded] = []
    async with AsyncExitStack() as running:

        async def take() -> Embedded:
            if not taken or await taken[-1].rows(select(tables.evse_claims)):
                await running.aclose()
                data = tmp_path_factory.mktemp("stack") / "data"
                taken.append(await running.enter_async_context(embedded(data)))
                await taken[-1].sandbox("car", SLOW_CAR)
            return taken[-1]

        yield take


@pytest.fixture(scope="module")
async def struck(request: pytest.FixtureRequest, take_stack: Callable[[], Awaitable[Embedded]]) -> dict[str, Point]:
    """A session for each point, all at theirs when ``request.param`` was killed; everything runs again."""
    stack = await take_stack()
    points = [point(stack, evse) for point, evse in zip(WHERE, EVSES, strict=True)]
    await together(point.prepare() for point in points)
    await together(point.approach() for point in points)
    async with stack.frozen("worker"):
        await together(point.arrive() for point in points)
        async with stack.frozen("temporal"):
            await together(point.ask() for point in points)
            await kill(stack, request.param)
    await revived(stack, request.param)
    await together(point.proceed() for point in points)
    return {point.name: point for point in points}


async def kill(stack: Embedded, target: str) -> None:
    """SIGKILL for one process, or for the supervisor and with it for all."""
    if target == EVERYTHING:
        await stack.crash()
    else:
        stack.kill(target)


async def revived(stack: Embedded, target: str) -> None:
    """Wait until what was killed works again: the supervisor sees to it, or a person starts the supervisor."""
    if target == EVERYTHING:
        await stack.up()
    else:
        await stack.restarted(target)


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at once."""
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(each)
