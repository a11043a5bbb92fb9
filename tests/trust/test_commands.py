"""Commands that go wrong at a real (scripted) CPO."""

import asyncio
from functools import partial

import pytest
from temporalio.testing import WorkflowEnvironment

from charging import names
from charging.store import tables
from tests.api.conftest import RunningApi, new_key, running_api
from tests.peer import ScriptedCpo, answer, evse, location
from tests.receive.conftest import Desk
from tests.receive.test_commands import ACCEPTED
from tests.stack import EVSE, Stack
from tests.waiting import eventually


@pytest.mark.trust("1.15")
@pytest.mark.parametrize(
    ("result", "code"),
    [("REJECTED", "cpo_rejected"), ("NOT_SUPPORTED", "not_supported"), ("UNKNOWN_SESSION", "cpo_rejected")],
)
async def test_a_refused_command_fails_with_its_reason_and_the_hold_goes_back(
    stack: Stack, result: str, code: str
) -> None:
    stack.cpo.on("START_SESSION", answer({"result": result, "timeout": 0}))
    session_id = await stack.started()
    failed = await stack.until(session_id, "failed", safe_to_unplug=True, next_action="move_on")
    assert failed["reason"]["code"] == code
    assert await stack.workflow(session_id).result() == "failed"
    assert await stack.held(session_id) == 0


@pytest.mark.trust("1.16")
async def test_without_any_answer_the_cpos_sessions_are_listed_before_the_session_fails(hasty: Stack) -> None:
    session_id = await hasty.started()
    failed = await hasty.until(session_id, "failed", safe_to_unplug=False, next_action="call_human")
    assert failed["reason"]["code"] == "start_timeout"
    assert hasty.cpo.received("sessions")
    assert len(hasty.cpo.starts) == 1


@pytest.mark.trust("1.16")
async def test_a_no_that_comes_after_the_failure_frees_the_evse_and_the_hold(hasty: Stack) -> None:
    session_id = await hasty.started()
    await hasty.until(session_id, "failed", safe_to_unplug=False)
    await hasty.cpo.send_result(hasty.cpo.starts[0]["response_url"], "EVSE_OCCUPIED")
    await hasty.until(session_id, "failed", safe_to_unplug=True, next_action="move_on")
    assert await hasty.workflow(session_id).result() == "failed"
    assert await hasty.held(session_id) == 0


@pytest.mark.trust("1.16")
async def test_a_session_that_only_the_list_shows_makes_it_active(hasty: Stack) -> None:
    session_id = await hasty.started()
    hasty.cpo.sessions.append(hasty.cpo.session(kwh=3))
    await hasty.until(session_id, "active", energy_kwh=3.0)


@pytest.mark.trust("1.17")
async def test_a_command_result_timeout_may_still_become_active(stack: Stack) -> None:
    session_id = await stack.started()
    await stack.cpo.send_result(stack.cpo.starts[0]["response_url"], "TIMEOUT")
    await stack.cpo.push_session(stack.cpo.session())
    await stack.until(session_id, "active")


@pytest.mark.trust("1.16", "1.17")
async def test_a_session_that_appears_after_the_failure_is_stopped_and_its_cdr_settled(hasty: Stack) -> None:
    session_id = await hasty.started()
    await hasty.until(session_id, "failed")
    session = hasty.cpo.session()
    await hasty.cpo.push_session(session)
    await eventually(lambda: hasty.cpo.stops)
    await hasty.cpo.push_session({**session, "status": "COMPLETED", "kwh": 0.2})
    await hasty.cpo.post_cdr(hasty.cpo.cdr({**session, "kwh": 0.2}, total_cost=0.1))
    assert await hasty.workflow(session_id).result() == "failed"
    receipt = (await hasty.api.get(f"/v1/sessions/{session_id}/receipt")).json()
    assert (receipt["payment_status"], receipt["cost"]) == ("paid", 0.1)
    assert (await hasty.status(session_id))["status"] == "failed"
    assert "stop_requested" in await hasty.events(session_id)


