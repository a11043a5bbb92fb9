"""``Scheduler``: reads what planning needs from the store and has the plan made (docs/adr/0008)."""

import asyncio
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import select

from charging.ocpi.evse_id import EvseConnector
from charging.planning.caution import Caution
from charging.planning.departure import Facts, Prices, departure_plan
from charging.planning.replanning import replanned
from charging.planning.sending import Conversion
from charging.session.model import Policy, SessionSpec
from charging.session.profile import ChargingPlan, PlanOrder, ProfileWish
from charging.store.curves import CurveStore
from charging.store.engine import Database
from charging.store.evse_match import EvseMatch
from charging.store.tables import connections, sessions
from charging.tariffs.estimate import tariff_currency
from charging.tariffs.rules import TariffRules, rules_of


class Scheduler:
    """Makes plans for sessions, and previews of plans before any session. Raises ``StoreUnavailable``."""

    def __init__(self, database: Database, curves: CurveStore, policy: Policy) -> None:
        self._database = database
        self._policy = policy
        self._curves = curves

    async def plan_session(self, order: PlanOrder) -> ChargingPlan:
        """The plan for ``order``, by the stored meter and the prices of the session.

        The plan in force, with its own revision, where a new one is not worth it. ``LookupError``: no such session.
        """
        async with self._database.read() as store:
            row = (await store.execute(_SESSION.where(sessions.c.id == order.session_id))).first()
        if row is None:
            raise LookupError(f"no session {order.session_id}")
        spec = SessionSpec.model_validate(row.spec)
        facts = Facts(
            max_power_kw=spec.max_power_kw,
            need_kwh=spec.need_kwh,
            kwh=row.kwh,
            started_at=row.started_at,
            power_factor=spec.power_factor,
            taken_kw=order.taken_kw,
            prices=_of_tariff(row.tariff, row.time_zone, rules_of(row.version, row.tariff_rules)),
            pause_kw=_pause_kw(_conversion_of(spec), order.wish) if row.hold_minimum else Decimal(0),
            pauses_are_parking=row.pauses_are_parking,
            bridge_s=spec.policy.bridge_s,
            caution=_caution(spec.policy),
        )
        facts = await self._priced(facts, spec.connection_id, spec.location_id, order.wish, order.now)
        if order.in_force is not None:
            plan = replanned(order.in_force, facts, order.now, spec.policy)
            if plan.starts_at == order.in_force.starts_at:  # a new plan has no revision of its own yet
                return plan
        else:
            plan = departure_plan(order.wish, facts, order.now)
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
        connection = match.connection
        conversion = Conversion(unit=connector.rate_unit, phases=connector.phases, voltage=connector.voltage)
        facts = Facts(
            max_power_kw=connector.max_power_w / 1000,
            need_kwh=need_kwh,
            power_factor=connection.power_factor,
            prices=_of_tariff(match.tariff_of(connector, now), match.time_zone, connection.tariff_rules),
            pause_kw=_pause_kw(conversion, wish) if connection.hold_minimum else Decimal(0),
            pauses_are_parking=connection.pauses_are_parking,
            bridge_s=self._policy.bridge_s,
            caution=_caution(self._policy),
        )
        facts = await self._priced(facts, connection.id, match.location_id, wish, now)
        # A hard one takes up to 200 ms, in which others want their status.
        return await asyncio.to_thread(departure_plan, wish, facts, now)

    async def _priced(
        self, facts: Facts, connection_id: str, location_id: str, wish: ProfileWish, now: datetime
    ) -> Facts:
        """``facts`` with the curves for this Location, which go before its tariff."""
        if wish.departure_time is None or wish.departure_time <= now or facts.need_kwh is None:
            return facts
        curves = await self._curves.closest(connection_id, location_id)
        price, carbon = curves.get("price"), curves.get("carbon")
        prices = Prices(price.name, price.slots, currency=price.currency) if price else facts.prices
        return replace(facts, prices=prices, carbon=carbon.slots if carbon else None)


def _caution(policy: Policy) -> Caution:
    return Caution(policy.probe_s, policy.ready_before_s, policy.ready_before_share)


_SESSION: Final = select(
    *(sessions.c[name] for name in ("spec", "tariff", "time_zone", "kwh", "started_at")),
    connections.c.hold_minimum,
    connections.c.pauses_are_parking,
    connections.c.version,
    connections.c.tariff_rules,
).join(connections, connections.c.id == sessions.c.connection_id)


def _conversion_of(spec: SessionSpec) -> Conversion:
    """How limits of this session's connector are written."""
    return Conversion(unit=spec.rate_unit, phases=spec.phases, voltage=spec.voltage)


def _of_tariff(tariff: dict[str, Any] | None, time_zone: str | None, rules: TariffRules) -> Prices:
    if tariff is None:
        return Prices()
    currency = tariff_currency(tariff)
    return Prices("tariff", tariff=tariff, rules=rules, time_zone=time_zone or "UTC", currency=currency)


def _pause_kw(conversion: Conversion, wish: ProfileWish) -> Decimal:
    return conversion.least_w(wish.min_charge_rate_kw) / 1000
