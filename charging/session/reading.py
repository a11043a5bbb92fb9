"""What a reader is told of a session at ``now``, from one stored row. Pure, and on the hot path of every status read.

What a robot branches on, ``next_action``, in this order:

==========================================  =============================  ==============
the session                                 and                            next_action
==========================================  =============================  ==============
failed                                      START acknowledged, no         ``move_on``
                                            Session ever seen
failed                                      else not safe to unplug        ``call_human``
failed                                      safe, never took energy        ``move_on``
failed                                      safe, took energy              ``unplug``
completed, or stopping and safe                                            ``unplug``
stopping, STOP unconfirmed for too long     (``Policy.call_human_s``)      ``call_human``
pending, the charge point waits for a car   phase ``awaiting_plug``        ``plug_in``
anything else                                                              ``wait``
==========================================  =============================  ==============
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from charging.session.costs import CostSource, RunningCost
from charging.session.profile import ChargingPlan

UNCHANGED_S = 60  # energy that has not risen for so long has stopped flowing

_NOT_CHARGING_YET = (None, "PENDING", "RESERVATION")


class NextAction(StrEnum):
    """What a robot should do now."""

    WAIT = "wait"
    PLUG_IN = "plug_in"
    UNPLUG = "unplug"
    MOVE_ON = "move_on"
    CALL_HUMAN = "call_human"


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One session as stored: facts, meter, decisions, and the body of its newest receipt.

    kWh, kW, percent, money in ``currency``, aware UTC. As JSON: ``spec`` is a ``SessionSpec``, ``profile`` a
    ``ChargingPlan``.
    """

    id: str
    evse_id: str
    network: str
    robot_id: str | None
    job_id: str | None
    metadata: dict[str, str]
    target_kwh: Decimal | None
    spec: Mapping[str, Any]
    currency: str
    created_at: datetime
    ocpi_session_id: str | None
    cpo_status: str | None
    kwh: Decimal
    cost: Decimal | None
    estimate: Decimal | None
    power_kw: Decimal | None
    state_of_charge: Decimal | None
    started_at: datetime | None
    cpo_ended_at: datetime | None
    meter_updated_at: datetime | None
    meter_received_at: datetime | None
    kwh_changed_at: datetime | None
    status: str
    phase: str | None
    reason: dict[str, Any] | None
    start_outcome: str
    stop_sent_at: datetime | None
    stop_accepted_at: datetime | None
    closed_at: datetime | None
    watch_until: datetime | None
    profile: dict[str, Any] | None
    ended_at: datetime | None
    revision: int
    updated_at: datetime
    receipt: Mapping[str, Any] | None


def status_answer(row: StatusRow, now: datetime, *, stale_s: float, live: RunningCost | None = None) -> dict[str, Any]:
    """The answer of ``GET /v1/sessions/{id}/status``, ready for JSON: numbers, strings, booleans, null.

    ``live`` is our estimate at ``now`` of a session that ``is_unpriced``; None: there is none.
    """
    safe = safe_to_unplug(row, now)
    so_far = cost_so_far(row, live)
    return {
        "session_id": row.id,
        "status": row.status,
        "energy_kwh": float(energy_kwh(row)),
        "cost": _number(so_far),
        "cost_so_far": _number(so_far),
        "cost_if_stopped": _number(cost_if_stopped(row, live)),
        "cost_source": None if so_far is None else cost_source(row).value,
        "currency": row.currency,
        "duration_minutes": duration_minutes(row, now),
        "start_time": _text(_charging_since(row)),
        "evse_id": row.evse_id,
        "network": row.network,
        "phase": row.phase,
        "reason": row.reason,
        "next_action": next_action(row, now, safe=safe).value,
        "power_kw": _number(power_kw(row)),
        "state_of_charge": _number(row.state_of_charge),
        "target_kwh": _number(row.target_kwh),
        "limit_kw": _number(limit_kw(row, now)),
        "estimated_end_time": _text(estimated_end_time(row, now)),
        "safe_to_unplug": safe,
        "stale": is_stale(row, now, stale_s=stale_s),
        "revision": row.revision,
        "updated_at": _text(row.updated_at),
        "robot_id": row.robot_id,
        "job_id": row.job_id,
        "metadata": row.metadata,
        "created_at": _text(row.created_at),
        "ended_at": _text(row.ended_at),
    }


def history_item(row: StatusRow, now: datetime) -> dict[str, Any]:
    """The session as EV Pass lists it, ready for JSON; ``end_time``: of the CPO's transaction, once it is over."""
    return {
        "type": "charging",
        "session_id": row.id,
        "status": row.status,
        "energy_kwh": float(energy_kwh(row)),
        "cost": _number(cost_so_far(row, None)),
        "currency": row.currency,
        "duration_minutes": duration_minutes(row, now),
        "start_time": _text(_charging_since(row)),
        "end_time": _text(row.cpo_ended_at or row.closed_at or row.ended_at),
    }


def energy_kwh(row: StatusRow) -> Decimal:
    """Energy delivered: the CDR's once there is one, else the meter's."""
    return Decimal(str(row.receipt["energy_kwh"])) if row.receipt else row.kwh


def is_unpriced(row: StatusRow) -> bool:
    """Whether the CPO's transaction runs without a running total, so that the cost is ours to tell at each moment."""
    return row.cost is None and _runs(row)


def cost_so_far(row: StatusRow, live: RunningCost | None) -> Decimal | None:
    """The CDR's total, else the CPO's running total, else our estimate. None: energy flows at an unknown price.

    Never falls while it runs, but where the CPO's first total is below our estimate: what was estimated at a push is
    the least that is told after it.
    """
    if row.receipt:
        return Decimal(str(row.receipt["cost"]))
    if row.cost is not None:
        return row.cost
    if live is not None:
        return max(live.so_far, row.estimate or live.so_far)
    if row.estimate is None and row.kwh == 0:
        return Decimal(0)
    return row.estimate


