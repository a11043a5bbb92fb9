"""Backup and restore as docs/backup.md says: sessions that were open in a copy go on in it."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from charging.store import tables
from tests.embedded import Embedded, embedded
from tests.programs import program
from tests.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

EVSE, OTHER = "FI*VRT*E12345", "FI*VRT*E12346"
SPEED = 30  # a car that charges for minutes, not for seconds


def charging(kwh: Any) -> bool:
    """It takes power."""
    return bool(kwh > 0)


async def end(stack: Embedded, session_id: str) -> None:
    """Stopped, billed, and paid once."""
    await stack.stop(session_id)
    await completed(stack, session_id)


async def completed(stack: Embedded, session_id: str) -> None:
    await stack.until(session_id, status="completed", within_s=90)
    assert (await stack.receipt(session_id))["payment_status"] == "paid"
    payments = tables.payments.c
    paid = select(func.count()).where(payments.session_id == session_id, payments.kind == "capture")
    assert await stack.rows(paid) == [(1,)]
    books = await asyncio.create_subprocess_exec(program("charging"), "reconcile", "--data", str(stack.data))
    assert await books.wait() == 0


@pytest.mark.parametrize("ports", ["the same ports", "other ports"])
async def test_a_cold_copy_of_the_directory_goes_on_elsewhere(tmp_path: Path, ports: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there" / "data"
    async with embedded(here, speed=SPEED) as stack:
        session_id = await stack.start(EVSE, key="k")
        await stack.until(session_id, status="active", energy_kwh=charging)
        assert await stack.down() == 0
    there.parent.mkdir()
    shutil.move(here, there)
    if ports == "other ports":  # and so another public URL: the sandbox is registered again, under its name
        (there / "ports.json").unlink()
    async with embedded(there, speed=SPEED) as stack:
        await stack.until(session_id, status="active")
        assert await stack.start(EVSE, key="k") == session_id
        await end(stack, session_id)
        assert len((await stack.records())["starts"]) == 1


async def test_a_store_that_is_newer_than_temporal_brings_it_up_to_date(tmp_path: Path) -> None:
    """Temporal's copy is from before: one session has ended since, one is being stopped, one has begun."""
    data = tmp_path / "data"
    async with embedded(data, speed=SPEED) as stack:
        ended = await stack.start(EVSE, key="1")
        stopped = await stack.start(OTHER, key="2")
        for session_id in (ended, stopped):
            await stack.until(session_id, status="active", energy_kwh=charging)
        hot_copy(data / "temporal.db", tmp_path / "temporal.db")
        await end(stack, ended)
        begun = await stack.start(EVSE, key="3")
        await stack.until(begun, status="active", energy_kwh=charging)
        await stack.sandbox("faults", {"when": "STOP_SESSION", "kind": "response", "result": "REJECTED", "times": 1})
        await stack.stop(stopped)
        await stack.until(stopped, status="stopping")
        await stack.down()
        for left in data.glob("temporal.db*"):
            left.unlink()
        shutil.copy(tmp_path / "temporal.db", data / "temporal.db")
        await stack.up("--restored")
        assert "2 sessions go on" in told(stack)
        assert "1 sessions that Temporal did not know are started again" in told(stack)
        await completed(stack, ended)
        await completed(stack, stopped)
        await stack.until(begun, status="active", energy_kwh=charging)
        await end(stack, begun)
        assert len((await stack.records())["starts"]) == 3


async def test_a_store_that_is_older_than_temporal_names_what_people_must_look_at(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with embedded(data, speed=SPEED) as stack:
        ended = await stack.start(EVSE, key="1")
        await stack.until(ended, status="active", energy_kwh=charging)
        hot_copy(data / "charging.db", tmp_path / "charging.db")
        await end(stack, ended)
        begun = await stack.start(OTHER, key="2")
        await stack.until(begun, status="active", energy_kwh=charging)
        await stack.down()
        await stack.database.close()
        for left in data.glob("charging.db*"):
            left.unlink()
        shutil.copy(tmp_path / "charging.db", data / "charging.db")
        await stack.up("--restored")
        assert f"{ended}  over in Temporal" in told(stack)
        assert f"{begun}  not in the store" in told(stack)
        # What the CPO has is pulled again, and the bill is settled from the restored ledger.
        await eventually(lambda: is_paid(stack, ended), within_s=90)


def hot_copy(database: Path, copy: Path) -> None:
    """While it is written to, as docs/backup.md says."""
    with closing(sqlite3.connect(database)) as source:
        source.execute("VACUUM INTO ?", (str(copy),))


def told(stack: Embedded) -> str:
    """What `charging up --restored` has told its operator."""
    return (stack.data.parent / f"{stack.data.name}.stderr").read_text()


async def is_paid(stack: Embedded, session_id: str) -> bool:
    answer = await stack.call("GET", f"/v1/sessions/{session_id}/receipt")
    return bool(answer.json().get("payment_status") == "paid")
