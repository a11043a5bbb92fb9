"""How this CPO plans by itself from what a driver wants (OCPI 2.2.1 §9.3.2). Pure.

A simple rule: whoever wants it cheap or green charges in the hours that its tariff makes cheap, if these suffice until
the departure, and at once if not. Everybody else charges at once.
"""

from datetime import datetime, timedelta

from charging.ocpi.models import ChargingPreferences
from charging.sandbox.limits import Limits, Step
from charging.sandbox.pricing import next_price_change
from charging.sandbox.station import ChargingSession

TYPES = frozenset({"CHEAP", "FAST", "GREEN", "REGULAR"})
PATIENT = frozenset({"CHEAP", "GREEN"})


def answer(session: ChargingSession, wanted: ChargingPreferences, now: datetime) -> str:
    """The ChargingPreferencesResponse (§9.4.1)."""
    if wanted.profile_type not in TYPES:
        return "PROFILE_TYPE_NOT_SUPPORTED"
    if wanted.profile_type in PATIENT and wanted.departure_time is None:
        return "DEPARTURE_REQUIRED"
    if wanted.profile_type in PATIENT and wanted.energy_need is None:
        return "ENERGY_NEED_REQUIRED"
    if wanted.profile_type in PATIENT and _most_kwh(session, [(now, _departure(wanted, now))]) < _need(wanted):
        return "NOT_POSSIBLE"
    return "ACCEPTED"


def plan(session: ChargingSession, wanted: ChargingPreferences, now: datetime) -> Limits:
    """When the car is paused; after the departure never."""
    if wanted.profile_type not in PATIENT:
        return Limits()
    departure = _departure(wanted, now)
    stretches = _stretches(now, departure)
    price = session.outlet.tariff.energy_price
    lowest = min((price(start) for start, _ in stretches), default=None)
    cheap = [stretch for stretch in stretches if price(stretch[0]) == lowest]
    if _most_kwh(session, cheap) < _need(wanted):
        return Limits()
    steps = [Step(at=start, kw=None if (start, end) in cheap else 0.0) for start, end in stretches]
    return Limits(steps=(*steps, Step(at=departure, kw=None)))


def _departure(wanted: ChargingPreferences, now: datetime) -> datetime:
    return max(wanted.departure_time or now, now)


def _need(wanted: ChargingPreferences) -> float:
    return float(wanted.energy_need or 0)


def _stretches(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """From ``start`` to ``end``, cut where the price changes."""
    found = []
    while start < end:
        change = min(next_price_change(start), end)
        found.append((start, change))
        start = change
    return found


def _most_kwh(session: ChargingSession, stretches: list[tuple[datetime, datetime]]) -> float:
    """What the car could take in ``stretches``, but for its taper."""
    hours = sum((end - start for start, end in stretches), timedelta()) / timedelta(hours=1)
    return min(session.outlet.max_kw, session.car.max_ac_kw) * session.speed * hours
