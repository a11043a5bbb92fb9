"""Q1 to Q7, Q39, Q42, Q45: commands, and Sessions that come late, strangely or never."""

from datetime import timedelta

import pytest

from charging.session import rules
from charging.session.messages import CommandResultMessage
from charging.session.model import CpoStatus, Policy, Status
from charging.session.steps import Step, next_step
from tests.receive.conftest import Desk, at, session_body
from tests.session import factory
from tests.stack import EVSE, Stack
from tests.waiting import eventually


async def test_q01_a_session_that_starts_after_the_result_timeout_is_taken(stack: Stack) -> None:
    session_id = await stack.started()
    await stack.cpo.send_result(stack.cpo.starts[0]["response_url"], "TIMEOUT")
    await stack.cpo.push_session(stack.cpo.session())
    await stack.until(session_id, "active")


async def test_q02_accepted_and_then_silence_ends_at_our_deadline_and_a_late_session_is_stopped(hasty: Stack) -> None:
    session_id = await hasty.started()
    await hasty.cpo.send_result(hasty.cpo.starts[0]["response_url"], "ACCEPTED")
    failed = await hasty.until(session_id, "failed")
    assert failed["reason"]["code"] == "plug_in_timeout"
    await hasty.cpo.push_session(hasty.cpo.session(id="LATE"))
    await eventually(lambda: [stop["session_id"] for stop in hasty.cpo.stops] == ["LATE"])


def test_q03_a_session_may_come_two_minutes_after_the_start() -> None:
    assert Policy().confirm_s >= 120
    state = factory.started()
    rules.time_passed(state, factory.at(120))
    assert state.status is Status.PENDING
    rules.session_updated(state, factory.meter(state), factory.at(121))
    assert state.status is Status.ACTIVE


def test_q04_a_session_that_stays_pending_is_stopped_when_its_time_is_over() -> None:
    state = factory.started()
    rules.session_updated(state, factory.meter(state, CpoStatus.PENDING), factory.at(5))
    assert next_step(state, factory.at(60)) is Step.WAIT
    overdue = factory.T0 + timedelta(seconds=Policy().plug_in_s)
    assert next_step(state, overdue) is Step.ASK_CPO
    rules.asked_cpo(state, overdue)
    rules.time_passed(state, overdue)
    assert state.status is Status.FAILED
    assert next_step(state, overdue) is Step.STOP


@pytest.mark.parametrize("status", ["PENDING", "ACTIVE", "COMPLETED", "INVALID", "RESERVATION", "SUSPENDED_EV"])
async def test_q05_any_status_may_be_a_sessions_first(desk: Desk, status: str) -> None:
    spec = await desk.start()
    body = session_body(authorization_reference=spec.authorization_reference, status=status)
    assert (await desk.put(body)).status_code == 201
    row = await desk.row(spec)
    known = status if status in CpoStatus.__members__ else "PENDING"
    assert (row.ocpi_session_id, row.cpo_status) == ("S1", known)


async def test_q06_sessions_of_one_evse_are_told_apart_by_reference_and_by_token(desk: Desk) -> None:
    first, second = await desk.start(evse_uid="3256"), await desk.start(evse_uid="3257")
    token = {"uid": await desk.token_uid(second), "type": "AD_HOC_USER", "contract_id": "FI-RBT-C00000001-X"}
    by_reference = session_body(id="S1", authorization_reference=first.authorization_reference.lower())
    by_token = session_body(id="S2", cdr_token=token)  # at the same EVSE, and the reference was dropped
    for body in (by_token, by_reference):
        await desk.put(body)
    assert (await desk.row(first)).ocpi_session_id == "S1"
    assert (await desk.row(second)).ocpi_session_id == "S2"


async def test_q07_the_auth_method_of_a_remote_start_may_be_any_and_may_change(desk: Desk) -> None:
    spec = await desk.start()
    reference = spec.authorization_reference
    await desk.put(session_body(authorization_reference=reference, auth_method="WHITELIST"))
    await desk.patch("S1", auth_method="AUTH_REQUEST", kwh=1, last_updated=at(30))
    row = await desk.row(spec)
    assert (row.ocpi_session_id, row.kwh) == ("S1", 1)


async def test_q39_a_start_names_its_evse_always(stack: Stack) -> None:
    await stack.started()
    assert stack.cpo.starts[0]["evse_uid"] == "3256"


async def test_q42_an_evse_has_one_start_in_flight(stack: Stack) -> None:
    await stack.started()
    again = await stack.api.post("/v1/sessions/start", json={"evse_id": EVSE, "connector_type": "CCS"})
    assert (again.status_code, again.json()["code"]) == (409, "evse_busy")
    assert len(stack.cpo.starts) == 1


def test_q42_calls_about_one_charging_profile_go_one_after_the_other() -> None:
    state = factory.active()
    state.profile.request_id, state.profile.asked = "R1", False
    assert next_step(state, factory.at(1)) is Step.ASK_PROFILE
    assert next_step(state, factory.at(1), busy=[Step.SEND_PROFILE]) is Step.WAIT


async def test_q45_a_session_whose_pushes_are_all_lost_is_read_from_the_list(hasty: Stack) -> None:
    session_id = await hasty.started()
    hasty.cpo.sessions.append(hasty.cpo.session(kwh=3))
    await hasty.until(session_id, "active", energy_kwh=3.0)


def test_q01_the_correlation_is_not_closed_by_a_timeout() -> None:
    state = factory.started()
    rules.command_resulted(state, CommandResultMessage(command="START_SESSION", result="TIMEOUT"), factory.at(30))
    assert (state.status, state.ask_cpo) == (Status.PENDING, True)
