"""``LiveCosts``: what running sessions cost by now, where their CPOs do not tell (design: computed when read).

Terms never change while a session runs, so they are read once per session and process; the cost of a session is worked
out once a second at most, however many ask.
"""

from collections import OrderedDict
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, select

from charging.session.costs import RunningCost
from charging.session.metering import charging_since
from charging.session.model import CpoStatus, LiveMeter, Meter
from charging.session.reading import StatusRow, is_unpriced
from charging.store.engine import Database
from charging.store.meter_row import METER_COLUMNS, meter_of_values
from charging.store.quick import QuickRead
from charging.store.tables import sessions
from charging.store.terms import TERMS_COLUMNS, terms_of_values
from charging.tariffs.live import Limit, Reading, Terms, limit_look_at, live_cost

_REMEMBERED: Final = 5_000  # sessions; a Tariff that was read takes some kB
_THIS: Final = sessions.c.id == bindparam("session_id")


class _Known(NamedTuple):
    """Of one session. ``told`` is its cost at (revision, second); the second of the meter where time is free."""

    terms: Terms | None
    limit: Limit
    told: tuple[tuple[int, datetime], RunningCost | None] | None = None


class LiveCosts:
    """One per process. Raises ``StoreUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._terms = QuickRead(database, select(*TERMS_COLUMNS, sessions.c.spec).where(_THIS))
        self._meter = QuickRead(
            database, select(*METER_COLUMNS, sessions.c.profile, sessions.c.created_at).where(_THIS)
        )
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def of(self, row: StatusRow, now: datetime) -> RunningCost | None:
        """What the session costs, by the last whole second. None: its price is unknown, or it is not ours to tell."""
        if not is_unpriced(row) or row.started_at is None or row.meter_updated_at is None:
            return None
        known = await self._of(row.id)
        if known.terms is None:
            return None
        at = row.revision, now.replace(microsecond=0) if known.terms.grow_with_time else row.meter_updated_at
        if known.told is None or known.told[0] != at:
            profile, since = row.profile, charging_since(row.started_at, row.created_at)
            reading = Reading(row.kwh, row.power_kw, since, row.meter_updated_at, row.kwh_changed_at, profile)
            known = known._replace(told=(at, live_cost(known.terms, reading, at[1])))
            self._known[row.id] = known
        return known.told[1] if known.told else None

    async def meter(self, session_id: str, now: datetime) -> LiveMeter:
        """The stored meter with the cost as it is at ``now``. Raises ``LookupError``."""
        values = await self._meter.one(session_id=session_id)
        if values is None:
            raise LookupError(f"no session {session_id}")
        *columns, profile, created_at = values
        meter = meter_of_values(columns)
        reading = _reading(meter, profile, created_at)
        if reading is None:
            return LiveMeter(**dict(meter))
        known = await self._of(session_id)
        if known.terms is None or not known.terms.grow_with_time:
            return LiveMeter(**dict(meter))
        cost = live_cost(known.terms, reading, now)
        estimate = meter.estimate if cost is None else max(cost.so_far, meter.estimate or Decimal(0))
        look_at = limit_look_at(known.terms, reading, known.limit, now)
        return LiveMeter(**{**dict(meter), "estimate": estimate}, look_at=look_at)

    async def _of(self, session_id: str) -> _Known:
        known = self._known.get(session_id)
        if known is None:
            known = self._known[session_id] = await self._read(session_id)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known

    async def _read(self, session_id: str) -> _Known:
        values = await self._terms.one(session_id=session_id)
        if values is None:
            raise LookupError(f"no session {session_id}")
        *terms, spec = values
        need = spec["need_kwh"]
        kw = Decimal(str(spec["max_power_kw"])) * spec["power_factor"]
        limit = Limit(Decimal(str(spec["cost_limit"])), kw, None if need is None else Decimal(str(need)))
        return _Known(terms_of_values(terms), limit)


def _reading(meter: Meter, profile: dict[str, Any] | None, ordered_at: datetime) -> Reading | None:
    """The meter of a transaction that runs, and that its CPO does not price; else None."""
    runs = meter.cpo_status is CpoStatus.ACTIVE and meter.cost is None
    if not runs or meter.started_at is None or meter.updated_at is None:
        return None
    since = charging_since(meter.started_at, ordered_at)
    return Reading(meter.kwh, meter.power_kw, since, meter.updated_at, meter.kwh_changed_at, profile)
