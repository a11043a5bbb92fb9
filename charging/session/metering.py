"""How the stored meter follows what the CPO says: energy and cost never fall, nor leap beyond physics. Pure.

Energy kWh, power kW, cost in the session's currency, time aware UTC.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from charging.session.model import CpoStatus, Meter, SessionSpec

TOLERANCE: Final = Decimal("1.1")  # chargers deliver a little more than their plate says
CLOCK_ERROR: Final = timedelta(minutes=5)  # a CPO's clock may be wrong by so much
FUTURE: Final = timedelta(hours=24)  # and no clock by more than so much
FLAT: Final = timedelta(seconds=60)  # energy that did not rise for so long means no power
_HOUR: Final = 3600


@dataclass(frozen=True)
class Reading:
    """What a CPO's Session says. ``cost`` is its running total incl. VAT where it tells, in ``currency``.

    None: it says nothing about it, or nothing that we know. ``updated_at`` is the CPO's ``last_updated``.
    ``has_absurd_number``: it says something that no session can have, which is left out here.
    """

    updated_at: datetime
    status: CpoStatus | None = None
    kwh: Decimal | None = None
    cost: Decimal | None = None
    currency: str | None = None
    power_kw: Decimal | None = None
    state_of_charge: Decimal | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    has_absurd_number: bool = False


class Anomaly(StrEnum):
    """What a CPO's meter must not do. Each becomes an event that people can see."""

    ENERGY_FELL = "energy_fell"  # also: is negative
    ENERGY_LEAPT = "energy_leapt"
    COST_FELL = "cost_fell"
    OTHER_CURRENCY = "other_currency"
    ABSURD_NUMBER = "absurd_number"


def advance(meter: Meter, reading: Reading, spec: SessionSpec, received_at: datetime) -> tuple[Meter, set[Anomaly]]:
    """``meter`` after ``reading``, and what was wrong with it. ``seq`` rises only where something changed.

    A leap is energy that the charger cannot have delivered since the energy last rose: at full power
    (``power_factor`` included), plus a tenth, plus five minutes of clock error. Neither it nor the cost beside it is
    believed; since the bound grows with time, a true value is believed as soon as it can be true.
    """
    # A clock that is days ahead would be believed for days.
    reading = replace(reading, updated_at=min(reading.updated_at, received_at + FUTURE))
    anomalies = _anomalies(meter, reading, spec, received_at)
    kwh = meter.kwh
    if reading.kwh is not None and Anomaly.ENERGY_LEAPT not in anomalies:
        kwh = max(kwh, reading.kwh)
    rose = kwh > meter.kwh
    after = meter.model_copy(
        update={
            # A word that nobody knows takes nothing back, and there is a Session of which it was said.
            "cpo_status": reading.status or meter.cpo_status or CpoStatus.PENDING,
            "kwh": kwh,
            "cost": _cost(meter, reading, kwh, anomalies),
            "power_kw": _power(meter, reading, kwh, anomalies, spec),
            "state_of_charge": meter.state_of_charge if reading.state_of_charge is None else reading.state_of_charge,
            "started_at": _started_at(meter, reading),
            "ended_at": _ended_at(meter, reading),
            "updated_at": max(reading.updated_at, meter.updated_at or reading.updated_at),
            "kwh_changed_at": reading.updated_at if rose else meter.kwh_changed_at,
        }
    )
    changes = {"received_at": received_at, "seq": meter.seq + (after != meter)}
    return after.model_copy(update=changes), anomalies


def charging_since(started_at: datetime, ordered_at: datetime) -> datetime:
    """When a session that was ordered at ``ordered_at`` began, by its CPO's ``started_at``.

    Nothing is charged before it is ordered, but for a clock that is wrong by at most ``FUTURE``: a start that lies
    further back is none.
    """
    return started_at if started_at >= ordered_at - FUTURE else ordered_at


def has_missed_active(meter: Meter) -> bool:
    """Whether energy flows in a Session that is not ACTIVE yet: the push that said so was lost.

    The updates that follow need not carry ``status``, and OCPI wants nothing repeated that was missed.
    """
    return meter.kwh > 0 and meter.cpo_status in (CpoStatus.PENDING, CpoStatus.RESERVATION)


