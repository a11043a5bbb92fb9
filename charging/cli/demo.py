"""``charging demo``: one robot charges one car, from the first request to the paid receipt."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.stack import StackOptions, embedded_stack
from charging.cli.api import Api, Json, connect
from charging.cli.failure import Failure
from charging.cli.options import Data
from charging.cli.output import console, notes
from charging.cli.target import Target
from charging.cli.up import end_on_signals, show_progress
from charging.cli.view.receipt import receipt_panel
from charging.cli.view.session import SessionView
from charging.cli.watching import watch_session

EVSE = "FI-VRT-E12345"
CONNECTOR = "CCS"
CHARGER_KW = 150
LEVEL_KWH = 15.0
MOST_KWH = 45.0
SECONDS_OF_CHARGING = 12  # long enough to watch, short enough to wait for
EASE_OFF_KW = 60.0
SPEED = 60


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    data: Data = None,
    speed: Annotated[int, typer.Option(min=1, help="Where no stack is running: how fast its cars charge.")] = SPEED,
) -> None:
    """Charge one car, live: on the running stack, or on one that starts and ends with the demo. Exit 0 if paid."""
    receipt = asyncio.run(_demo(DataDirectory.of(data), speed))
    if receipt["payment_status"] != "paid":
        raise Failure("not_paid", f"payment_status is {receipt['payment_status']}")


async def _demo(directory: DataDirectory, speed: int) -> Json:
    end_on_signals()
    try:
        async with AsyncExitStack() as running:
            if not directory.is_running():
                directory = await running.enter_async_context(_own_stack(speed))
            where = Target.of(directory.running_stack())
            return await _charge(await running.enter_async_context(connect(where)), where.speed)
    except asyncio.CancelledError:
        raise Failure("interrupted", "the demo was told to stop") from None


@asynccontextmanager
async def _own_stack(speed: int) -> AsyncIterator[DataDirectory]:
    """A stack for this demo only, on a directory that goes away with it, unless there is something to look into."""
    directory = DataDirectory(Path(tempfile.mkdtemp(prefix="charging-demo-")))
    try:
        async with AsyncExitStack() as running:
            with notes.status("Starting") as status:
                options = StackOptions(directory, auto_ports=True, speed=speed)
                await running.enter_async_context(embedded_stack(options, show_progress(status)))
            yield directory
    except Exception:
        notes.print(f"Logs and data are kept in {directory.root}", soft_wrap=True)
        raise
    shutil.rmtree(directory.root, ignore_errors=True)


def need_kwh(speed: int) -> float:
    """What the car takes in about twelve seconds at ``speed`` times the power; at most what it has room for."""
    return round(min(MOST_KWH, CHARGER_KW * speed * SECONDS_OF_CHARGING / 3600), 2)


async def _charge(api: Api, speed: int) -> Json:
    need = need_kwh(speed)
    started = await api.start(
        {
            "evse_id": EVSE,
            "connector_type": CONNECTOR,
            "battery_level_kwh": LEVEL_KWH,
            "battery_target_kwh": round(LEVEL_KWH + need, 2),
            "robot_id": "demo-robot",
        }
    )
    view = SessionView(started["session_id"], speed=speed)
    easing_off = asyncio.create_task(_ease_off(api, view, need))
    try:
        last = await watch_session(api, view)
    finally:
        easing_off.cancel()
        await asyncio.gather(easing_off, return_exceptions=True)
    if last["status"] != "completed":
        reason = last.get("reason") or {}
        raise Failure(str(reason.get("code", "failed")), str(reason.get("detail", "the session failed")))
    receipt = await api.receipt(view.session_id)
    console.print(receipt_panel(receipt))
    return receipt


async def _ease_off(api: Api, view: SessionView, need: float) -> None:
    """In the middle of the session ask for less power for a while, as a robot does when its depot is short of it."""
    await _energy_reaches(api, view.session_id, need / 4)
    answer = await _try(view, api.set_profile(view.session_id, {"max_charge_rate_kw": EASE_OFF_KW}))
    if answer is not None:
        await _energy_reaches(api, view.session_id, need / 2)
        await _try(view, api.clear_profile(view.session_id))


async def _energy_reaches(api: Api, session_id: str, kwh: float) -> None:
    async for status in api.statuses(session_id):
        if status["energy_kwh"] >= kwh:
            return


async def _try(view: SessionView, request: Awaitable[Json]) -> Json | None:
    """The answer; a refusal is shown, not fatal: the session goes on without the profile."""
    try:
        return await request
    except Failure as failure:
        view.note(str(failure), datetime.now().astimezone())
        return None
