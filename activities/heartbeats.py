"""Heartbeats while something is waited for, so that a dead worker is noticed in seconds, not at the call's time-out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

HEARTBEAT_S = 1.5


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Beats until the block is left."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)  # most calls are over by then, and cost the server no heartbeat
            activity.heartbeat()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
