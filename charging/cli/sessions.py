"""``charging start | stop | status | watch | profile | session-plan | receipt``: a session from the terminal."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from charging.cli.api import Api, Json, connect
from charging.cli.failure import Failure
from charging.cli.options import AsJson, Data, SessionId, given
from charging.cli.output import console, print_fields, print_json
from charging.cli.target import target
from charging.cli.view.plan import plan_panel
from charging.cli.view.receipt import receipt_panel
from charging.cli.view.session import SessionView
from charging.cli.watching import watch_session


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (start, stop, status, watch, profile, session_plan, receipt):
        app.command()(command)


def start(
    evse_id: Annotated[str, typer.Argument(help="The charger, in any spelling: FI-VRT-E12345.")],
    connector: Annotated[str | None, typer.Option(help="CCS, CHAdeMO, Type2, Type1, NACS.")] = None,
    target_kwh: Annotated[float | None, typer.Option(help="What the battery shall hold at the end, kWh.")] = None,
    level_kwh: Annotated[float | None, typer.Option(help="What it holds now, kWh.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Stop before it costs more.")] = None,
    robot: Annotated[str | None, typer.Option(help="The robot that does it.")] = None,
    job: Annotated[str | None, typer.Option(help="The job that it belongs to.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same again starts nothing new.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Start charging; prints the new session."""
    wishes = {
        "evse_id": evse_id,
        "connector_type": connector,
        "battery_target_kwh": target_kwh,
        "battery_level_kwh": level_kwh,
        "max_cost": max_cost,
        "robot_id": robot,
        "job_id": job,
    }
    request = given(wishes)
    _show(_ask(data, lambda api: api.start(request, key)), as_json)


def stop(session_id: SessionId, as_json: AsJson = False, data: Data = None) -> None:
    """Stop charging. May be repeated."""
    _show(_ask(data, lambda api: api.stop(session_id)), as_json)


def status(session_id: SessionId, as_json: AsJson = False, data: Data = None) -> None:
    """How a session stands."""
    _show(_ask(data, lambda api: api.status(session_id)), as_json)


def watch(session_id: SessionId, as_json: AsJson = False, data: Data = None) -> None:
    """Follow a session live until it has ended; with --json one status a line. Exit 0 if it completed."""

    where = target(data)

    async def follow(api: Api) -> Json:
        return await watch_session(api, SessionView(session_id, speed=where.speed), as_json=as_json)

    last = _ask(data, follow)
    if last["status"] != "completed":
        reason = last.get("reason") or {}
        raise Failure(str(reason.get("code") or last["status"]), str(reason.get("detail") or "the session failed"))


def profile(
    session_id: SessionId,
    max_kw: Annotated[float | None, typer.Option(help="No more than so many kW.")] = None,
    departure: Annotated[str | None, typer.Option(help="When the car leaves: 2026-03-30T18:00:00Z.")] = None,
    periods: Annotated[
        str | None, typer.Option(help='JSON: [{"start_period": 0, "limit": 11000}, …], seconds from now and W.')
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="How to be ready by the departure: cheapest, greenest, asap or latest.")
    ] = None,
    guaranteed_kwh: Annotated[float | None, typer.Option(help="Charge so many kWh first, at once.")] = None,
    min_kw: Annotated[float | None, typer.Option(help="When it charges, then with so many kW at least.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove the profile: full speed again.")] = False,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Set or clear a session's charging profile."""
    wishes = {
        "max_charge_rate_kw": max_kw,
        "departure_time": departure,
        "strategy": strategy,
        "guaranteed_kwh": guaranteed_kwh,
        "min_charge_rate_kw": min_kw,
        "periods": _periods(periods) if periods else None,
    }
    request = given(wishes)
    if clear and request:
        raise Failure("invalid_option", "--clear takes no other wish", exit_code=2)
    _show(
        _ask(data, lambda api: api.clear_profile(session_id) if clear else api.set_profile(session_id, request)),
        as_json,
    )


def session_plan(session_id: SessionId, as_json: AsJson = False, data: Data = None) -> None:
    """What a session plans to do until its departure, what that costs, and why."""
    answer = _ask(data, lambda api: api.plan(session_id))
    if as_json:
        print_json(answer)
    else:
        console.print(plan_panel(answer))


def receipt(session_id: SessionId, as_json: AsJson = False, data: Data = None) -> None:
    """A session's receipt."""
    answer = _ask(data, lambda api: api.receipt(session_id))
    if as_json:
        print_json(answer)
    else:
        console.print(receipt_panel(answer))


def _ask(data: Path | None, question: Callable[[Api], Awaitable[Json]]) -> Json:
    async def ask() -> Json:
        async with connect(target(data)) as api:
            return await question(api)

    return asyncio.run(ask())


def _show(answer: Json, as_json: bool) -> None:
    (print_json if as_json else print_fields)(answer)


def _periods(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise Failure("invalid_option", "--periods takes JSON", exit_code=2) from None
