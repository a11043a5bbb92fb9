"""The receipt: what a session cost, said exactly as the CPO's bill says it (``GET /v1/sessions/{id}/receipt``)."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from charging.money import round_money
from charging.payments.bill import Bill, BilledSession, incl_of
from charging.payments.cdr import PARTS, Cdr, Price
from charging.tariffs.rating import Line

_DUST: Final = Decimal("0.000001")


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
    """One dimension of the bill: FLAT, ENERGY (kWh), TIME (h), PARKING_TIME (h), RESERVATION, OTHER, CREDIT, REJECTED.

    ``vat`` and ``incl_vat`` are null where the CPO gave none. OTHER is what the total holds beyond its parts; CREDIT
    and REJECTED take all of it back.
    """

    dimension: str
    volume: Decimal | None = None
    unit: Literal["kWh", "h"] | None = None
    excl_vat: Decimal
    vat: Decimal | None = None
    incl_vat: Decimal | None = None


class ReceiptItem(_Frozen):
    """What one price of the tariff comes to, by our arithmetic: ``billed_volume`` (kWh, h or times) * ``price``.

    ``element`` is its place in the Tariff, from 1; ``why`` says when it holds and what ``step_size`` added; ``vat`` is
    in %, null where the tariff gives none.
    """

    dimension: str
    tariff_id: str
    element: int
    volume: Decimal
    billed_volume: Decimal
    price: Decimal
    vat: Decimal | None
    excl_vat: Decimal | None
    incl_vat: Decimal | None
    why: str


class Audit(_Frozen):
    """What we found of the bill: ``match``, ``mismatch``, or ``unverifiable`` where there is nothing to check it by.

    ``decision`` is a person's, where one was asked.
    """

    verdict: Literal["match", "mismatch", "unverifiable"]
    differences: list[str] = []
    decision: Literal["accepted", "rejected"] | None = None


class Receipt(_Frozen):
    """All that a user, a robot's owner and an accountant need of one session.

    ``energy_kwh`` and ``cost`` (incl. VAT where the CPO gives it) equal the CDR as decimals; ``amount_due`` is the
    cost rounded once to the currency's minor unit, and is what payments move. ``lines`` are the CPO's and add up to
    the cost; ``items`` are ours, by the tariff, and empty where nobody can tell. ``version`` grows when the set of
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
    items: list[ReceiptItem] = []
    cdr_ids: list[str]
    started_at: datetime | None
    ended_at: datetime | None
    audit: Audit
    version: int = 1


def make_receipt(session: BilledSession, bill: Bill, *, status: PaymentStatus, version: int) -> Receipt | None:
    """The receipt of ``bill``; None where no CDR counts yet. A credited session keeps its energy and costs 0.

    So does one whose CDR a person has rejected.
    """
    cdr = bill.last
    if cdr is None:
        return None
    taken_back = "REJECTED" if bill.last_key in bill.rejected else "CREDIT"
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
        lines=_lines(cdr) + ([] if bill.in_force else [_line(taken_back, -cdr.total)]),
        items=[_item(line) for line in bill.rating.lines] if bill.rating else [],
        cdr_ids=list(bill.cdr_ids),
        started_at=cdr.started_at,
        ended_at=cdr.ended_at,
        audit=_audit(bill),
        version=version,
    )


def _item(line: Line) -> ReceiptItem:
    return ReceiptItem(
        dimension=line.dimension,
        tariff_id=line.tariff_id,
        element=line.element,
        volume=_fine(line.volume),
        billed_volume=_fine(line.billed_volume),
        price=line.price,
        vat=line.vat,
        excl_vat=None if line.amount.excl is None else _fine(line.amount.excl),
        incl_vat=None if line.amount.incl is None else _fine(line.amount.incl),
        why=line.why,
    )


def _fine(number: Decimal) -> Decimal:
    """Without the dust of thirds of an hour."""
    return number.quantize(_DUST) if number != number.quantize(_DUST) else number


def _audit(bill: Bill) -> Audit:
    assert bill.last_key is not None  # noqa: S101 - there is no receipt without a CDR
    key, found = bill.last_key, bill.audits[bill.last_key]
    decision: Literal["accepted", "rejected"] | None = (
        "accepted" if key in bill.accepted else "rejected" if key in bill.rejected else None
    )
    return Audit(verdict=found.verdict, differences=[each.detail for each in found.differences], decision=decision)


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
