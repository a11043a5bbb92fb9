"""The columns of a session by which it is priced, and the ``Terms`` that they make."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select

from charging.store.tables import connections, sessions
from charging.tariffs.live import Terms, read_terms
from charging.tariffs.rules import rules_of


def _of_connection(name: str) -> Any:
    # Not a join: who locks sessions must not lock what all sessions of a CPO share.
    column = select(connections.c[name]).where(connections.c.id == sessions.c.connection_id)
    return column.correlate(sessions).scalar_subquery().label(name)


TERMS_COLUMNS: Final = (
    sessions.c.tariff,
    sessions.c.time_zone,
    _of_connection("version"),
    _of_connection("tariff_rules"),
    _of_connection("pauses_are_parking"),
)


def terms_of_values(values: Sequence[Any]) -> Terms | None:
    """The terms that these values of ``TERMS_COLUMNS`` make; None: the price is unknown."""
    tariff, time_zone, version, differing, pauses_are_parking = values
    return read_terms(tariff, time_zone, rules_of(version, differing), pauses_are_parking=bool(pauses_are_parking))
