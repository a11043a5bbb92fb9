"""A session in OCPI's words: Session (OCPI 2.2.1 §9.3.1) and CDR (§10.3.1). Pure; decimals and datetimes stay so."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from charging.sandbox.locations import CHARGERS, COUNTRY_CODE, LOCATION_ID, PARTY_ID, cdr_location_object
from charging.sandbox.pricing import CURRENCY, period_object, tariff_object
from charging.sandbox.records import Invoice
from charging.sandbox.station import ChargingSession, State

Message = dict[str, Any]


def session_object(session: ChargingSession) -> Message:
    """The whole Session: its periods so far, and in the last one of a live session what flows now."""
    message = {
        "country_code": COUNTRY_CODE,
        "party_id": PARTY_ID,
        "id": session.id,
        "start_date_time": session.started_at or session.created_at,
        "end_date_time": session.ended_at,
        "kwh": _kwh(session.wh),
        "cdr_token": session.token,
        "auth_method": session.auth_method,
        "authorization_reference": session.authorization_reference,
        "location_id": LOCATION_ID,
        "evse_uid": session.evse_uid,
        "connector_id": session.connector_id,
        "meter_id": f"METER-{session.evse_uid}",
        "currency": CURRENCY,
        "charging_periods": _periods(session),
        "total_cost": session.bill().total.wire(),
        "status": session.state.value,
        "last_updated": session.last_updated,
    }
    return {key: value for key, value in message.items() if value is not None}


def _periods(session: ChargingSession) -> list[Message]:
    if not session.marks:
        return []
    periods = [period_object(period, session.outlet.tariff.id) for period in session.bill().periods]
    if session.state is State.ACTIVE:
        periods[-1]["dimensions"] += _present(session)
    return periods


def session_patch(session: ChargingSession) -> Message:
    """What changed since the eMSP was last told. The receiver appends the period (OCPI 2.2.1 §9.2.2.2)."""
    since = session.told_at or session.started_at or session.created_at
    energy = {"type": "ENERGY", "volume": _kwh(session.wh - session.told_wh)}
    period = {
        "start_date_time": since,
        "dimensions": [energy, *_present(session)],
        "tariff_id": session.outlet.tariff.id,
    }
    return {
        "kwh": _kwh(session.wh),
        "charging_periods": [period],
        "total_cost": session.bill().total.wire(),
        "last_updated": session.last_updated,
    }


def _present(session: ChargingSession) -> list[Message]:
    return [
        {"type": "POWER", "volume": _rounded(session.power_kw, "0.001")},
        {"type": "STATE_OF_CHARGE", "volume": _rounded(session.soc * 100, "0.1")},
    ]


def cdr_object(session: ChargingSession, cdr_id: str, now: datetime) -> Message:
    """The CDR of a session that is over. Its energy is the meter's, its cost the sum of its periods'."""
    outlet, bill = session.outlet, session.bill()
    tariff = tariff_object(outlet.tariff, COUNTRY_CODE, PARTY_ID, session.created_at)
    message = {
        "country_code": COUNTRY_CODE,
        "party_id": PARTY_ID,
        "id": cdr_id,
        "start_date_time": session.started_at or session.created_at,
        "end_date_time": session.ended_at,
        "session_id": session.id,
        "cdr_token": session.token,
        "auth_method": session.auth_method,
        "authorization_reference": session.authorization_reference,
        "cdr_location": cdr_location_object(CHARGERS[session.evse_uid], outlet),
        "meter_id": f"METER-{session.evse_uid}",
        "currency": CURRENCY,
        "tariffs": [tariff],
        "charging_periods": [period_object(period, outlet.tariff.id) for period in bill.periods],
        "total_cost": bill.total.wire(),
        "total_energy": bill.energy_kwh,
        "total_energy_cost": bill.energy_cost.wire(),
        "total_time": bill.hours,
        "total_parking_time": bill.parking_hours,
        "total_parking_cost": None if bill.parking_cost is None else bill.parking_cost.wire(),
        "last_updated": now,
    }
    return {key: value for key, value in message.items() if value is not None}


def credit_object(cdr: Message, credit_id: str) -> Message:
    """The CDR that takes ``cdr`` back: all the same, but for the total, which is negative (OCPI 2.2.1 §10.2.1.1)."""
    negative = {name: -amount for name, amount in cdr["total_cost"].items()}
    return {**cdr, "id": credit_id, "credit": True, "credit_reference_id": cdr["id"], "total_cost": negative}


def invoice_object(invoice: Invoice) -> Message:
    """Which CDRs an invoice is about: an InvoiceReconciliationRecord (OCPI 2.3.0)."""
    return {
        "country_code": COUNTRY_CODE,
        "party_id": PARTY_ID,
        "id": invoice.id,
        "invoice_id": invoice.invoice_id,
        "cdrs": invoice.cdrs,
        "last_updated": invoice.at,
    }


def _kwh(wh: int) -> Decimal:
    return Decimal(wh) / 1000


def _rounded(number: float, unit: str) -> Decimal:
    return Decimal(number).quantize(Decimal(unit), ROUND_HALF_UP)