@pytest.mark.trust("1.17")
async def test_a_session_that_appears_after_a_definite_no_is_stopped_by_a_workflow_of_its_own(stack: Stack) -> None:
    session_id = await stack.started()
    await stack.cpo.send_result(stack.cpo.starts[0]["response_url"], "FAILED")
    assert await stack.workflow(session_id).result() == "failed"
    session = stack.cpo.session()
    await stack.cpo.push_session(session)
    await eventually(lambda: stack.cpo.stops)
    assert stack.cpo.stops[0]["session_id"] == session["id"]
    await stack.cpo.push_session({**session, "status": "COMPLETED"})
    late = stack.temporal.get_workflow_handle(f"late-session/{session_id}")
    await late.signal("session_updated")
    assert "over after" in await late.result()


@pytest.mark.trust("1.18")
async def test_a_result_before_the_response_is_taken(stack: Stack) -> None:
    release = asyncio.Event()
    stack.cpo.on("START_SESSION", answer({"result": "ACCEPTED", "timeout": 30}, wait_for=release))
    session_id = await stack.started()
    await stack.cpo.send_result(stack.cpo.starts[0]["response_url"], "ACCEPTED")
    await stack.until(session_id, "pending", phase="awaiting_plug")
    release.set()
    await stack.cpo.push_session(stack.cpo.session())
    await stack.until(session_id, "active")


@pytest.mark.trust("1.19")
async def test_a_session_before_every_answer_is_active_and_can_be_stopped(stack: Stack) -> None:
    release = asyncio.Event()
    stack.cpo.on("START_SESSION", answer({"result": "ACCEPTED", "timeout": 30}, wait_for=release))
    session_id = await stack.started()
    await stack.cpo.push_session(stack.cpo.session())
    await stack.until(session_id, "active")
    await stack.stop(session_id)
    await eventually(lambda: stack.cpo.stops)
    release.set()


@pytest.mark.trust("1.20")
async def test_a_repeated_result_changes_nothing(stack: Stack) -> None:
    session_id = await stack.started()
    url = stack.cpo.starts[0]["response_url"]
    await stack.cpo.send_result(url, "ACCEPTED")
    await stack.until(session_id, "pending", phase="awaiting_plug")
    assert (await stack.cpo.send_result(url, "FAILED")).status_code == 200
    assert (await stack.cpo.send_result(url, "ACCEPTED")).status_code == 200
    await stack.cpo.push_session(stack.cpo.session())
    await stack.until(session_id, "active")
    assert (await stack.events(session_id)).count("command_result") == 1


@pytest.mark.trust("1.21")
async def test_a_result_for_an_unknown_foreign_or_other_command_is_404(desk: Desk) -> None:
    spec = await desk.start()
    command = await desk.command(spec, "START_SESSION")
    for path, by in (
        ("commands/START_SESSION/nobody-knows", "virta"),
        (f"commands/START_SESSION/{command}", "other"),
        (f"commands/STOP_SESSION/{command}", "virta"),
        (f"chargingprofiles/SET_PROFILE/{command}", "virta"),
    ):
        assert (await desk.call("POST", path, ACCEPTED, by=by)).status_code == 404
    (row,) = await desk.rows(tables.commands, id=command)
    assert row.result is None
    assert await desk.mail(spec) == []


@pytest.mark.trust("1.22")
async def test_accepted_but_nothing_plugged_waits_and_then_fails(hasty: Stack) -> None:
    session_id = await hasty.started()
    await hasty.cpo.send_result(hasty.cpo.starts[0]["response_url"], "ACCEPTED")
    await hasty.until(session_id, "pending", phase="awaiting_plug", next_action="plug_in")
    failed = await hasty.until(session_id, "failed")
    assert failed["reason"]["code"] == "plug_in_timeout"
    again = await hasty.api.post("/v1/sessions/start", json={"evse_id": EVSE, "connector_type": "CCS"})
    assert again.status_code == 201  # the remote start has lapsed: the EVSE is free


