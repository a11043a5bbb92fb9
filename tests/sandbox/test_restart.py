"""Kill -9: what was acknowledged is there again, and charging has gone on as if nothing had happened."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from pydantic_core import PydanticSerializationError

from charging.sandbox.persistence import Journal
from charging.sandbox.records import Job
from tests.sandbox.emsp import TOKEN_A, Emsp, plain_http
from tests.serving import free_port, serve
from tests.waiting import eventually

PACE = {
    "CHARGING_SANDBOX_PUSH_INTERVAL_S": "0.1",
    "CHARGING_SANDBOX_START_DELAY_S": "0.4",
    "CHARGING_SANDBOX_RESULT_DELAY_S": "0.3",
    "CHARGING_SANDBOX_STOP_DELAY_S": "0.05",
    "CHARGING_SANDBOX_CDR_DELAY_S": "0.7",
}


class Process:
    """The sandbox as a process that can be killed and started again on the same directory and port."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, http: httpx.AsyncClient) -> None:
        arguments = ["--port", str(self.port), "--data", str(self.data), "--speed", "10", "--token", TOKEN_A]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "charging.sandbox", *arguments, env={**os.environ, **PACE, **self._bytecode()}
        )
        await eventually(lambda: self._is_up(http), within_s=60)

    def _bytecode(self) -> dict[str, str]:
        """Compiled once for all starts, also where the environment forbids to write beside the sources."""
        return {"PYTHONPYCACHEPREFIX": str(self.data.parents[1] / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}

    async def _is_up(self, http: httpx.AsyncClient) -> bool:
        try:
            return (await http.get(f"{self.url}/healthz")).is_success
        except httpx.TransportError:
            return False

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return await self._process.wait()


@asynccontextmanager
async def killable(data: Path) -> AsyncIterator[tuple[Emsp, Process]]:
    process = Process(data)
    async with plain_http() as http:
        emsp = Emsp(process.url, http)
        try:
            await process.start(http)
            async with serve(emsp.app) as emsp.url:
                await emsp.register()
                yield emsp, process
        finally:
            await process.kill()


@pytest.mark.soak
async def test_a_sandbox_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """Killed after ACCEPTED, while it charges, before the CDR: each time it goes on where it would have been."""
    async with killable(tmp_path / "cpo") as (emsp, process):
        assert await emsp.start() == "ACCEPTED"
        await process.kill()
        assert emsp.received == []

        await process.start(emsp.http)
        session_id = (await emsp.seen("ACTIVE")).body["id"]
        assert (await emsp.until("result")).body["result"] == "ACCEPTED"
        before = (await emsp.updates(2))[-1].body
        await process.kill()
        already = len(emsp.received)
        await asyncio.sleep(0.5)  # the outage itself

        await process.start(emsp.http)
        await eventually(lambda: len(emsp.received) > already)
        after = next(m.body for m in emsp.received[already:] if m.kind == "sessions")
        assert after["kwh"] - before["kwh"] >= Decimal(1500) * Decimal("0.5") / 3600
        assert await emsp.stop(session_id) == "ACCEPTED"
        done = (await emsp.seen("COMPLETED")).body
        await process.kill()
        assert emsp.of("cdrs") == []

        await process.start(emsp.http)
        cdr = (await emsp.until("cdrs")).body
        assert cdr["total_energy"] == done["kwh"]
        assert abs(cdr["total_energy"] - 1500 * cdr["total_time"]) < Decimal("0.5")  # the outages included
        records = await emsp.records()
        assert [start["authorization_reference"] for start in records["starts"]] == ["REF"]
        assert [one["id"] for one in records["cdrs"]] == [cdr["id"]]


async def test_faults_registrations_and_broken_chargers_outlive_the_process_too(tmp_path: Path) -> None:
    async with killable(tmp_path / "cpo") as (emsp, process):
        await emsp.fault("START_SESSION", "response", result="REJECTED", times=2, evse="3256")
        await emsp.admin("evse", evse="3257", status="INOPERATIVE")
        assert await emsp.start() == "REJECTED"
        await emsp.charging("3258", "REF2")
        assert await process.kill(signal.SIGTERM) == -signal.SIGTERM
        await process.start(emsp.http)
        assert [await emsp.start(), await emsp.start()] == ["REJECTED", "ACCEPTED"]
        await emsp.start("3257", "REF3")
        await eventually(lambda: "EVSE_INOPERATIVE" in emsp.results)
        assert (await emsp.records())["sessions"][0]["status"] == "ACTIVE"


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    job = Job(id="1", emsp="E", url="http://x", body={}, due_at=datetime(2026, 1, 1, tzinfo=UTC))
    unsavable = job.model_copy(update={"body": {"thing": object()}})
    with pytest.raises(PydanticSerializationError):
        journal.put(("job", "1", job), ("job", "2", unsavable))
    with pytest.raises(sqlite3.Error):
        journal.put(("job", "1", job), (object(), "2", job))  # type: ignore[arg-type] # what SQLite cannot hold
    assert journal.load("job", Job) == {}
    journal.put(("job", "1", job))
    journal.close()


def test_a_directory_belongs_to_one_process(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    with pytest.raises(sqlite3.OperationalError):
        Journal(tmp_path / "j.db")
    journal.close()
