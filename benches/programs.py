"""Processes under measurement: started, waited for, looked at from outside, ended."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benches.http import Address, Connection, request
from tests.serving import free_port
from tests.waiting import eventually

ROOT = Path(__file__).parent.parent
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Program:
    """A running process."""

    pid: int

    @property
    def rss_mb(self) -> float:
        """Resident memory, MB of 10^6 bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def peak_mb(self) -> float:
        """The most resident memory that it ever had, MB of 10^6 bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6

    @property
    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


@asynccontextmanager
async def program(*arguments: str, log: Path, environment: Mapping[str, str]) -> AsyncIterator[Program]:
    """``python ARGUMENTS`` from the repository's root. The caller's CHARGING_* and TEMPORAL_* are left out."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CHARGING_", "TEMPORAL_"))}
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, env={**inherited, **environment}, stdout=output, stderr=output
        )
    try:
        yield Program(process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def web_server(
    app: str, *, log: Path, port: int = 0, environment: Mapping[str, str]
) -> AsyncIterator[tuple[Program, Address]]:
    """One uvicorn process with uvloop and httptools; ``app`` is ``module:factory``. Ready when it listens."""
    address = ("127.0.0.1", port or free_port())
    options = ["--factory", "--no-access-log", "--loop", "uvloop", "--http", "httptools", "--timeout-keep-alive", "600"]
    arguments = ["-m", "uvicorn", app, *options, "--host", address[0], "--port", str(address[1])]
    async with program(*arguments, log=log, environment=environment) as process:
        await eventually(lambda: _answers(address), within_s=120, describe=lambda: log.read_text()[-2000:])
        yield process, address


async def _answers(address: Address) -> bool:
    try:
        connection = await Connection.open(address)
        await connection.ask(request("GET", "/healthz"))
    except OSError:
        return False
    connection.close()
    return True


def temporal_process() -> Program:
    """The Temporal server that this process has started."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        name, _, rest = path.read_text().rpartition(")")
        if "(temporal" in name and int(rest.split()[1]) == os.getpid():
            return Program(int(path.parent.name))
    raise LookupError("no Temporal server runs below this process")
