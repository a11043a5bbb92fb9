"""The meter columns of a session's row, and the ``Meter`` that they make."""

from typing import Any, Final

from sqlalchemy import Row

from charging.session.model import CpoStatus, Meter
from charging.store.tables import sessions

METER_COLUMNS: Final = (
    sessions.c.meter_seq,
    sessions.c.ocpi_session_id,
    sessions.c.cpo_status,
    sessions.c.kwh,
    sessions.c.cost,
    sessions.c.estimate,
    sessions.c.power_kw,
    sessions.c.state_of_charge,
    sessions.c.started_at,
    sessions.c.cpo_ended_at,
    sessions.c.meter_updated_at,
    sessions.c.meter_received_at,
    sessions.c.kwh_changed_at,
)


def meter_of(row: Row[*tuple[Any, ...]]) -> Meter:
    """The meter that ``row`` (with ``METER_COLUMNS``) holds."""
    return Meter(
        seq=row.meter_seq,
        ocpi_session_id=row.ocpi_session_id,
        cpo_status=CpoStatus(row.cpo_status) if row.cpo_status else None,
        kwh=row.kwh,
        cost=row.cost,
        estimate=row.estimate,
        power_kw=row.power_kw,
        state_of_charge=row.state_of_charge,
        started_at=row.started_at,
        ended_at=row.cpo_ended_at,
        updated_at=row.meter_updated_at,
        received_at=row.meter_received_at,
        kwh_changed_at=row.kwh_changed_at,
    )
