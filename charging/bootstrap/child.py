"""One supervised process: started, watched, started again when it dies, ended when asked."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from charging.bootstrap.errors import StackError
from charging.bootstrap.processes import die_with_parent

STABLE_S = 5.0  # a process that lived so long is restarted at once; one that dies young, after a pause
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
LOG_LIMIT_BYTES = 20_000_000
GRACE_S = 25.0
DEATHS_AT_START = 3  # so many before it was ever ready mean that it will never be


@dataclass(frozen=True)
class ChildSpec:
    """What to run. ``ready(pid)`` answers whether that process does its work; ``mark`` is words of its command."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    cwd: Path
    log: Path
    mark: str
    ready: Callable[[int], Awaitable[bool]]


class Child:
    """Keeps one process alive. ``on_start`` is called with every new process, so that its pid can be published."""

    def __init__(self, spec: ChildSpec, on_start: Callable[[], None]) -> None:
        self.spec = spec
        self._on_start = on_start
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._deaths = 0
        self._young_deaths = 0

    @property
    def pid(self) -> int | None:
        """The newest process, or None before the first."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and watch over it from now on."""
        await self._spawn()
        self._task = asyncio.create_task(self._watch(), name=f"watch {self.spec.name}")

    async def until_ready(self, patience_s: float) -> None:
        """Return when the process does its work. Raises ``StackError`` with the end of its log when it never does."""
        before = self._deaths
        try:
            async with asyncio.timeout(patience_s):
                while not await self._is_ready():
                    if self._deaths - before >= DEATHS_AT_START:
                        raise StackError("child_died", f"{self.spec.name} keeps dying; {self._log_tail()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            detail = f"{self.spec.name} was not ready after {patience_s:.0f} s; {self._log_tail()}"
            raise StackError("child_not_ready", detail) from None

    async def stop(self) -> None:
        """End the process and wait for it: SIGTERM, and SIGKILL where that is not enough."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._process is None or self._process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), GRACE_S)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()

    def kill(self) -> None:
        """End the process at once."""
        self._signal(signal.SIGKILL)

    async def _is_ready(self) -> bool:
        process = self._process
        return process is not None and process.returncode is None and await self.spec.ready(process.pid)

    async def _watch(self) -> None:
        while True:
            assert self._process is not None  # noqa: S101 - start() spawned it
            began = asyncio.get_running_loop().time()
            await self._process.wait()
            lived = asyncio.get_running_loop().time() - began
            self._deaths += 1
            self._young_deaths = self._young_deaths + 1 if lived < STABLE_S else 0
            if self._young_deaths > 1:
                await asyncio.sleep(PAUSES_S[min(self._young_deaths - 2, len(PAUSES_S) - 1)])
            await self._spawn()

    async def _spawn(self) -> None:
        spec = self.spec
        if spec.log.exists() and spec.log.stat().st_size > LOG_LIMIT_BYTES:
            spec.log.replace(spec.log.with_suffix(".log.1"))
        with spec.log.open("ab") as log:
            # Its own session: Ctrl-C in the terminal reaches the supervisor only, which ends children in order.
            self._process = await asyncio.create_subprocess_exec(
                *spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=spec.environment,
                cwd=spec.cwd,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )
        self._on_start()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                return

    def _log_tail(self, lines: int = 15) -> str:
        try:
            tail = self.spec.log.read_text(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            tail = []
        return "\n  ".join([f"the end of {self.spec.log}:", *tail])
