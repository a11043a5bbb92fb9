"""What a person would say has changed between two answers of the API."""

from typing import Any

PHASES = {
    "reserving_funds": "Setting funds aside",
    "awaiting_cpo": "START_SESSION goes to the operator",
    "awaiting_plug": "The operator says yes; waiting for the car",
    "charging": "The operator's meter runs",
    "paused": "The car takes no power at the moment",
    "limit_reached": "That is enough: STOP_SESSION goes to the operator",
    "stop_sent": "STOP_SESSION goes to the operator",
    "stop_overdue": "The charger has not confirmed the stop yet",
    "awaiting_cdr": "The operator's meter has stopped; waiting for the bill",
    "settling": "The bill is here: checking and paying it",
}


def news_between(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The phase, the limit, the reason, that it is safe to unplug, the end; in this order, mostly nothing."""
    return [line for line in (_phase(before, after), _limit(before, after), _reason(before, after),
                              _unplug(before, after), _end(before, after)) if line]  # fmt: skip


def _phase(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    phase = after.get("phase")
    return PHASES.get(phase, str(phase)) if phase and phase != before.get("phase") else None


def _limit(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    limit = after.get("limit_kw")
    if limit == before.get("limit_kw") or after["status"] not in ("pending", "active"):
        return None
    return "The operator has lifted the limit" if limit is None else f"The operator limits the power to {limit:g} kW"


def _reason(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    reason = after.get("reason")
    return f"{reason['detail']} ({reason['code']})" if reason and reason != before.get("reason") else None


def _unplug(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    return "Safe to unplug" if before and after.get("safe_to_unplug") and not before.get("safe_to_unplug") else None


def _end(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    ended = after["status"] in ("completed", "failed") and after["status"] != before.get("status")
    return f"Session {after['status']}" if ended else None
