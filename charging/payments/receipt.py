"""The receipt: what a session cost, said exactly as the CPO's bill says it (``GET /v1/sessions/{id}/receipt``)."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from charging.money import round_money
from charging.payments.bill import Audit, Bill, BilledSession, audit, incl_of
from charging.payments.cdr import PARTS, Cdr, Price


class PaymentStatus(StrEnum):
    """What became of the money of one session."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"
    NOT_REQUIRED = "not_required"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReceiptLine(_Frozen):
    """One dimension of the bill: FLAT, ENERGY (kWh), TIME (h), PARKING_TIME (h), RESERVATION, OTHER or CREDIT.

    ``vat`` and ``incl_vat`` are null where the CPO gave none. OTHER is what the total holds beyond its parts.
    """

    dimension: str
    volume: Decimal | None = None
    unit: Literal["kWh", "h"] | None = None
    excl_vat: Decimal
    vat: Decimal | None = None
    incl_vat: Decimal | None = None


class Receipt(_Frozen):
    """All that a user, a robot's owner and an accountant need of one session.

    ``energy_kwh`` and ``cost`` (incl. VAT where the CPO gives it) equal the CDR as decimals; ``amount_due`` is the
    cost rounded once to the currency's minor unit, and is what payments move. ``version`` grows when the set of
    CDRs behind it does; a payment that changes its status does not make a new version.
    """

    session_id: str
    network: str
    evse_id: str
    energy_kwh: Decimal
    duration_minutes: int
    cost: Decimal
    currency: str
    payment_status: PaymentStatus
    amount_due: Decimal
    lines: list[ReceiptLine]
    cdr_ids: list[str]
    started_at: datetime | None
    ended_at: datetime | None
    audit: Audit
    version: int = 1


def make_receipt(session: BilledSession, bill: Bill, *, status: PaymentStatus, version: int) -> Receipt | None:
    """The receipt of ``bill``; None where no CDR counts yet. A credited session keeps its energy and costs 0."""
    cdr = bill.last
    if cdr is None:
        return None
    return Receipt(
        session_id=session.session_id,
        network=session.network,
        evse_id=session.evse_id,
        energy_kwh=cdr.energy_kwh,
        duration_minutes=cdr.duration_minutes,
        cost=bill.cost,
        currency=bill.currency,
        payment_status=status,
        amount_due=round_money(bill.cost, bill.currency),
        lines=_lines(cdr) + ([] if bill.in_force else [_line("CREDIT", -cdr.total)]),
        cdr_ids=list(bill.cdr_ids),
        started_at=cdr.started_at,
        ended_at=cdr.ended_at,
        audit=audit(cdr),
        version=version,
    )


def _lines(cdr: Cdr) -> list[ReceiptLine]:
    """One line for each part of the bill, and OTHER for what is left, so that the lines add up to the total."""
    parts = cdr.parts.values()
    charging_h = None if cdr.time_h is None else cdr.time_h - (cdr.parking_h or 0)
    volumes = {"ENERGY": cdr.energy_kwh, "TIME": charging_h, "PARKING_TIME": cdr.parking_h}
    lines = [_line(kind, cdr.parts[kind], volumes.get(kind)) for kind in PARTS if kind in cdr.parts]
    incl = incl_of(parts)
    rest = Price(
        cdr.total.excl - sum(part.excl for part in parts),
        None if incl is None or cdr.total.incl is None else cdr.total.incl - incl,
    )
    return [*lines, _line("OTHER", rest)] if rest.excl or rest.incl else lines


def _line(kind: str, price: Price, volume: Decimal | None = None) -> ReceiptLine:
    return ReceiptLine(
        dimension=kind,
        volume=volume,
        unit=None if volume is None else "kWh" if kind == "ENERGY" else "h",
        excl_vat=price.excl,
        vat=None if price.incl is None else price.incl - price.excl,
        incl_vat=price.incl,
    )
