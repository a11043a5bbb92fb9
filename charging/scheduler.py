"""``Scheduler``: reads what planning needs from the store and has the plan made (docs/adr/0008)."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from charging.ocpi.evse_id import EvseConnector
from charging.planning.departure import Facts, Prices, departure_plan
from charging.session.model import SessionSpec
from charging.session.profile import ChargingPlan, PlanOrder, ProfileWish
from charging.store.curves import CurveStore
from charging.store.engine import Database
from charging.store.evse_match import EvseMatch
from charging.store.tables import sessions
from charging.tariffs.estimate import tariff_currency


class Scheduler:
    """Makes plans for sessions, and previews of plans before any session. Raises ``StoreUnavailable``."""

    def __init__(self, database: Database, curves: CurveStore) -> None:
        self._database = database
        self._curves = curves

    async def plan_session(self, order: PlanOrder) -> ChargingPlan:
        """The plan for ``order``, by the stored meter and the prices of the session. ``LookupError``: no session."""
        columns = (sessions.c.spec, sessions.c.tariff, sessions.c.time_zone, sessions.c.kwh)
        async with self._database.read() as store:
            row = (await store.execute(select(*columns).where(sessions.c.id == order.session_id))).first()
        if row is None:
            raise LookupError(f"no session {order.session_id}")
        spec = SessionSpec.model_validate(row.spec)
        tariff = Prices("tariff", None, row.tariff, row.time_zone, spec.currency) if row.tariff else Prices()
        facts = Facts(
            max_power_kw=spec.max_power_kw,
            need_kwh=spec.need_kwh,
            kwh=row.kwh,
            power_factor=spec.power_factor,
            taken_kw=order.taken_kw,
        )
        plan = await self._plan(spec.connection_id, spec.location_id, tariff, facts, order.wish, order.now)
        return plan.model_copy(update={"revision": order.revision, "cause": order.cause, "why": order.why})

    async def preview(
        self,
        match: EvseMatch,
        connector: EvseConnector,
        *,
        need_kwh: Decimal | None,
        wish: ProfileWish,
        now: datetime,
    ) -> ChargingPlan:
        """The plan that a session of ``need_kwh`` at ``connector`` would get at ``now``."""
        tariff = match.tariff_of(connector, now)
        prices = Prices("tariff", None, tariff, match.time_zone, tariff_currency(tariff)) if tariff else Prices()
        facts = Facts(
            max_power_kw=connector.max_power_w / 1000, need_kwh=need_kwh, power_factor=match.connection.power_factor
        )
        return await self._plan(match.connection.id, match.location_id, prices, facts, wish, now)

    async def _plan(
        self, connection_id: str, location_id: str, tariff: Prices, facts: Facts, wish: ProfileWish, now: datetime
    ) -> ChargingPlan:
        departure = wish.departure_time
        if departure is not None and departure > now and facts.need_kwh is not None:
            curves = await self._curves.closest(connection_id, location_id)
            price, carbon = curves.get("price"), curves.get("carbon")
            prices = Prices(price.name, price.slots, currency=price.currency) if price else tariff
            facts = replace(facts, prices=prices, carbon=carbon.slots if carbon else None)
        return departure_plan(wish, facts, now)
