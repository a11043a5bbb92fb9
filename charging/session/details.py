"""What an operator reads in Temporal UI without opening an event: markdown of a session's state. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from charging.session.answers import Publication
from charging.session.model import Meter, Phase, SessionState
from charging.session.profile import ChargingPlan
from charging.session.rules import LIVE
from charging.session.steps import wake_at

_PHASE_WORDS: Final[Mapping[Phase | None, str]] = {
    Phase.RESERVING_FUNDS: "The hold is made before the CPO hears of it.",
    Phase.AWAITING_CPO: "START_SESSION is sent; neither a result nor a Session is here.",
    Phase.AWAITING_PLUG: "The charge point is ready; a car must be plugged in.",
    Phase.CHARGING: "The CPO's Session is ACTIVE.",
    Phase.PAUSED: "The CPO's Session is ACTIVE, and no power flows.",
}


def current_details(state: SessionState, now: datetime) -> str:
    """A small table (status, reason, energy, cost, limits, what comes next) and the last few happenings."""
    spec, meter = state.spec, state.meter
    waiting = wake_at(state, now)
    need = f" of {spec.need_kwh} kWh" if spec.need_kwh is not None else ""
    rows = {
        "Status": f"**{state.status}**" + (f" · {state.phase}" if state.phase else ""),
        "Why": f"`{state.reason.code}` {state.reason.detail}" if state.reason else _PHASE_WORDS.get(state.phase, "-"),
        "EVSE": f"{spec.evse_id} · {spec.network} · {spec.max_power_kw} kW",
        "CPO Session": f"{meter.ocpi_session_id or '-'} · {meter.cpo_status or 'unknown'} (START {state.start})",
        "Energy": f"{meter.kwh} kWh{need}{_seen(meter)}",
        "Cost": f"{_or_dash(meter.known_cost)} of at most {spec.cost_limit} {spec.currency}",
        **_plan_rows(state.profile.in_force, now),
        "Stop": f"asked by {state.stop.by}, sent {state.stop.attempts} times" if state.stop.by else "not asked",
        "Next": f"{waiting[1]} at {_clock(waiting[0])}" if waiting else "waits for messages",
    }
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
    happenings = "\n".join(f"- {_clock(e.at)} `{e.type}` {e.detail}" for e in reversed(state.timeline[-8:]))
    return f"{table}\n\n{happenings}"


def publication(state: SessionState, *, length: int, n: int) -> Publication:
    """The state's decisions for the store. ``length`` is the workflow's history length, ``n`` counts within it."""
    watching = state.status in LIVE and state.stop.requested_at is None
    return Publication(
        session_id=state.spec.session_id,
        run=state.run,
        length=length,
        n=n,
        status=state.status,
        phase=state.phase,
        reason=state.reason,
        start_outcome=state.start,
        stop_sent_at=state.stop.first_sent_at,
        stop_accepted_at=state.stop.accepted_at,
        closed_at=state.closed_at,
        watch_until=state.watch_until,
        wake_kwh=state.spec.need_kwh if watching else None,
        wake_cost=state.spec.cost_limit if watching else None,
        profile=state.profile.in_force,
        ended_at=state.ended_at,
        ask_cpo=state.ask_cpo,
        answers=state.answers,
        plans=state.plans,
        entries=state.unpublished,
    )


def _plan_rows(plan: ChargingPlan | None, now: datetime) -> dict[str, str]:
    """The plan in force: what it allows now and why, what follows, and what it costs."""
    if plan is None:
        return {"Profile": "no limit"}
    period, following = plan.period_at(now), plan.next_period(now)
    limit = f"{period.limit} W" + (f", {period.reason[:1].lower()}{period.reason[1:]}" if period.reason else "")
    rows = {"Profile": limit}
    if plan.wish.departure_time is not None:
        rows["Plan"] = f"{plan.strategy}, revision {plan.revision}: {plan.why or 'as wished'}"
        rows["Departure"] = _clock(plan.wish.departure_time)
    if following is not None:
        rows["Next period"] = f"{following[1].limit} W from {_clock(following[0])}"
    if plan.figures is not None and plan.figures.cost is not None:
        figures = plan.figures
        rows["Planned cost"] = f"{figures.cost} {figures.currency} (at once: {figures.cost_if_asap})"
    return rows


def _seen(meter: Meter) -> str:
    """Pushes that change nothing do not come here: say of when the figures are; the store has the newest."""
    return f" (as of {_clock(meter.updated_at)}; status and store know later ones)" if meter.updated_at else ""


def _or_dash(value: object | None) -> str:
    return "-" if value is None else str(value)


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
