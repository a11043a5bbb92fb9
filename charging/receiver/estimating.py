"""Our estimate of a session's cost at each push, where the CPO names no total. It never falls."""

from datetime import datetime
from decimal import Decimal

from charging.session.metering import charging_since
from charging.session.model import Meter
from charging.store.cpo_sessions import OwnSession
from charging.store.terms import terms_of_values
from charging.tariffs.live import Reading, Terms, live_cost


def estimate_after(own: OwnSession, meter: Meter, received_at: datetime) -> Decimal | None:
    """The estimate beside ``meter``, which was ``own.meter`` until ``received_at``. None: the price is unknown."""
    if meter.cost is not None or meter.started_at is None or meter.updated_at is None:
        return own.meter.estimate
    terms = terms_of_values(own.terms)
    if terms is None:
        return own.meter.estimate
    candidates = [own.meter.estimate, _cost(own, terms, meter, meter.ended_at or meter.updated_at)]
    if meter.ended_at is None and terms.grow_with_time:
        candidates.append(_cost(own, terms, own.meter, received_at))  # so much may have been told by now
    return max((cost for cost in candidates if cost is not None), default=None)


def _cost(own: OwnSession, terms: Terms, meter: Meter, at: datetime) -> Decimal | None:
    if meter.started_at is None or meter.updated_at is None:
        return None
    changed_at = meter.kwh_changed_at
    started_at = charging_since(meter.started_at, own.spec.created_at)
    reading = Reading(meter.kwh, meter.power_kw, started_at, meter.updated_at, changed_at, own.profile)
    cost = live_cost(terms, reading, at)
    return None if cost is None else cost.so_far
