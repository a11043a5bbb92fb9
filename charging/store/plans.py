"""The plans that a session had, and its metered curve beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from charging.session.profile import ChargingPlan, PlanRecord, PlanState
from charging.store.engine import Database
from charging.store.tables import meter_points, plan_revisions


@dataclass(frozen=True)
class MeterPoint:
    """The meter of a session with a departure at one moment, by our clock: kWh, and kW where the CPO tells."""

    at: datetime
    kwh: Decimal
    power_kw: Decimal | None


class PlanStore:
    """Reads plans and metered curves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revisions(self, session_id: str) -> Sequence[PlanRecord]:
        """All plans of a session, the first one first."""
        query = select(plan_revisions.c.plan, plan_revisions.c.state)
        of_session = query.where(plan_revisions.c.session_id == session_id).order_by(plan_revisions.c.revision)
        async with self._database.read() as store:
            rows = (await store.execute(of_session)).all()
        return [PlanRecord(plan=ChargingPlan.model_validate(plan), state=PlanState(state)) for plan, state in rows]

    async def metered(self, session_id: str) -> Sequence[MeterPoint]:
        """The metered curve of a session, in order of time: about a point a minute, and one at each change of power."""
        columns = (meter_points.c.at, meter_points.c.kwh, meter_points.c.power_kw)
        query = select(*columns).where(meter_points.c.session_id == session_id).order_by(meter_points.c.at)
        async with self._database.read() as store:
            return [MeterPoint(*row) for row in await store.execute(query)]
