"""A plan on its way to the CPO, through the running engine: cut to what it takes, and what each answer leads to."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from charging.ocpi import wire
from tests.peer import answer, connector, evse
from tests.stack import Stack, running_stack
from tests.waiting import eventually

ACCEPTED = answer({"result": "ACCEPTED", "timeout": 30})
CHEAP_EVSE = evse(
    uid="3258",
    evse_id="FI*VRT*E12347",
    capabilities=["REMOTE_START_STOP_CAPABLE", "CHARGING_PREFERENCES_CAPABLE"],
    connectors=[connector(max_electric_power=11_000)],
)


def response(result: str) -> Any:
    return answer({"result": result, "timeout": 0})


class Driver:
    """One session and the wishes for it."""

    def __init__(self, stack: Stack, session_id: str) -> None:
        self.stack, self.cpo, self.id = stack, stack.cpo, session_id

    def wish(self, **body: Any) -> Coroutine[Any, Any, httpx.Response]:
        return self.stack.api.post(f"/v1/sessions/{self.id}/charging-profile", json=body)

    async def accepted(self, number: int, **body: Any) -> httpx.Response:
        """A wish; the CPO's result ACCEPTED follows the profile that is the ``number``th since now."""
        before = len(self.cpo.received("SET_PROFILE"))
        wish = asyncio.create_task(self.wish(**body))
        await eventually(lambda: len(self.cpo.received("SET_PROFILE")) >= before + number)
        await self.cpo.send_result(self.last["response_url"], "ACCEPTED")
        return await wish

    @property
    def last(self) -> Any:
        """The body of the last profile that was set."""
        return self.cpo.received("SET_PROFILE")[-1].body


async def profiles(stack: Stack) -> None:
    session_id, session = await stack.charging()
    driver, cpo = Driver(stack, session_id), stack.cpo
    headers = {"X-API-Key": stack.settings.admin_key.get_secret_value()}
    few = await stack.api.patch("/ocpi/connections/virta", json={"max_profile_periods": 2}, headers=headers)
    assert few.json()["max_profile_periods"] == 2
    cpo.on("SET_PROFILE", response("TOO_OFTEN"), ACCEPTED)
    steps = [{"start_period": 3600 * n, "limit": 5000 + n} for n in range(4)]
    taken = await driver.accepted(2, periods=steps)
    assert (taken.status_code, taken.json()["periods"]) == (200, steps)  # the user's own, whole
    assert driver.last["charging_profile"]["charging_profile_period"] == steps[:2]
    cpo.sessions.append(session)
    cpo.on("SET_PROFILE", response("UNKNOWN_SESSION"), ACCEPTED)
    assert (await driver.accepted(2, max_charge_rate_kw=11)).status_code == 200
    assert cpo.received("sessions")
    cpo.on("SET_PROFILE", response("REJECTED"))
    refused = await driver.wish(max_charge_rate_kw=7)
    assert (refused.status_code, refused.json()["result"]) == (409, "REJECTED")
    await stack.until(session_id, "active", limit_kw=11.0)
    assert {"profile_too_often", "profile_session_unknown", "profile_rejected"} <= {*await stack.events(session_id)}


async def preferences(stack: Stack) -> None:
    cpo = stack.cpo
    put = await cpo.call("PUT", "locations/FI/VRT/LOC1/3258", CHEAP_EVSE)
    assert put.status_code in (200, 201)
    session_id, _ = await stack.charging(id="S2", evse_id="FI*VRT*E12347", battery_target_kwh=20)
    driver = Driver(stack, session_id)
    leaves = wire.format_datetime(datetime.now(UTC) + timedelta(hours=8))
    cpo.on("PREFERENCES", answer("PROFILE_TYPE_NOT_SUPPORTED"), answer("ACCEPTED"))
    taken = await driver.wish(departure_time=leaves)
    assert (taken.status_code, taken.json()["profile_set"]) == (200, True)
    told = [request.body for request in cpo.received("PREFERENCES")]
    assert [body["profile_type"] for body in told] == ["CHEAP", "REGULAR"]
    assert {body["energy_need"] for body in told} == {20}
    cpo.on("PREFERENCES", answer("NOT_POSSIBLE"))
    refused = await driver.wish(departure_time=leaves)
    assert (refused.status_code, refused.json()["result"]) == (409, "NOT_POSSIBLE")
    assert [r.body["profile_type"] for r in cpo.received("PREFERENCES")][2:] == ["CHEAP", "FAST"]
    capped = await driver.wish(max_charge_rate_kw=7)
    assert (capped.json()["code"], capped.json()["control"]) == ("smart_charging_unsupported", "stop")
    assert not [r for r in cpo.received("SET_PROFILE") if r.path.endswith("/S2")]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_each_answer_of_the_cpo_has_its_next_step(temporal: WorkflowEnvironment, store_url: str) -> None:
    async with running_stack(temporal, store_url, profile_result_s=4) as stack:
        await profiles(stack)
        await preferences(stack)


@pytest.fixture
async def impatient(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[Stack]:
    """An engine that waits one second for the result of a charging profile."""
    async with running_stack(temporal, store_url, profile_result_s=1) as stack:
        yield stack


async def test_a_profile_whose_result_got_lost_is_found_at_the_cpo(impatient: Stack) -> None:
    stack = impatient
    session_id, _ = await stack.charging()
    wish = asyncio.create_task(
        stack.api.post(f"/v1/sessions/{session_id}/charging-profile", json={"max_charge_rate_kw": 11.0})
    )
    await eventually(lambda: stack.cpo.received("ACTIVE_PROFILE"))
    profile = stack.cpo.received("SET_PROFILE")[0].body["charging_profile"]
    question = stack.cpo.received("ACTIVE_PROFILE")[0].query
    active = {"start_date_time": profile["start_date_time"], "charging_profile": profile}
    await stack.cpo.send_result(question["response_url"], "ACCEPTED", profile=active)
    answered = (await wish).json()
    assert answered.get("profile_set") is True, answered
    assert len(stack.cpo.received("SET_PROFILE")) == 1


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_result_of_many_words_is_told_and_the_session_goes_on(stack: Stack, asynchronous: bool) -> None:
    """Found by a bug hunt: PostgreSQL did not take it, so nothing was published any more and the EVSE stayed locked."""
    session_id, session = await stack.charging()
    words = "THE_CHARGE_POINT_IS_BUSY_WITH_SOMETHING_ELSE_" * 5
    if not asynchronous:
        stack.cpo.on("SET_PROFILE", answer({"result": words, "timeout": 30}))
    path = f"/v1/sessions/{session_id}/charging-profile"
    wish = asyncio.create_task(stack.api.post(path, json={"max_charge_rate_kw": 11.0}))
    await eventually(lambda: stack.cpo.received("SET_PROFILE"))
    if asynchronous:
        await stack.cpo.send_result(stack.cpo.received("SET_PROFILE")[0].body["response_url"], words)
    refused = (await wish).json()
    assert (refused["code"], refused["result"]) == ("profile_rejected", words[:100])
    await stack.cpo.patch_session(session, {"status": "COMPLETED", "kwh": 1})
    await stack.until(session_id, "stopping", phase="awaiting_cdr")
