"""GET …/status over HTTP: one stored row, on both databases, awaited if wished."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from charging.session.profile import ChargingPlan, ProfilePeriod
from charging.store import tables
from tests.api.conftest import RunningApi
from tests.stack import Stack

CONTRACT = {
    "session_id", "status", "energy_kwh", "cost", "currency", "duration_minutes", "start_time", "evse_id", "network",
    "phase", "reason", "next_action", "power_kw", "state_of_charge", "target_kwh", "limit_kw", "estimated_end_time",
    "safe_to_unplug", "stale", "revision", "updated_at", "cost_so_far", "cost_if_stopped", "cost_source",
}  # fmt: skip


async def test_a_fresh_session_is_pending_with_all_fields_of_the_contract(api: RunningApi) -> None:
    session_id = await api.started(battery_target_kwh=60, robot_id="r2", metadata={"colour": "red"})
    answer = await api.status(session_id)
    assert answer.keys() >= CONTRACT
    assert (answer["status"], answer["energy_kwh"], answer["cost"], answer["currency"]) == ("pending", 0, 0, "EUR")
    assert (answer["start_time"], answer["duration_minutes"], answer["next_action"]) == (None, 0, "wait")
    assert (answer["safe_to_unplug"], answer["stale"], answer["target_kwh"]) == (False, False, 60)
    assert (answer["robot_id"], answer["metadata"]) == ("r2", {"colour": "red"})


async def test_the_meter_and_the_decisions_are_told_as_json_numbers(api: RunningApi) -> None:
    session_id = await api.started(battery_target_kwh=60)
    now = datetime.now(UTC)
    plan = ChargingPlan(starts_at=now, periods=(ProfilePeriod(start_period=0, limit=Decimal(11000)),))
    await api.set(
        session_id,
        status="active",
        phase="charging",
        cpo_status="ACTIVE",
        kwh=Decimal("12.4"),
        cost=Decimal("5.32"),
        power_kw=Decimal("43.8"),
        state_of_charge=Decimal(51),
        started_at=now - timedelta(minutes=17, seconds=30),
        meter_received_at=now,
        profile=plan.model_dump(mode="json"),
        reason={"code": "x", "detail": "y", "retryable": False, "party": "cpo"},
    )
    answer = await api.status(session_id)
    numbers = ("energy_kwh", "cost", "power_kw", "state_of_charge", "limit_kw", "duration_minutes")
    assert [answer[name] for name in numbers] == [12.4, 5.32, 43.8, 51, 11, 17]
    assert all(type(answer[name]) in (int, float) for name in numbers)
    assert answer["start_time"].endswith("Z")
    assert datetime.fromisoformat(answer["start_time"]) == now - timedelta(minutes=17, seconds=30)
    assert answer["estimated_end_time"] > answer["updated_at"]
    assert answer["reason"]["party"] == "cpo"


async def test_between_the_cpos_updates_the_cost_grows_with_the_time_and_says_whose_word_it_is(api: RunningApi) -> None:
    session_id = await api.started()
    time = {"type": "TIME", "price": 60, "step_size": 3600}
    begun = datetime.now(UTC) - timedelta(minutes=20)
    running = {"status": "active", "cpo_status": "ACTIVE", "started_at": begun, "meter_updated_at": begun}
    tariff = {"id": "T", "currency": "EUR", "elements": [{"price_components": [time]}]}
    await api.set(session_id, tariff=tariff, kwh=Decimal(5), estimate=Decimal(1), **running)
    told = await api.status(session_id)
    assert 19 < told["cost"] == told["cost_so_far"] < 22
    assert (told["cost_if_stopped"], told["cost_source"]) == (60, "estimate")
    listed = (await api.http.get("/v1/sessions")).json()["sessions"][0]
    assert (listed["cost"] > 19, listed["cost_if_stopped"]) == (True, 60)
    await api.set(session_id, cost=Decimal("3.50"))
    told = await api.status(session_id)
    assert (told["cost"], told["cost_if_stopped"], told["cost_source"]) == (3.5, 3.5, "cpo")


async def test_the_newest_receipt_is_the_last_word(api: RunningApi) -> None:
    session_id = await api.started()
    await api.set(session_id, status="completed", phase=None, cpo_status="COMPLETED", kwh=Decimal(40))
    for version, cost in ((1, "17.85"), (2, "16.00")):
        await add_receipt(api, session_id, version=version, cost=cost)
    answer = await api.status(session_id)
    assert (answer["energy_kwh"], answer["cost"], answer["duration_minutes"]) == (41.5, 16.0, 52)
    assert (answer["safe_to_unplug"], answer["next_action"]) == (True, "unplug")
    assert (answer["cost_source"], answer["cost_if_stopped"]) == ("cdr", None)


async def add_receipt(api: RunningApi, session_id: str, **fields: Any) -> None:
    """A row of ``receipts`` as settlement writes it."""
    body = {
        "session_id": session_id,
        "network": "Virta",
        "evse_id": "FI-VRT-E12345",
        "energy_kwh": "41.5",
        "duration_minutes": 52,
        "cost": "17.85",
        "currency": "EUR",
        "payment_status": "paid",
        "amount_due": "17.85",
        "lines": [],
        "cdr_ids": ["CDR1"],
        "started_at": None,
        "ended_at": None,
        "audit": {"verdict": "unverifiable", "differences": []},
        "version": 1,
        **fields,
    }
    async with api.database.write() as store:
        await store.execute(
            tables.receipts.insert().values(
                session_id=session_id,
                version=body["version"],
                body=body,
                payment_status=body["payment_status"],
                created_at=datetime.now(UTC),
            )
        )


async def test_a_long_poll_answers_as_soon_as_something_changed(api: RunningApi) -> None:
    session_id = await api.started()
    before = await api.status(session_id)
    waiting = asyncio.create_task(api.status(session_id, wait=20, after=before["revision"]))
    began = time.monotonic()
    await api.set(session_id, kwh=Decimal(1), cpo_status="ACTIVE")
    after = await waiting
    assert after["revision"] > before["revision"]
    assert after["energy_kwh"] == 1
    assert time.monotonic() - began < 15


async def test_a_long_poll_for_what_has_changed_already_answers_at_once(lite: RunningApi) -> None:
    session_id = await lite.started()
    began = time.monotonic()
    await lite.status(session_id, wait=20, after=0)
    assert time.monotonic() - began < 15


async def test_a_long_poll_ends_with_its_time(lite: RunningApi) -> None:
    session_id = await lite.started()
    before = await lite.status(session_id)
    assert (await lite.status(session_id, wait=1))["revision"] == before["revision"]


@pytest.mark.parametrize(
    "query", [{"wait": "-1"}, {"wait": "61"}, {"wait": "x"}, {"wait": "1.5"}, {"wait": "٣"}, {"after": "9" * 30}]
)
async def test_a_wait_that_is_no_whole_number_in_range_is_422(lite: RunningApi, query: dict[str, str]) -> None:
    session_id = await lite.started()
    answer = await lite.http.get(f"/v1/sessions/{session_id}/status", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


async def test_without_a_worker_a_fresh_read_is_answered_from_the_store(lite: RunningApi) -> None:
    session_id = await lite.started()
    began = time.monotonic()
    answer = await lite.http.get(f"/v1/sessions/{session_id}/status", headers={"Cache-Control": "no-cache"})
    assert answer.json()["status"] == "pending"
    assert time.monotonic() - began < 5


async def test_a_fresh_read_asks_the_workflow_and_merges_the_stored_meter(stack: Stack) -> None:
    session_id, _ = await stack.charging()
    async with stack.database.write() as store:  # as if the publication were late
        await store.execute(
            tables.sessions.update()
            .where(tables.sessions.c.id == session_id)
            .values(status="pending", phase=None, kwh=Decimal("3.5"))
        )
    headers = {"Cache-Control": "no-cache"}
    fresh = (await stack.api.get(f"/v1/sessions/{session_id}/status", headers=headers)).json()
    assert (fresh["status"], fresh["energy_kwh"]) == ("active", 3.5)
