"""Asynchronous results of commands and charging profiles: the first one counts, from the right peer only."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from charging.ocpi import wire
from charging.session.answers import StartAnswer
from charging.session.model import StartOutcome
from charging.store import tables
from charging.store.commands import CommandStore
from charging.store.connections import ConnectionStore
from tests.receive.conftest import Desk, session_body
from tests.session.plans import plan_at

ACCEPTED = {"result": "ACCEPTED"}


async def test_a_result_is_stored_and_told(desk: Desk) -> None:
    spec = await desk.start()
    command = await desk.command(spec, "START_SESSION")
    body = {"result": "EVSE_OCCUPIED", "message": [{"language": "en", "text": "Somebody is there"}]}
    answer = await desk.call("POST", f"commands/START_SESSION/{command}", body)
    assert (answer.status_code, answer.json()["status_code"]) == (200, 1000)
    assert "data" not in answer.json()
    (row,) = await desk.rows(tables.commands, id=command)
    assert row.result == body
    (mail,) = await desk.rows(tables.inbox)
    assert (mail.session_id, mail.kind, mail.payload) == (
        spec.session_id,
        "command_result",
        {
            "command": "START_SESSION",
            "command_id": command,
            "result": "EVSE_OCCUPIED",
            "detail": "Somebody is there",
        },
    )


async def test_a_repeated_result_is_acknowledged_and_dropped(desk: Desk) -> None:
    spec = await desk.start()
    command = await desk.command(spec, "STOP_SESSION")
    await desk.call("POST", f"commands/STOP_SESSION/{command}", ACCEPTED)
    answer = await desk.call("POST", f"commands/STOP_SESSION/{command}", {"result": "FAILED"})
    assert answer.json()["status_code"] == 1000
    (row,) = await desk.rows(tables.commands, id=command)
    assert row.result == ACCEPTED
    assert await desk.mail(spec) == ["command_result"]


async def test_a_result_may_come_before_the_response(desk: Desk) -> None:
    """The response that is written afterwards takes nothing away."""
    spec = await desk.start()
    command = await desk.command(spec, "START_SESSION")
    await desk.call("POST", f"commands/START_SESSION/{command}", ACCEPTED)
    store = CommandStore(desk.database, ConnectionStore(desk.database, desk.settings.secret_keys))
    await store.responded(command, StartAnswer(outcome=StartOutcome.UNDERSTOOD))
    (row,) = await desk.rows(tables.commands, id=command)
    assert (row.state, row.result) == ("answered", ACCEPTED)


@pytest.mark.parametrize("kind", ["SET_PROFILE", "CLEAR_PROFILE"])
async def test_the_result_of_a_profile_is_told_with_its_kind(desk: Desk, kind: str) -> None:
    spec = await desk.start()
    command = await desk.command(spec, kind)
    await desk.call("POST", f"chargingprofiles/{kind}/{command}", {"result": "REJECTED"})
    (mail,) = await desk.rows(tables.inbox)
    assert (mail.payload["command"], mail.payload["result"]) == (kind, "REJECTED")


def active(*, minutes_ago: int = 0, periods: tuple[tuple[int, float], ...], unit: str = "A") -> dict[str, Any]:
    """An ActiveChargingProfile."""
    written = [{"start_period": start, "limit": limit} for start, limit in periods]
    started_at = wire.format_datetime(datetime.now(UTC) - timedelta(minutes=minutes_ago))
    profile = {"charging_rate_unit": unit, "charging_profile_period": written}
    return {"start_date_time": started_at, "charging_profile": profile}


@pytest.mark.parametrize(("minutes_ago", "limit"), [(0, "10.7"), (10, "16")])
async def test_the_active_profile_is_kept_whole_and_told_as_what_it_allows_now(
    desk: Desk, minutes_ago: int, limit: str
) -> None:
    spec = await desk.start()
    command = await desk.command(spec, "ACTIVE_PROFILE")
    profile = active(minutes_ago=minutes_ago, periods=((0, 10.7), (300, 16), (10**15, 6)))
    await desk.call("POST", f"chargingprofiles/ACTIVE_PROFILE/{command}", ACCEPTED | {"profile": profile})
    (row,) = await desk.rows(tables.commands, id=command)
    assert row.result["profile"]["charging_profile"]["charging_rate_unit"] == "A"
    (mail,) = await desk.rows(tables.inbox)
    assert (mail.payload["active_limit"], mail.payload["active_unit"]) == (limit, "A")


@pytest.mark.parametrize(("watts", "told"), [(4000, ["command_result"]), (11000, [])])
async def test_an_active_profile_is_told_when_it_gives_less_than_the_plan(
    desk: Desk, watts: float, told: list[str]
) -> None:
    spec = await desk.start()
    now = datetime.now(UTC)
    await desk.change(spec, profile=plan_at(now - timedelta(minutes=45)).model_dump(mode="json"))
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    before = await desk.mail(spec)
    profile = active(periods=((0, watts),), unit="W")
    await desk.call("PUT", "/ocpi/emsp/2.2.1/chargingprofiles/S1", profile)
    assert (await desk.mail(spec))[len(before) :] == told
    assert [kind for kind, _ in await desk.events(spec)] == ["active_profile"]


@pytest.mark.parametrize("profile", [{}, {"profile": None}, {"profile": {"charging_profile": "?"}}])
async def test_an_active_profile_that_cannot_be_read_is_told_without_a_limit(desk: Desk, profile: Any) -> None:
    spec = await desk.start()
    command = await desk.command(spec, "ACTIVE_PROFILE")
    await desk.call("POST", f"chargingprofiles/ACTIVE_PROFILE/{command}", ACCEPTED | profile)
    (mail,) = await desk.rows(tables.inbox)
    assert "active_limit" not in mail.payload


async def test_an_unknown_result_is_kept_as_it_is(desk: Desk) -> None:
    spec = await desk.start()
    command = await desk.command(spec, "START_SESSION")
    await desk.call("POST", f"commands/START_SESSION/{command}", {"result": "PERHAPS", "message": "later"})
    (mail,) = await desk.rows(tables.inbox)
    assert (mail.payload["result"], mail.payload["detail"]) == ("PERHAPS", None)
