"""How a fault changes a push: one message becomes none, another, or several. Pure."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from charging.sandbox.faults import Fault
from charging.sandbox.pusher import Push


def spoil(fault: Fault, push: Push) -> list[Push]:
    """What is sent in place of ``push``."""
    match fault.kind:
        case "drop":
            return []
        case "duplicate":
            return [push] * fault.copies
        case "stale":
            return [push, _older(push)]
        case "patch_first":
            return [Push("PATCH", push.session_id, push.message)]
        case "kwh":
            return [push.with_changes(kwh=_kwh(fault, push.message["kwh"]))]
        case "foreign":
            return [_of_another_party(push, fault.party_id), push]
        case "strange":
            return [push.with_changes(**strange(push.message))]
        case "alter":
            return [push.with_changes(**fault.set)]
        case _:  # late: only when, not what
            return [push]


def _older(push: Push) -> Push:
    before = push.message["last_updated"] - timedelta(hours=1)
    return push.with_changes(last_updated=before, kwh=Decimal(0), status="ACTIVE")


def _kwh(fault: Fault, metered: Decimal) -> Decimal:
    told = metered if fault.kwh is None else Decimal(str(fault.kwh))
    return told + Decimal(str(fault.add_kwh or 0))


def _of_another_party(push: Push, party_id: str) -> Push:
    body = {**push.message, "party_id": party_id} if "party_id" in push.message else push.message
    return Push(push.method, push.session_id, body, party_id)


def strange(message: dict[str, Any]) -> dict[str, Any]:
    """Fields that OCPI does not know and values that its enums do not have."""
    moonlight = {"type": "MOONLIGHT", "volume": Decimal("0.5")}
    periods = [{**p, "dimensions": [*p["dimensions"], moonlight]} for p in message.get("charging_periods", [])]
    changes: dict[str, Any] = {"auth_method": "TELEPATHY", "x_mood": {"colour": "mauve", "depth": 3}}
    return changes | ({"charging_periods": periods} if periods else {})