@pytest.mark.trust("1.23")
async def test_a_stop_that_is_accepted_but_not_obeyed_is_repeated_overdue_and_never_completed(hasty: Stack) -> None:
    session_id, session = await hasty.charging()
    await hasty.stop(session_id)
    await eventually(lambda: hasty.cpo.stops)
    await hasty.cpo.send_result(hasty.cpo.stops[0]["response_url"], "ACCEPTED")
    await hasty.cpo.patch_session(session, {"kwh": 9})
    await hasty.until(session_id, "stopping", phase="stop_overdue", safe_to_unplug=False)
    await eventually(lambda: len(hasty.cpo.stops) > 1)


@pytest.mark.trust("1.24")
async def test_a_refused_stop_stays_stopping_and_asks_what_the_cpo_has(stack: Stack) -> None:
    session_id, session = await stack.charging()
    stack.cpo.on("STOP_SESSION", answer({"result": "REJECTED", "timeout": 0}))
    stack.cpo.sessions.append({**session, "kwh": 5})
    await stack.stop(session_id)
    await stack.until(session_id, "stopping", energy_kwh=5.0, safe_to_unplug=False)
    assert "stop_refused" in await stack.events(session_id)


@pytest.mark.trust("1.25")
async def test_a_stop_while_pending_is_remembered_and_a_late_active_is_stopped_at_once(stack: Stack) -> None:
    session_id = await stack.started()
    assert (await stack.stop(session_id))["status"] == "stopping"
    await stack.until(session_id, "stopping")
    assert not stack.cpo.stops
    await stack.cpo.push_session(stack.cpo.session())
    await eventually(lambda: stack.cpo.stops)
    assert (await stack.status(session_id))["status"] == "stopping"


@pytest.mark.trust("1.26")
async def test_a_double_stop_is_answered_the_same_and_sent_once(stack: Stack) -> None:
    session_id, session = await stack.charging()
    answers = [await stack.stop(session_id), await stack.stop(session_id)]
    await eventually(lambda: stack.cpo.stops)
    answers.append(await stack.stop(session_id))
    assert answers[0] == answers[1] == answers[2]
    await stack.workflow(session_id).signal(names.Signal.STOP)  # an operator's; the API may have kept the others back
    await stack.until(session_id, "stopping", phase="stop_sent")
    ended = {**session, "status": "COMPLETED", "kwh": 1}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended))
    assert await stack.workflow(session_id).result() == "completed"  # no STOP can be on its way any more
    assert len(stack.cpo.stops) == 1


@pytest.mark.trust("1.27")
async def test_a_stop_after_the_end_is_answered_with_the_true_status(stack: Stack) -> None:
    session_id, session = await stack.charging()
    ended = {**session, "status": "COMPLETED", "kwh": 1}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended))
    await stack.until(session_id, "completed")
    assert await stack.stop(session_id) == {"session_id": session_id, "status": "completed"}


@pytest.mark.trust("1.28")
async def test_a_stop_by_the_car_completes_the_session_with_its_reason(stack: Stack) -> None:
    session_id, session = await stack.charging()
    await stack.cpo.patch_session(session, {"status": "COMPLETED", "kwh": 8})
    ended = await stack.until(session_id, "stopping", phase="awaiting_cdr", safe_to_unplug=True)
    await stack.cpo.post_cdr(stack.cpo.cdr({**session, "kwh": 8}))
    await stack.until(session_id, "completed")
    assert ended["reason"] == (await stack.status(session_id))["reason"]
    assert (ended["reason"]["code"], ended["reason"]["party"]) == ("ended_by_cpo_or_car", "car")


@pytest.mark.trust("1.29")
async def test_of_100_parallel_starts_on_one_evse_one_wins(api: RunningApi) -> None:
    answers = await asyncio.gather(*(api.start(sub=f"user-{n}") for n in range(100)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(201), codes.count(409)) == (1, 99)
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"evse_busy"}
    assert await api.count(tables.sessions) == await api.count(tables.evse_claims) == 1


@pytest.mark.trust("1.30", "2.35")
async def test_the_same_key_in_parallel_starts_once_and_every_answer_is_201(api: RunningApi) -> None:
    key = new_key()
    answers = await asyncio.gather(*(api.start(key=key) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["session_id"] for answer in answers}) == 1
    assert await api.count(tables.sessions) == 1


