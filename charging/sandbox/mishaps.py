"""How a fault changes a push: one message becomes none, another, or several. Pure."""

from datetime import timedelta
from decimal import Decimal

from charging.ocpi import wire
from charging.sandbox.faults import Fault
from charging.sandbox.pusher import Push
from charging.sandbox.strange import strange


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
    before = wire.parse_datetime(push.message["last_updated"]) - timedelta(hours=1)
    return push.with_changes(last_updated=wire.format_datetime(before), kwh=Decimal(0), status="ACTIVE")


def _kwh(fault: Fault, metered: Decimal | int) -> Decimal:
    told = Decimal(metered) if fault.kwh is None else Decimal(str(fault.kwh))
    return told + Decimal(str(fault.add_kwh or 0))


def _of_another_party(push: Push, party_id: str) -> Push:
    body = {**push.message, "party_id": party_id} if "party_id" in push.message else push.message
    return Push(push.method, push.session_id, body, party_id)