def cost_if_stopped(row: StatusRow, live: RunningCost | None) -> Decimal | None:
    """What it would come to if it stopped now: the CPO's total holds all that is owed, our estimate adds step sizes.

    None where nothing runs, or where the price is not known.
    """
    if not _runs(row):
        return None
    if row.cost is not None or live is None:
        return row.cost
    return max(live.if_stopped, row.estimate or live.if_stopped)


def cost_source(row: StatusRow) -> CostSource:
    """Whose word the cost is."""
    if row.receipt:
        return CostSource.CDR
    return CostSource.CPO if row.cost is not None else CostSource.ESTIMATE


def duration_minutes(row: StatusRow, now: datetime) -> int:
    """Whole minutes, floor, from the CPO's start to its end or ``now``; the CDR's once there is one."""
    if row.receipt:
        return int(row.receipt["duration_minutes"])
    started_at = _charging_since(row)
    if started_at is None:
        return 0
    until = row.cpo_ended_at or row.closed_at or now
    return max(int((until - started_at).total_seconds() // 60), 0)


def power_kw(row: StatusRow) -> Decimal | None:
    """Power now; 0 once the CPO's transaction is over, None where the CPO does not tell."""
    return Decimal(0) if _is_over(row) else row.power_kw


def limit_kw(row: StatusRow, now: datetime) -> Decimal | None:
    """What the charging profile in force allows at ``now``; None without one, or when the session is over."""
    if row.profile is None or _is_over(row):
        return None
    return ChargingPlan.model_validate(row.profile).limit_w(now) / 1000


def estimated_end_time(row: StatusRow, now: datetime) -> datetime | None:
    """When the need will be delivered at the present power; None where need or power are not known."""
    need = row.spec["need_kwh"]
    if row.status != "active" or need is None or not row.power_kw or row.power_kw <= 0:
        return None
    hours = max(Decimal(str(need)) - row.kwh, Decimal(0)) / row.power_kw
    # Power is of the last push: time since then has passed already.
    since = min(row.meter_received_at or now, now)
    return max(since + timedelta(hours=min(float(hours), 24 * 365)), now).replace(microsecond=0)


def is_stale(row: StatusRow, now: datetime, *, stale_s: float) -> bool:
    """Whether the CPO has been silent for longer than ``stale_s`` while its transaction runs."""
    if row.status not in ("active", "stopping") or _is_over(row) or row.meter_received_at is None:
        return False
    return now - row.meter_received_at > timedelta(seconds=stale_s)


def safe_to_unplug(row: StatusRow, now: datetime) -> bool:
    """Whether no energy flows or can start to flow, on the CPO's evidence only (docs/architecture.md).

    A definite no to START, COMPLETED, or a CDR; or a still meter after STOP was accepted or the Session went INVALID.
    A START of unknown outcome: not before its tombstone ends.
    """
    if row.receipt or row.cpo_status == "COMPLETED":
        return True
    if row.cpo_status == "INVALID":
        return _still_since(row, row.stop_accepted_at) or _still_since(row, row.closed_at)
    if row.closed_at is not None and row.status != "failed" and _heard_before(row, row.closed_at):
        return True  # its CDR came before COMPLETED; a push after that would say that energy may flow again
    if row.ocpi_session_id is not None:
        return _still_since(row, row.stop_accepted_at)
    if row.start_outcome in ("refused", "not_sent"):
        return row.closed_at is not None
    return row.watch_until is not None and row.watch_until <= now


def next_action(row: StatusRow, now: datetime, *, safe: bool) -> NextAction:
    """What a robot should do now; the table is in this module's docstring."""
    if row.status == "failed":
        if row.start_outcome == "acknowledged" and row.ocpi_session_id is None:
            return NextAction.MOVE_ON  # nobody plugged in: there is nothing here to wait for
        if not safe:
            return NextAction.CALL_HUMAN
        return NextAction.UNPLUG if energy_kwh(row) > 0 else NextAction.MOVE_ON
    if row.status == "completed" or (row.status == "stopping" and safe):
        return NextAction.UNPLUG
    if row.status == "stopping" and row.stop_sent_at is not None:
        patience = timedelta(seconds=float(row.spec["policy"]["call_human_s"]))
        return NextAction.CALL_HUMAN if now - row.stop_sent_at >= patience else NextAction.WAIT
    awaited = row.status == "pending" and row.phase == "awaiting_plug"
    return NextAction.PLUG_IN if awaited else NextAction.WAIT


def _is_over(row: StatusRow) -> bool:
    return row.cpo_status in ("COMPLETED", "INVALID") or row.status == "completed" or row.receipt is not None


def _runs(row: StatusRow) -> bool:
    return row.cpo_status == "ACTIVE" and row.status in ("active", "stopping") and row.receipt is None


def _charging_since(row: StatusRow) -> datetime | None:
    return None if row.cpo_status in _NOT_CHARGING_YET else row.started_at


def _heard_before(row: StatusRow, moment: datetime) -> bool:
    return row.meter_received_at is None or row.meter_received_at <= moment


def _still_since(row: StatusRow, moment: datetime | None) -> bool:
    """Whether an update after ``moment`` shows power 0, or energy that has not risen for a minute."""
    if moment is None or _heard_before(row, moment):
        return False
    if row.power_kw is not None and row.power_kw <= 0:
        return True
    rose_at = row.kwh_changed_at or row.started_at
    unchanged = timedelta(seconds=UNCHANGED_S)
    return rose_at is not None and row.meter_updated_at is not None and row.meter_updated_at - rose_at >= unchanged


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _text(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, seconds unless there is more to say."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
