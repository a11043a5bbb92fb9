"""Plans kept true through long nights, on the time-skipping server.

Time is skipped for the workflow; the API and the receiver live in ours. So what the CPO says of its meter at a skipped
hour is written as the receiver would have written it then, and signalled as the inbox does.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from charging import names
from charging.planning.request import PriceSlot
from charging.session.messages import SessionUpdated
from charging.session.model import SessionState
from charging.session.profile import ChargingPlan
from charging.store.curves import CurveStore, StoredCurve
from charging.store.plans import PlanStore
from charging.store.tables import sessions
from tests.peer import answer, tariff
from tests.stack import Stack, running_stack
from tests.waiting import eventually

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

# Without caution hours are easy to tell.
TO_THE_MINUTE: dict[str, Any] = {"probe_s": 0, "ready_before_s": 0, "ready_before_share": 0}
ACCEPTED = answer({"result": "ACCEPTED", "timeout": 30})


class Night:
    """One parked car. Hours count from ``start``, when its Session began."""

    def __init__(self, stack: Stack, environment: WorkflowEnvironment, session_id: str, start: datetime) -> None:
        self.stack, self.environment, self.id, self.start = stack, environment, session_id, start
        self.answered = 0

    @property
    def workflow(self) -> WorkflowHandle[Any, Any]:
        return self.stack.workflow(self.id)

    def at(self, hours: float) -> datetime:
        return self.start + timedelta(hours=hours)

    async def wish(self, **body: Any) -> Any:
        """A wish that the CPO accepts."""
        path = f"/v1/sessions/{self.id}/charging-profile"
        posted = asyncio.create_task(self.stack.api.post(path, json=body))
        await self.result("ACCEPTED")
        answered = await posted
        assert answered.status_code == 200, answered.text
        return answered.json()

    async def result(self, result: str) -> Any:
        """The CPO has the next charging profile, and says so asynchronously; the profile."""
        self.answered += 1
        await eventually(lambda: len(self.stack.cpo.received("SET_PROFILE")) >= self.answered)
        body = self.stack.cpo.received("SET_PROFILE")[self.answered - 1].body
        await self.stack.cpo.send_result(body["response_url"], result)
        return body["charging_profile"]

    async def until(self, hours: float) -> None:
        """Skip to so many hours after the start."""
        while (left := self.at(hours) - await self.environment.get_current_time()) > timedelta():
            await self.environment.sleep(min(left, timedelta(minutes=30)))  # a call has its time-out

    async def meter(self, kwh: float, power_kw: float) -> None:
        """The CPO's meter, now."""
        state, now = await self.state(), await self.environment.get_current_time()
        heard = {"seq": state.meter.seq + 100, "kwh": Decimal(str(kwh)), "power_kw": Decimal(str(power_kw))}
        meter = state.meter.model_copy(update={**heard, "updated_at": now, "received_at": now})
        columns = {"meter_seq": meter.seq, "kwh": meter.kwh, "power_kw": meter.power_kw}
        columns |= {"meter_updated_at": now, "meter_received_at": now}
        async with self.stack.database.write() as store:
            await store.execute(update(sessions).where(sessions.c.id == self.id).values(columns))
        await self.workflow.signal(names.Signal.SESSION_UPDATED, SessionUpdated(meter=meter))

    async def prices(self, *hourly: float) -> None:
        """The price curve that holds from now on: a price for each hour since the start."""
        slots = tuple(
            PriceSlot(start=self.at(n), end=self.at(n + 1), price=Decimal(str(price))) for n, price in enumerate(hourly)
        )
        curve = StoredCurve(name="spot", kind="price", currency="EUR", slots=slots)
        await CurveStore(self.stack.database).put(curve, datetime.now(UTC))

    async def state(self) -> SessionState:
        state: SessionState = await self.workflow.query(names.Query.STATUS, result_type=SessionState)
        return state

    async def plan(self, revision: int) -> ChargingPlan:
        """The plan in force, once it is of this revision."""

        async def in_force() -> ChargingPlan | None:
            plan = (await self.state()).profile.in_force
            return plan if plan is not None and plan.revision == revision else None

        found: ChargingPlan = await eventually(in_force, describe=lambda: f"wanted revision {revision}")
        return found

    async def has_planned(self, revision: int) -> bool:
        return (await self.state()).plans_made >= revision

    def blocks(self, plan: ChargingPlan) -> list[tuple[float, float]]:
        """When it is on, in hours since the start."""
        edges = [(plan.begins_at(period) - self.start).total_seconds() / 3600 for period in plan.periods]
        spans = zip(plan.periods, edges, [*edges[1:], 99.0], strict=True)
        return [(round(begin, 1), round(end, 1)) for period, begin, end in spans if period.limit > 0]

    async def events_of(self, kind: str) -> list[str]:
        return [entry.detail for entry in (await self.state()).timeline if entry.type == kind]


def to_the_minute(at: datetime) -> str:
    """Periods begin at whole seconds of the plan's own start."""
    return (at + timedelta(seconds=30)).strftime("%d %H:%M")


async def parked(stack: Stack, environment: WorkflowEnvironment, **body: Any) -> Night:
    session_id, _ = await stack.charging(**body)
    return Night(stack, environment, session_id, await environment.get_current_time())


@pytest.fixture
async def forgetful(store_url: str, time_skipping: WorkflowEnvironment) -> AsyncIterator[Stack]:
    """The engine whose workers keep no workflow in memory: each of its tasks begins like after a restart."""
    no_cache = {"max_cached_workflows": 0}
    async with running_stack(time_skipping, store_url, settings=no_cache, **TO_THE_MINUTE) as stack:
        yield stack


