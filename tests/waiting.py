"""Waiting for a condition, with a deadline and words for when it does not come."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any


async def eventually(
    condition: Callable[[], Any | Awaitable[Any]],
    *,
    within_s: float = 60,
    every_s: float = 0.02,
    describe: Callable[[], str] = lambda: "",
) -> Any:
    """The first true answer of ``condition`` (plain or async). Fails after ``within_s`` seconds with ``describe()``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        assert loop.time() < deadline, f"did not happen within {within_s} s; {describe()}"
        await asyncio.sleep(every_s)