@pytest.mark.trust("1.31")
async def test_a_profile_wished_while_pending_is_answered_202_kept_and_sent_once_active(stack: Stack) -> None:
    session_id = await stack.started()
    wished = await stack.api.post(f"/v1/sessions/{session_id}/charging-profile", json={"max_charge_rate_kw": 7.4})
    assert (wished.status_code, wished.json()["profile_set"]) == (202, False)
    await stack.cpo.push_session(stack.cpo.session())
    await eventually(lambda: stack.cpo.received("SET_PROFILE"))
    body = stack.cpo.received("SET_PROFILE")[0].body
    assert body["charging_profile"]["charging_rate_unit"] == "W"
    assert body["charging_profile"]["charging_profile_period"] == [{"start_period": 0, "limit": 7400.0}]
    await stack.cpo.send_result(body["response_url"], "ACCEPTED")
    await stack.until(session_id, "active", limit_kw=7.4)


@pytest.mark.trust("1.31")
async def test_an_accepted_profile_is_set_when_the_asynchronous_result_says_so(stack: Stack) -> None:
    session_id, _ = await stack.charging()
    path = f"/v1/sessions/{session_id}/charging-profile"
    wish = asyncio.create_task(stack.api.post(path, json={"max_charge_rate_kw": 11.0}))
    await eventually(lambda: stack.cpo.received("SET_PROFILE"))
    assert not wish.done()
    await stack.cpo.send_result(stack.cpo.received("SET_PROFILE")[0].body["response_url"], "ACCEPTED")
    answered = await wish
    assert answered.status_code == 200
    assert answered.json()["profile_set"] is True
    assert answered.json()["periods"] == [{"start_period": 0, "limit": 11000}]
    clear = asyncio.create_task(stack.api.delete(path))
    await eventually(lambda: stack.cpo.received("CLEAR_PROFILE"))
    await stack.cpo.send_result(stack.cpo.received("CLEAR_PROFILE")[0].query["response_url"], "ACCEPTED")
    assert (await clear).json() == {"session_id": session_id, "profile_cleared": True}
    await stack.until(session_id, "active", limit_kw=None)


@pytest.mark.trust("1.31")
@pytest.mark.parametrize("lacks", ["capability", "module"])
async def test_an_evse_that_takes_no_profiles_says_so_at_once(
    temporal: WorkflowEnvironment, store_url: str, lacks: str
) -> None:
    cpo = ScriptedCpo()
    if lacks == "capability":
        cpo.locations = [location(evses=[evse(capabilities=["REMOTE_START_STOP_CAPABLE"])])]
    else:
        cpo.endpoints = [(module, role) for module, role in cpo.endpoints if module != "chargingprofiles"]
    async with running_api(temporal, store_url, cpo) as api:
        session_id = await api.started()
        told = await api.http.post(f"/v1/sessions/{session_id}/charging-profile", json={"max_charge_rate_kw": 7})
        assert (told.status_code, told.json()["code"]) == (409, "smart_charging_unsupported")
        assert await api.signals(session_id) == []


@pytest.mark.trust("1.32")
async def test_a_profile_that_is_rejected_later_is_a_409_and_the_old_one_stays_in_force(stack: Stack) -> None:
    session_id, _ = await stack.charging()
    path = f"/v1/sessions/{session_id}/charging-profile"
    for number, (rate, result) in enumerate([(11.0, "ACCEPTED"), (7.4, "REJECTED")]):
        wish = asyncio.create_task(stack.api.post(path, json={"max_charge_rate_kw": rate}))
        await eventually(partial(_has_profiles, stack, number + 1))
        await stack.cpo.send_result(stack.cpo.received("SET_PROFILE")[number].body["response_url"], result)
        answered = await wish
    assert (answered.status_code, answered.json()["code"]) == (409, "profile_rejected")
    assert answered.json()["result"] == "REJECTED"
    await stack.until(session_id, "active", limit_kw=11.0)
    assert "profile_rejected" in await stack.events(session_id)


def _has_profiles(stack: Stack, count: int) -> bool:
    return len(stack.cpo.received("SET_PROFILE")) >= count