async def test_a_night_of_drift_new_prices_restarts_and_a_cpo_that_refuses(
    forgetful: Stack, time_skipping: WorkflowEnvironment
) -> None:
    stack, environment = forgetful, time_skipping
    type2 = {"evse_id": "FI*VRT*E12346", "connector_type": "Type2"}
    night = await parked(stack, environment, battery_target_kwh=22, **type2)
    await night.prices(0.30, 0.10, 0.10, 0.30, 0.20, 0.25, 0.30, 0.30)
    stack.cpo.on("SET_PROFILE", ACCEPTED)
    departure = night.at(8)
    said = await night.wish(max_charge_rate_kw=11, departure_time=departure.isoformat())
    assert said["profile_set"] is True
    assert night.blocks(await night.plan(1)) == [(1.0, 3.0)]

    # The car takes 6 kW instead of 11: it needs more hours, and gets the cheapest that are left.
    await night.until(1.5)
    await night.meter(3, 6)
    await night.result("ACCEPTED")
    slower = await night.plan(2)
    assert (slower.cause, slower.taken_kw) == ("acceptance", Decimal(6))
    assert slower.figures is not None
    assert slower.figures.feasible
    assert sum(end - begin for begin, end in night.blocks(slower)) == pytest.approx(19 / 6, abs=0.2)
    assert max(period.limit for period in slower.periods) == 11000  # it may take more again

    # Prices change by a little: not worth a message. Then the last hours become cheap: they are taken.
    await night.prices(0.30, 0.10, 0.10, 0.30, 0.199, 0.25, 0.30, 0.30)
    await eventually(lambda: night.events_of("plan_kept"))
    await night.prices(0.30, 0.10, 0.10, 0.30, 0.30, 0.30, 0.02, 0.02)
    await night.result("ACCEPTED")
    cheaper = await night.plan(3)
    assert night.blocks(cheaper)[-1] == (6.0, 8.0)

    # The CPO refuses the next one: the plan before stays, and five minutes later it is tried again.
    await night.until(3.2)
    assert await night.plan(3) == cheaper
    await night.meter(9, 0)  # a little less than was planned: revision 4
    await night.result("REJECTED")
    await night.prices(0.30, 0.10, 0.10, 0.30, 0.01, 0.30, 0.30, 0.02)
    await eventually(lambda: night.events_of("plan_refused"))
    await eventually(lambda: night.has_planned(5))
    assert await night.plan(3) == cheaper
    await night.until(3.285)
    await night.result("ACCEPTED")
    assert night.blocks(await night.plan(5)) == [(3.8, 5.0), (7.0, 8.0)]

    # The departure comes with a need that is not met: full power from then on, until it is.
    await night.until(8.01)
    await eventually(lambda: night.events_of("departure_passed"))
    revisions = await PlanStore(stack.database).revisions(night.id)
    assert [str(record.state) for record in revisions][:3] == ["replaced"] * 3
    assert [record.plan.revision for record in revisions][:5] == [1, 2, 3, 4, 5]
    await night.meter(22, 11)
    await eventually(lambda: stack.cpo.stops)


@pytest.fixture
async def autumn(store_url: str, time_skipping: WorkflowEnvironment) -> AsyncIterator[Stack]:
    """The engine on the evening of Friday, 29 October 2027."""
    async with running_stack(time_skipping, store_url, **TO_THE_MINUTE) as stack:
        friday = datetime(2027, 10, 29, 18, tzinfo=UTC)
        await time_skipping.sleep(friday - await time_skipping.get_current_time())
        yield stack


async def test_three_days_across_the_october_clock_change(autumn: Stack, time_skipping: WorkflowEnvironment) -> None:
    """In Helsinki nights are cheap from 22:00 to 06:00 by the clock on the wall, and one of them lasts nine hours."""
    stack = autumn
    hours = {"restrictions": {"start_time": "22:00", "end_time": "06:00"}}
    cheap, dear = ([{"type": "ENERGY", "price": price, "step_size": 1}] for price in (0.05, 0.25))
    elements = [{"price_components": cheap, **hours}, {"price_components": dear}]
    put = await stack.cpo.call("PUT", "tariffs/FI/VRT/T1", tariff(elements=elements))
    assert put.status_code in (200, 201)
    night = await parked(stack, time_skipping, battery_target_kwh=90)
    stack.cpo.on("SET_PROFILE", ACCEPTED)
    await night.wish(max_charge_rate_kw=3.6, departure_time="2027-11-01T15:00:00Z")
    plan = await night.plan(1)
    ons = [plan.begins_at(period) for period in plan.periods if period.limit > 0]
    ends = [plan.begins_at(period) for period in plan.periods[1:] if period.limit == 0]
    assert [to_the_minute(on) for on in ons] == ["29 19:00", "30 19:00", "31 20:00"]
    assert [to_the_minute(end) for end in ends if end > ons[0]] == ["30 03:00", "31 04:00", "01 04:00"]
    # It goes as planned: nothing is sent again.
    for day in (1, 2):
        await night.until(24 * day - 4)
        expected = plan.expected_kwh(await time_skipping.get_current_time())
        assert expected is not None
        await night.meter(float(expected), 0)
    after = await night.plan(1)
    assert (after.periods, after.starts_at) == (plan.periods, plan.starts_at)
    assert len(stack.cpo.received("SET_PROFILE")) == 1
    assert await night.events_of("replanned") == []
