"""Life of a reservation, told by what its CPO answers to RESERVE_NOW and CANCEL_RESERVATION (OCPI 2.2.1 §13). Pure."""

from datetime import datetime
from enum import StrEnum
from typing import Final


class ReservationStatus(StrEnum):
    """``pending``: the CPO's word is awaited. The first three hold the EVSE."""

    PENDING = "pending"
    RESERVED = "reserved"
    CANCELLING = "cancelling"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    USED = "used"
    EXPIRED = "expired"


_S = ReservationStatus
HOLDING: Final = frozenset({_S.PENDING, _S.RESERVED, _S.CANCELLING})


def after_result(status: ReservationStatus, command: str, result: str) -> ReservationStatus:
    """The status after a CommandResult. What is over stays over; TIMEOUT says nothing.

    A CPO may cancel later, on the same ``response_url`` as the first result.
    """
    if status not in HOLDING or result == "TIMEOUT":
        return status
    if command == "CANCEL_RESERVATION":
        is_gone = result in ("ACCEPTED", "CANCELED_RESERVATION", "UNKNOWN_RESERVATION")
        return _S.CANCELLED if is_gone else _S.RESERVED
    if result == "CANCELED_RESERVATION":
        return _S.CANCELLED
    if status is not _S.PENDING:
        return status
    return _S.RESERVED if result == "ACCEPTED" else _S.REJECTED


def status_at(status: ReservationStatus, expires_at: datetime, now: datetime) -> ReservationStatus:
    """The status as it is at ``now``: one that still holds its EVSE after its time has expired."""
    return _S.EXPIRED if status in HOLDING and expires_at <= now else status
