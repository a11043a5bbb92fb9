"""A plan, ready for JSON (``api.plan_schemas``)."""

from typing import Any

from charging.ocpi.wire import plain
from charging.plan_book import PastPlan, PlanBook
from charging.session.profile import ChargingPlan, PlanFigures


def plan_answer(plan: ChargingPlan) -> dict[str, Any]:
    """``PlanAnswer`` of a plan."""
    told = plan.figures.model_dump() if plan.figures else dict.fromkeys(PlanFigures.model_fields)
    answer = {
        "revision": plan.revision,
        "cause": plan.cause.value,
        "why": plan.why,
        "strategy": plan.strategy,
        "control": plan.control,
        "starts_at": plan.starts_at,
        "departure_time": plan.wish.departure_time,
        **told,
        "periods": [period.model_dump() for period in plan.periods],
        "warnings": [warning.model_dump() for warning in plan.warnings],
    }
    words: dict[str, Any] = plain(answer)
    return words


def book_answer(session_id: str, book: PlanBook) -> dict[str, Any]:
    """``SessionPlanAnswer`` of a session's plans."""
    current = book.current
    points = [{**vars(point), "planned_kwh": book.planned_kwh(point.at)} for point in book.metered]
    answer = {
        "session_id": session_id,
        "state": current.state.value if current else None,
        "plan": plan_answer(current.plan) if current else None,
        "earlier": [_past(past) for past in book.past],
        "metered": [{"energy_kwh": point.pop("kwh"), **point} for point in points],
        "prices": [slot.model_dump() for slot in book.prices],
    }
    words: dict[str, Any] = plain(answer)
    return words


def _past(past: PastPlan) -> dict[str, Any]:
    by = past.next
    return {
        **plan_answer(past.record.plan),
        "state": past.record.state.value,
        "replaced_at": by.plan.starts_at if by else None,
        "replaced_because": (by.plan.why or "The user asked for another plan.") if by else None,
    }
