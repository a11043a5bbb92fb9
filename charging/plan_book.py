"""All that is known of a session's plans: the one that counts, earlier ones, what was metered, and the prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from sqlalchemy import select

from charging.planning.departure import Prices
from charging.planning.price_line import price_line
from charging.planning.request import PriceSlot
from charging.session.model import SessionSpec
from charging.session.profile import ChargingPlan, PlanRecord, PlanState
from charging.store.curves import CurveStore
from charging.store.engine import Database
from charging.store.plans import MeterPoint, PlanStore
from charging.store.tables import sessions


@dataclass(frozen=True)
class PastPlan:
    """A plan that does not count any more, and the one that was made after it, if any."""

    record: PlanRecord
    next: PlanRecord | None


@dataclass(frozen=True)
class PlanBook:
    """``current``: the plan in force, else the newest one that is still open; None: there is no such plan.

    ``past`` plans and ``metered`` points are in order of time; ``prices`` per kWh, as far as they are known.
    """

    current: PlanRecord | None
    past: Sequence[PastPlan]
    metered: Sequence[MeterPoint]
    prices: Sequence[PriceSlot]
    time_zone: str | None

    def planned_kwh(self, at: datetime) -> Decimal | None:
        """What the meter should have read at ``at``, by the plan of that time."""
        records = [*(past.record for past in self.past), *([self.current] if self.current else [])]
        followed = [record.plan for record in records if record.state is not PlanState.REJECTED]
        begun = [plan for plan in followed if plan.starts_at <= at]
        return as_made(max(begun, key=lambda plan: plan.revision)).expected_kwh(at) if begun else None


class PlanBooks:
    """Reads plan books."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plans = PlanStore(database)
        self._curves = CurveStore(database)

    async def of(self, session_id: str) -> PlanBook:
        """The book of a session. ``LookupError``: no such session."""
        columns = (sessions.c.spec, sessions.c.tariff, sessions.c.time_zone)
        async with self._database.read() as store:
            row = (await store.execute(select(*columns).where(sessions.c.id == session_id))).one_or_none()
        if row is None:
            raise LookupError(f"no session {session_id}")
        spec = SessionSpec.model_validate(row.spec)
        records, metered = await self._plans.revisions(session_id), await self._plans.metered(session_id)
        current = _current(records)
        curve = (await self._curves.closest(spec.connection_id, spec.location_id)).get("price")
        prices = Prices(curve=curve.slots) if curve else Prices(tariff=row.tariff, time_zone=row.time_zone)
        begin, end = _span([record.plan for record in records], metered)
        return PlanBook(
            current=current,
            past=[PastPlan(record, by) for record, by in pairwise([*records, None]) if record and record != current],
            metered=metered,
            prices=price_line(prices, begin, end, spec.max_power_kw),
            time_zone=row.time_zone,
        )


def _current(records: Sequence[PlanRecord]) -> PlanRecord | None:
    """The newest plan, unless it was cleared or refused: then one before it may still be in force."""
    is_open = (PlanState.IN_FORCE, PlanState.PLANNED)
    return next((record for record in reversed(records) if record.state in is_open), None)


def _span(plans: Sequence[ChargingPlan], metered: Sequence[MeterPoint]) -> tuple[datetime, datetime]:
    """From the first plan to the last departure or the last that was metered; nothing where there is no plan."""
    if not plans:
        return datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
    ends = [plan.starts_at + timedelta(seconds=plan.periods[-1].start_period) for plan in plans]
    ends += [plan.wish.departure_time for plan in plans if plan.wish.departure_time is not None]
    return plans[0].starts_at, max([*ends, *(point.at for point in metered[-1:])])


def as_made(plan: ChargingPlan) -> ChargingPlan:
    """The plan as it was at its start, whatever the meter has read since."""
    return plan.model_copy(update={"seen_at": None, "seen_kwh": None})
