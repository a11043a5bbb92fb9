"""What a robot is told of a stored session: energy, cost, duration, what to do now, whether it may unplug."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from charging.session.costs import RunningCost
from charging.session.profile import ChargingPlan, ProfilePeriod
from charging.session.reading import StatusRow, is_unpriced, status_answer

NOW = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)
PENDING = StatusRow(
    id="s",
    evse_id="FI-VRT-E12345",
    network="Virta",
    robot_id=None,
    job_id=None,
    metadata={},
    target_kwh=Decimal(60),
    spec={"need_kwh": "40", "policy": {"call_human_s": 1800.0}},
    currency="EUR",
    created_at=NOW - timedelta(hours=1),
    ocpi_session_id=None,
    cpo_status=None,
    kwh=Decimal(0),
    cost=None,
    estimate=None,
    power_kw=None,
    state_of_charge=None,
    started_at=None,
    cpo_ended_at=None,
    meter_updated_at=None,
    meter_received_at=None,
    kwh_changed_at=None,
    status="pending",
    phase="awaiting_cpo",
    reason=None,
    start_outcome="sent",
    stop_sent_at=None,
    stop_accepted_at=None,
    closed_at=None,
    watch_until=None,
    profile=None,
    ended_at=None,
    revision=1,
    updated_at=NOW,
    receipt=None,
)
ACTIVE = replace(
    PENDING,
    status="active",
    phase="charging",
    ocpi_session_id="S1",
    cpo_status="ACTIVE",
    kwh=Decimal("10"),
    cost=Decimal("2.50"),
    power_kw=Decimal(60),
    started_at=NOW - timedelta(minutes=10, seconds=59),
    meter_updated_at=NOW,
    meter_received_at=NOW,
    kwh_changed_at=NOW,
    start_outcome="acknowledged",
)
STOPPING = replace(ACTIVE, status="stopping", phase="stop_sent", stop_sent_at=NOW - timedelta(minutes=5))
OVER = replace(STOPPING, cpo_status="COMPLETED", phase="awaiting_cdr", closed_at=NOW, cpo_ended_at=NOW)
FAILED = replace(PENDING, status="failed", phase=None, ended_at=NOW)
UNREADABLE = replace(FAILED, ocpi_session_id="S1", kwh=Decimal(5))  # stored by code that could not read its status
RECEIPT = {"energy_kwh": "41.5", "cost": "17.85", "duration_minutes": 52}


def told(row: StatusRow, *, now: datetime = NOW, live: RunningCost | None = None, **changes: Any) -> dict[str, Any]:
    return status_answer(replace(row, **changes), now, stale_s=300, live=live)


def costs(row: StatusRow, **changes: Any) -> tuple[Any, ...]:
    answer = told(row, **changes)
    assert answer["cost"] == answer["cost_so_far"]
    return answer["cost"], answer["cost_if_stopped"], answer["cost_source"]


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def test_before_charging_there_is_no_energy_no_cost_and_no_start() -> None:
    answer = told(PENDING)
    assert (answer["energy_kwh"], answer["cost"], answer["start_time"], answer["duration_minutes"]) == (0, 0, None, 0)


def test_a_cpo_session_that_waits_for_a_plug_has_not_started() -> None:
    answer = told(PENDING, ocpi_session_id="S1", cpo_status="PENDING", started_at=NOW - minutes(5))
    assert (answer["start_time"], answer["duration_minutes"]) == (None, 0)


def test_the_duration_is_whole_minutes_from_the_cpos_start_until_now() -> None:
    assert told(ACTIVE)["duration_minutes"] == 10
    assert told(ACTIVE, now=NOW + timedelta(seconds=1))["duration_minutes"] == 11


def test_the_duration_ends_with_the_cpos_transaction_and_is_never_negative() -> None:
    assert told(OVER, now=NOW + minutes(90))["duration_minutes"] == 10
    assert told(ACTIVE, started_at=NOW + minutes(5))["duration_minutes"] == 0


def test_the_cost_is_the_cpos_running_total_else_our_estimate() -> None:
    assert told(ACTIVE, estimate=Decimal(9))["cost"] == 2.5
    assert told(ACTIVE, cost=None, estimate=Decimal("9.10"))["cost"] == 9.1


LIVE = RunningCost(Decimal("9.50"), Decimal("10.00"))


def test_between_updates_the_cost_is_estimated_as_it_stands_now_and_for_a_stop_now() -> None:
    assert costs(ACTIVE, cost=None, estimate=Decimal(9), live=LIVE) == (9.5, 10, "estimate")
    assert costs(STOPPING, cost=None, estimate=Decimal(9), live=LIVE) == (9.5, 10, "estimate")


def test_what_was_estimated_before_is_the_least_that_is_told() -> None:
    assert costs(ACTIVE, cost=None, estimate=Decimal(12), live=LIVE) == (12, 12, "estimate")


def test_the_cpos_running_total_holds_all_that_is_owed() -> None:
    assert costs(ACTIVE) == (2.5, 2.5, "cpo")


def test_what_has_not_begun_or_is_over_has_no_cost_of_a_stop() -> None:
    assert costs(PENDING) == (0, None, "estimate")
    assert costs(OVER) == (2.5, None, "cpo")
    assert costs(OVER, status="completed", receipt=RECEIPT) == (17.85, None, "cdr")


def test_only_a_running_session_without_the_cpos_total_is_ours_to_price() -> None:
    assert is_unpriced(replace(ACTIVE, cost=None))
    others = (ACTIVE, replace(PENDING, cost=None), replace(OVER, cost=None), replace(FAILED, cpo_status="ACTIVE"))
    assert not any(is_unpriced(row) for row in others)


def test_an_unknown_price_is_null_once_energy_flows() -> None:
    assert costs(ACTIVE, cost=None) == (None, None, None)


def test_the_receipt_is_the_last_word_on_energy_cost_and_duration() -> None:
    answer = told(OVER, status="completed", receipt=RECEIPT)
    assert (answer["energy_kwh"], answer["cost"], answer["duration_minutes"]) == (41.5, 17.85, 52)


def test_a_silent_cpo_makes_an_active_session_stale() -> None:
    assert told(ACTIVE, now=NOW + minutes(5))["stale"] is False
    assert told(ACTIVE, now=NOW + minutes(5.1))["stale"] is True
    assert told(OVER, now=NOW + minutes(60))["stale"] is False
    assert told(PENDING, now=NOW + minutes(60))["stale"] is False


def test_the_end_is_estimated_from_need_and_power() -> None:
    assert told(ACTIVE)["estimated_end_time"] == "2026-03-30T12:30:00Z"
    assert told(ACTIVE, power_kw=Decimal(0))["estimated_end_time"] is None
    assert told(ACTIVE, power_kw=None)["estimated_end_time"] is None
    assert told(ACTIVE, spec={**PENDING.spec, "need_kwh": None})["estimated_end_time"] is None
    assert told(ACTIVE, kwh=Decimal(41))["estimated_end_time"] == "2026-03-30T12:00:00Z"


def test_the_limit_is_that_of_the_plan_now() -> None:
    periods = (
        ProfilePeriod(start_period=0, limit=Decimal(11000)),
        ProfilePeriod(start_period=3600, limit=Decimal(7400)),
    )
    profile = ChargingPlan(starts_at=NOW, strategy="custom", periods=periods).model_dump(mode="json")
    assert told(ACTIVE)["limit_kw"] is None
    assert told(ACTIVE, profile=profile)["limit_kw"] == 11
    assert told(ACTIVE, profile=profile, now=NOW + minutes(60))["limit_kw"] == 7.4
    assert told(OVER, profile=profile)["limit_kw"] is None


# ---- May the robot unplug? ----------------------------------------------------------------------------------------


def later(row: StatusRow, **changes: Any) -> StatusRow:
    """``row`` after one more push, two minutes later."""
    return replace(row, meter_updated_at=NOW + minutes(2), meter_received_at=NOW + minutes(2), **changes)


INVALID = replace(ACTIVE, cpo_status="INVALID", status="failed", phase=None, closed_at=NOW)
ACCEPTED = replace(STOPPING, stop_accepted_at=NOW)


@pytest.mark.parametrize(
    ("why", "row", "safe"),
    [
        ("a definite no to START", replace(FAILED, start_outcome="refused", closed_at=NOW), True),
        ("START never left", replace(FAILED, start_outcome="not_sent", closed_at=NOW), True),
        ("COMPLETED", OVER, True),
        ("a CDR and its receipt", replace(ACTIVE, receipt=RECEIPT), True),
        ("a CDR before COMPLETED", replace(STOPPING, phase="settling", closed_at=NOW), True),
        ("a CDR without any Session", replace(PENDING, status="stopping", closed_at=NOW), True),
        ("STOP accepted, then power 0", later(ACCEPTED, power_kw=Decimal(0)), True),
        ("STOP accepted, then a minute without energy", later(ACCEPTED), True),
        ("INVALID, then power 0", later(INVALID, power_kw=Decimal(0)), True),
        ("the tombstone of a START of unknown outcome has ended", replace(FAILED, watch_until=NOW), True),
        ("START is on its way", PENDING, False),
        ("a Session whose status nobody knows", replace(UNREADABLE, watch_until=NOW), False),
        ("START not sent yet", replace(PENDING, start_outcome="not_sent"), False),
        ("START of unknown outcome", replace(FAILED, start_outcome="unknown", watch_until=NOW + minutes(1)), False),
        ("charging", ACTIVE, False),
        ("a pause is no end", replace(ACTIVE, power_kw=Decimal(0)), False),
        ("STOP sent, not accepted", later(STOPPING, power_kw=Decimal(0)), False),
        ("STOP accepted, nothing heard since", replace(ACCEPTED, power_kw=Decimal(0)), False),
        ("STOP accepted, energy still rises", later(ACCEPTED, kwh_changed_at=NOW + minutes(2)), False),
        ("INVALID, nothing heard since", replace(INVALID, power_kw=Decimal(0)), False),
        ("a Session after a definite no", later(replace(INVALID, cpo_status="ACTIVE", start_outcome="refused")), False),
        ("a push after the CDR", later(replace(STOPPING, closed_at=NOW)), False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unplugging_is_safe_on_the_cpos_evidence_only(why: str, row: StatusRow, safe: bool) -> None:
    assert told(row, now=NOW + minutes(2) if not row.watch_until else NOW)["safe_to_unplug"] is safe, why


@pytest.mark.parametrize(
    ("why", "row", "action"),
    [
        ("waiting for the CPO", PENDING, "wait"),
        ("the charge point waits for the car", replace(PENDING, phase="awaiting_plug"), "plug_in"),
        ("charging", ACTIVE, "wait"),
        ("paused", replace(ACTIVE, phase="paused"), "wait"),
        ("stopping", STOPPING, "wait"),
        ("stopped early, before anything was known", replace(PENDING, status="stopping"), "wait"),
        ("stopped and proven", OVER, "unplug"),
        ("nobody confirms the stop", replace(STOPPING, stop_sent_at=NOW - minutes(30)), "call_human"),
        ("completed", replace(OVER, status="completed", receipt=RECEIPT), "unplug"),
        ("refused", replace(FAILED, start_outcome="refused", closed_at=NOW), "move_on"),
        ("nobody plugged in", replace(FAILED, start_outcome="acknowledged", closed_at=NOW), "move_on"),
        ("a Session whose status nobody knows", replace(UNREADABLE, start_outcome="acknowledged"), "call_human"),
        ("failed after charging, over", replace(OVER, status="failed", phase=None), "unplug"),
        (
            "failed, and energy may flow",
            replace(FAILED, start_outcome="unknown", watch_until=NOW + minutes(9)),
            "call_human",
        ),
        ("failed as INVALID", INVALID, "call_human"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_robot_is_told_what_to_do(why: str, row: StatusRow, action: str) -> None:
    assert told(row)["next_action"] == action, why
