"""The embedded stack as a whole: started in order, published in ``run.json``, ended in order."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from charging.bootstrap.child import Child
from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.files import read_json
from charging.bootstrap.keys import DevelopmentSecrets
from charging.bootstrap.neighbours import Payments, payments_of
from charging.bootstrap.ports import Ports
from charging.bootstrap.processes import end_leftover
from charging.bootstrap.recipe import ROOT, Recipe
from charging.bootstrap.registration import connect_sandbox
from charging.bootstrap.tokens import DEMO_USER, RUN_TOKEN_TTL, issued, mint

READY_PATIENCE_S = 60.0
CHILDREN = ("api", "worker", "temporal", "sandbox")


@dataclass(frozen=True)
class StackOptions:
    """What a caller may choose about an embedded stack. ``payments`` None: as at its first start, or our wallet."""

    directory: DataDirectory
    auto_ports: bool = False
    speed: int = 1
    with_sandbox: bool = True
    payments: Payments | None = None
    restored: bool = False  # the directory was put together from copies of different moments


Progress = Callable[[str], None]


@asynccontextmanager
async def embedded_stack(options: StackOptions, progress: Progress) -> AsyncIterator["Stack"]:
    """Run the stack for as long as the block does; ready when it is entered, all gone when it is left.

    ``progress`` hears in a few words what is being started. Raises ``StackError`` when the stack cannot run.
    """
    directory = options.directory
    with directory.locked():
        await _end_leftovers(directory)
        ports = Ports.of(directory.ports_file, auto=options.auto_ports)
        payments = payments_of(directory, options.payments)
        with_neighbours = payments is not Payments.WALLET
        ports.require_free(without=() if with_neighbours else ("neighbours",))
        secrets = DevelopmentSecrets.of(directory.secrets_file)
        # No proxies from the environment: everything here is on loopback.
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            stack = Stack(options, Recipe(directory, ports, secrets, options.speed, http), payments)
            try:
                await stack.start(progress)
                yield stack
            finally:
                await stack.stop()
                directory.run_file.unlink(missing_ok=True)


class Stack:
    """The processes that make one machine a whole charging service."""

    def __init__(self, options: StackOptions, recipe: Recipe, payments: Payments) -> None:
        self._options = options
        self._payments = payments
        self._recipe = recipe
        self._ready = False
        self._token = mint(recipe.secrets.jwt_secret, sub=DEMO_USER, now=datetime.now(UTC), ttl=RUN_TOKEN_TTL)
        self._temporal = Child(recipe.temporal(), self._publish)
        self._others = [Child(recipe.worker(), self._publish), Child(recipe.api(), self._publish)]
        if options.with_sandbox:
            self._others.append(Child(recipe.sandbox(), self._publish))
        if payments is not Payments.WALLET:
            self._others.append(Child(recipe.neighbours(), self._publish))

    def description(self) -> dict[str, Any]:
        """What `charging up --json` prints: addresses, keys and the newest pids; None where not started."""
        pids: dict[str, int | None] = dict.fromkeys(CHILDREN)
        pids.update({child.spec.name: child.pid for child in [self._temporal, *self._others]})
        return {
            "api": self._recipe.api_url,
            "temporal": self._recipe.temporal_address,
            "temporal_ui": self._recipe.temporal_ui_url,
            "cpo": self._recipe.cpo_url if self._options.with_sandbox else None,
            "payments": self._payments,
            "neighbours": None if self._payments is Payments.WALLET else self._recipe.neighbours_url,
            "token": self._token,
            "admin_key": self._recipe.secrets.admin_key,
            "pids": pids,
            "speed": self._options.speed,
            "data": str(self._options.directory.root),
            "ready": self._ready,
        }

    async def start(self, progress: Progress) -> None:
        """Migrate, start Temporal, then the rest; return when each does its work and the CPO is connected."""
        progress("Preparing the database")
        await asyncio.to_thread(_migrate, self._options.directory.database_url)
        progress("Starting Temporal")
        await self._temporal.start()
        await self._temporal.until_ready(READY_PATIENCE_S)
        if self._options.restored:
            progress("Bringing the store and Temporal together")
            await _reunite(self._recipe)
        progress("Starting " + ", ".join(child.spec.name for child in self._others))
        for child in self._others:
            await child.start()
        await asyncio.gather(*(child.until_ready(READY_PATIENCE_S) for child in self._others))
        if self._options.with_sandbox:
            progress("Connecting the sandbox CPO over OCPI")
            await connect_sandbox(self._recipe)
        if self._payments is Payments.EVPASS:
            url = self._recipe.neighbours_url
            self._token = await asyncio.to_thread(issued, url, sub=DEMO_USER, ttl=RUN_TOKEN_TTL)
        self._ready = True
        self._publish()

    async def stop(self) -> None:
        """End all processes, Temporal last, so that the others can say goodbye to it. Interrupted: kill them."""
        try:
            await asyncio.gather(*(child.stop() for child in self._others))
            await self._temporal.stop()
        except asyncio.CancelledError:
            for child in [*self._others, self._temporal]:
                child.kill()
            raise

    def _publish(self) -> None:
        self._options.directory.write_run(self.description())


def _migrate(url: str) -> None:
    from charging.store.migrate import upgrade  # here: commands that only talk HTTP need not load a database

    upgrade(url)


async def _reunite(recipe: Recipe) -> None:
    """`charging db restored` with the environment of this stack; what it finds is for people, so on stderr."""
    command = [sys.executable, "-m", "charging.cli", "db", "restored"]
    process = await asyncio.create_subprocess_exec(*command, env=recipe.environment(), cwd=ROOT, stdout=sys.stderr)
    await process.wait()


async def _end_leftovers(directory: DataDirectory) -> None:
    """End what a killed supervisor left behind, where the system could not do it for us."""
    left = read_json(directory.run_file) or {}
    marks = {"api": "-m api", "worker": "worker.py", "sandbox": "charging.sandbox"}
    marks["neighbours"] = "charging.sandbox.neighbours"
    marks["temporal"] = str(directory.temporal_db)
    for name, pid in left.get("pids", {}).items():
        if pid is not None:
            await end_leftover(pid, marks[name])
    directory.run_file.unlink(missing_ok=True)