def _anomalies(meter: Meter, reading: Reading, spec: SessionSpec, received_at: datetime) -> set[Anomaly]:
    found = set()
    if reading.kwh is not None and reading.kwh < meter.kwh:
        found.add(Anomaly.ENERGY_FELL)
    if reading.kwh is not None and reading.kwh > _ceiling(meter, reading, spec, received_at):
        found.add(Anomaly.ENERGY_LEAPT)
    if reading.cost is not None and reading.currency not in (None, spec.currency.upper()):
        found.add(Anomaly.OTHER_CURRENCY)
    elif reading.cost is not None and reading.cost < (meter.cost or Decimal(0)):
        found.add(Anomaly.COST_FELL)
    if reading.has_absurd_number:
        found.add(Anomaly.ABSURD_NUMBER)
    return found


def _ceiling(meter: Meter, reading: Reading, spec: SessionSpec, received_at: datetime) -> Decimal:
    since = charging_since(meter.kwh_changed_at or reading.started_at or spec.created_at, spec.created_at)
    # The longer of two clocks: some CPOs never bump last_updated, others deliver an hour of pushes at once.
    ours = received_at - (meter.received_at or spec.created_at)
    elapsed = max(reading.updated_at - since, ours, timedelta())
    full = spec.max_power_kw * _hours(elapsed) * spec.power_factor * TOLERANCE
    return meter.kwh + full + spec.max_power_kw * _hours(CLOCK_ERROR)


def _cost(meter: Meter, reading: Reading, kwh: Decimal, anomalies: set[Anomaly]) -> Decimal | None:
    doubtful = {Anomaly.ENERGY_LEAPT, Anomaly.COST_FELL, Anomaly.OTHER_CURRENCY}
    cost = meter.cost if reading.cost is None or anomalies & doubtful else reading.cost
    # 0.00 is free (OCPI 2.2.1 §9.3.1), but some CPOs say it until they have rated: of a car that charges or has charged
    # only a tariff tells, and what was estimated by it is not taken back.
    charges = kwh > 0 or reading.status is CpoStatus.ACTIVE
    is_final = reading.status is CpoStatus.COMPLETED and not meter.estimate
    return None if cost == 0 and charges and not is_final else cost


def _power(meter: Meter, reading: Reading, kwh: Decimal, anomalies: set[Anomaly], spec: SessionSpec) -> Decimal | None:
    if reading.status is CpoStatus.COMPLETED:
        return Decimal(0)
    if anomalies & {Anomaly.ENERGY_LEAPT, Anomaly.ENERGY_FELL}:
        return meter.power_kw
    # A zero beside risen energy is a period that is not over yet. Robots unplug at zero: never believe it then.
    if reading.power_kw is not None and (reading.power_kw > 0 or kwh == meter.kwh):
        return reading.power_kw
    return _slope(meter, reading, kwh, spec)


def _slope(meter: Meter, reading: Reading, kwh: Decimal, spec: SessionSpec) -> Decimal | None:
    since = meter.kwh_changed_at or reading.started_at
    elapsed = reading.updated_at - charging_since(since, spec.created_at) if since else timedelta()
    if reading.status is not CpoStatus.ACTIVE or elapsed <= timedelta():
        return meter.power_kw
    if kwh == meter.kwh:
        return Decimal(0) if elapsed >= FLAT else meter.power_kw
    return round((kwh - meter.kwh) / _hours(elapsed), 3)


def _started_at(meter: Meter, reading: Reading) -> datetime | None:
    # While PENDING it is the moment of creation; charging starts when it becomes ACTIVE (OCPI 2.2.1 §9.3.1).
    runs = reading.status in (CpoStatus.ACTIVE, CpoStatus.COMPLETED)
    return reading.started_at or meter.started_at if runs else meter.started_at


def _ended_at(meter: Meter, reading: Reading) -> datetime | None:
    if reading.status is None or not reading.status.is_final:
        return meter.ended_at
    return reading.ended_at or meter.ended_at or reading.updated_at


def _hours(time: timedelta) -> Decimal:
    return Decimal(str(time.total_seconds())) / _HOUR
