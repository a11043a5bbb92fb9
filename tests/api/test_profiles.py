"""POST and DELETE …/charging-profile: true only once the CPO's asynchronous result says so."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from charging.store import tables
from tests.api.conftest import RunningApi
from tests.peer import answer
from tests.stack import Stack
from tests.waiting import eventually


def path(session_id: str) -> str:
    return f"/v1/sessions/{session_id}/charging-profile"


async def send(stack: Stack, session_id: str, body: dict[str, Any] | None, result: str) -> httpx.Response:
    """Set (or, without a body, clear) a profile whose asynchronous result will be ``result``."""
    step = "SET_PROFILE" if body is not None else "CLEAR_PROFILE"
    before = len(stack.cpo.received(step))
    call = stack.api.post(path(session_id), json=body) if body is not None else stack.api.delete(path(session_id))
    asking = asyncio.create_task(call)
    await eventually(lambda: len(stack.cpo.received(step)) > before)
    request = stack.cpo.received(step)[-1]
    url = request.body["response_url"] if body is not None else request.query["response_url"]
    await stack.cpo.send_result(url, result)
    return await asking


async def test_a_cap_is_set_once_the_cpos_result_says_accepted(stack: Stack) -> None:
    session_id, _ = await stack.charging()
    set_ = await send(stack, session_id, {"max_charge_rate_kw": 11.0}, "ACCEPTED")
    assert set_.status_code == 200
    body = set_.json()
    plan = body.pop("plan")
    assert (plan["strategy"], plan["revision"], plan["feasible"], plan["warnings"]) == ("asap", 1, None, [])
    assert (plan["control"], plan["periods"][0]["limit"]) == ("charging_profile", 11000)
    assert body == {
        "session_id": session_id,
        "profile_set": True,
        "max_charge_rate_kw": 11,
        "departure_time": None,
        "periods": [{"start_period": 0, "limit": 11000}],
    }
    assert (await stack.status(session_id))["limit_kw"] == 11
    cleared = await send(stack, session_id, None, "ACCEPTED")
    assert (cleared.status_code, cleared.json()) == (200, {"session_id": session_id, "profile_cleared": True})
    assert (await stack.status(session_id))["limit_kw"] is None


async def test_a_profile_that_the_cpo_rejects_is_409_with_its_result(stack: Stack) -> None:
    session_id, _ = await stack.charging()
    rejected = await send(stack, session_id, {"max_charge_rate_kw": 11.0}, "REJECTED")
    assert (rejected.status_code, rejected.json()["code"]) == (409, "profile_rejected")
    assert rejected.json()["result"] == "REJECTED"
    stack.cpo.on("CLEAR_PROFILE", answer({"result": "NOT_SUPPORTED", "timeout": 0}))
    refused = await stack.api.delete(path(session_id))
    assert (refused.status_code, refused.json()["code"]) == (409, "profile_rejected")


async def test_a_newer_request_supersedes_an_open_one(stack: Stack) -> None:
    session_id, _ = await stack.charging()
    older = asyncio.create_task(stack.api.post(path(session_id), json={"max_charge_rate_kw": 7}))
    await eventually(lambda: stack.cpo.received("SET_PROFILE"))
    newer = await send(stack, session_id, {"max_charge_rate_kw": 9}, "ACCEPTED")
    assert newer.json()["profile_set"] is True
    assert ((await older).status_code, (await older).json()["code"]) == (409, "profile_superseded")


async def test_a_silent_cpo_is_202_and_not_set(api: RunningApi) -> None:
    session_id = await api.started()
    await api.set(session_id, status="active")
    departure = datetime.now(UTC) + timedelta(hours=2)
    body = {"max_charge_rate_kw": 7.4, "departure_time": departure.isoformat()}
    told = await api.http.post(path(session_id), json=body)
    assert told.status_code == 202
    assert (told.json()["profile_set"], told.json()["max_charge_rate_kw"]) == (False, 7.4)
    assert told.json()["departure_time"].endswith("Z")
    assert told.json()["periods"] == [{"start_period": 0, "limit": 7400}]
    plan = told.json()["plan"]  # as it will be made
    assert (plan["revision"], [warning["code"] for warning in plan["warnings"]]) == (0, ["no_target"])
    cleared = await api.http.delete(path(session_id))
    assert (cleared.status_code, cleared.json()["profile_cleared"]) == (202, False)
    assert await api.signals(session_id) == ["change_profile", "clear_profile"]


async def test_while_pending_a_profile_is_kept_and_answered_202_at_once(api: RunningApi) -> None:
    session_id = await api.started()
    body = {"periods": [{"start_period": 0, "limit": 11000}, {"start_period": 3600, "limit": 7400}]}
    told = await api.http.post(path(session_id), json=body)
    assert (told.status_code, told.json()["profile_set"]) == (202, False)
    assert told.json()["periods"] == body["periods"]
    assert await api.count(tables.profile_requests, session_id=session_id, state="open") == 1


async def test_a_departure_alone_is_a_profile(lite: RunningApi) -> None:
    session_id = await lite.started()
    told = await lite.http.post(path(session_id), json={"departure_time": "2999-03-30T18:00:00Z"})
    assert (told.status_code, told.json()["departure_time"]) == (202, "2999-03-30T18:00:00Z")
    assert told.json()["max_charge_rate_kw"] is None


@pytest.mark.parametrize("status", ["stopping", "completed", "failed"])
async def test_a_session_that_is_over_takes_no_profile(lite: RunningApi, status: str) -> None:
    session_id = await lite.started()
    await lite.set(session_id, status=status)
    set_ = await lite.http.post(path(session_id), json={"max_charge_rate_kw": 7})
    cleared = await lite.http.delete(path(session_id))
    assert (set_.status_code, set_.json()["code"]) == (409, "session_over")
    assert (cleared.status_code, cleared.json()["code"]) == (409, "session_over")
