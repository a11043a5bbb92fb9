"""The API as a process of its own, as the container runs it: to be ended, killed, and kept from writing."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.stack import user_token
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]


@dataclass
class ApiProcess:
    """``http`` is authenticated as the default user; it keeps no connection."""

    process: asyncio.subprocess.Process
    url: str
    http: httpx.AsyncClient

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def api_process(database_url: str, port: int, app: str = "api.app:create_app") -> AsyncIterator[ApiProcess]:
    """One that is ready, on ``port``; killed in the end if nobody has ended it. ``app``: what makes it."""
    url = f"http://127.0.0.1:{port}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", app, "--factory", "--host", "127.0.0.1"),
        *("--port", str(port), "--no-access-log", "--timeout-graceful-shutdown", "3"),
        cwd=ROOT,
        env={
            **os.environ,
            "CHARGING_DATABASE_URL": database_url,
            "CHARGING_PUBLIC_URL": url,
            "CHARGING_ALLOW_PRIVATE_PEERS": "true",
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    headers, limits = {"Authorization": f"Bearer {user_token()}"}, httpx.Limits(max_keepalive_connections=0)
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=30) as http:
            await eventually(lambda: _is_ready(http), within_s=60, every_s=0.1)
            yield ApiProcess(process, url, http)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).is_success
    except httpx.TransportError:
        return False
