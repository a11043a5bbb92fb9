"""The meter columns of a session's row, and the ``Meter`` that they make."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row

from charging.session.model import Meter
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
    sessions.c.final_kwh,
)


# The field of a Meter that each of them is.
_FIELDS: Final = tuple(
    {"meter_seq": "seq", "cpo_ended_at": "ended_at"}.get(column.name, column.name.removeprefix("meter_"))
    for column in METER_COLUMNS
)


def meter_of(row: Row[*tuple[Any, ...]]) -> Meter:
    """The meter that ``row`` (with ``METER_COLUMNS`` among its columns) holds."""
    return meter_of_values([row._mapping[column] for column in METER_COLUMNS])


def meter_of_values(values: Sequence[Any]) -> Meter:
    """The meter that these values of ``METER_COLUMNS`` make."""
    return Meter(**dict(zip(_FIELDS, values, strict=True)))
