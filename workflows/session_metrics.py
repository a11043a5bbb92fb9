"""What the worker shows to Prometheus of the lives of sessions. Temporal's meter counts nothing twice in a replay."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from charging.session.model import SessionState, Status
    from charging.session.profile import PlanOrder


def moved_on(state: SessionState, told: str, told_at: datetime | None) -> None:
    """Count a change of status or phase; before it was ``told`` ("status/phase"), since ``told_at``. Labels hold no
    ids."""
    if state.told == told:
        return
    meter, network = workflow.metric_meter(), {"network": state.spec.network}
    if told_at is not None and state.told_at is not None:
        status, _, phase = told.partition("/")
        seconds = (state.told_at - told_at).total_seconds()
        in_phase = meter.create_histogram_float("charging_phase_seconds", "How long sessions were in a phase.")
        in_phase.record(seconds, {**network, "status": status, "phase": phase})
    if state.status in (Status.COMPLETED, Status.FAILED):
        reason = state.reason.code if state.reason else "none"
        ended = meter.create_counter("charging_sessions_ended", "Sessions that have ended.")
        ended.add(1, {**network, "status": state.status.value, "reason": reason})


def planned(state: SessionState, order: PlanOrder) -> None:
    """Count a plan that is made, by what made it necessary, and how many kWh the meter was off the one before."""
    meter, network = workflow.metric_meter(), {"network": state.spec.network}
    plans = meter.create_counter("charging_plans", "Plans made for sessions, by cause.")
    plans.add(1, {**network, "cause": order.cause.value})
    expected = order.in_force.expected_kwh(order.now) if order.in_force else None
    if expected is not None:
        drift = meter.create_histogram_float("charging_plan_drift_kwh", "How far the meter was off a plan made again.")
        drift.record(float(abs(expected - state.meter.kwh)), network)
