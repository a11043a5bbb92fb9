"""Q23 to Q30: what a session costs, and who says so."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from charging.payments.bill import BilledSession, judge
from charging.session import rules
from charging.session.model import CpoStatus, Policy, Status
from charging.session.steps import Step, next_step
from charging.store import tables
from charging.tariffs.estimate import running_cost
from tests.payments.factory import cdr, credit, price, stored
from tests.peer import location
from tests.session import factory
from tests.stack import Stack
from tests.waiting import eventually


def bill_of(*bodies: dict[str, Any]) -> Any:
    session = BilledSession("s1", "ada", "Virta", "FI-VRT-E12345", "EUR", Decimal("50.00"))
    return judge([stored(body, after=n) for n, body in enumerate(bodies)], session)


async def test_q23_the_sessions_cost_is_shown_and_the_cdrs_cost_is_billed(stack: Stack) -> None:
    session_id, session = await stack.charging(minutes=5)
    ended = {**session, "kwh": 2, "status": "COMPLETED", "total_cost": {"excl_vat": 9, "incl_vat": 9}}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended, total_cost=1.0))
    assert (await stack.until(session_id, "completed"))["cost"] == 1.0


def test_q24_a_cdr_without_component_costs_is_billed_and_called_unverifiable() -> None:
    bill = bill_of(cdr(total_energy_cost=None))
    assert [audit.verdict for audit in bill.audits.values()] == ["unverifiable"]
    assert bill.cost == Decimal("12.50")


@pytest.mark.parametrize("remark", ["[?] priced elsewhere", " [?]"])
def test_q25_a_total_that_is_not_significant_is_not_free(remark: str) -> None:
    bill = bill_of(cdr(total_cost=price("0", "0"), total_energy_cost=None, remark=remark))
    assert bill.in_force is None
    assert list(bill.problems.values()) == ["its total is not significant, says its remark"]


def test_q25_a_total_that_a_hub_has_priced_is_billed() -> None:
    assert bill_of(cdr(remark="[*] priced by the hub")).cost == Decimal("12.50")


def test_q26_without_a_cdr_the_session_ends_at_the_deadline_and_nothing_is_charged() -> None:
    state = factory.active()
    rules.session_updated(state, factory.meter(state, CpoStatus.COMPLETED), factory.at(60))
    deadline = factory.at(60) + timedelta(seconds=Policy().cdr_s)
    rules.time_passed(state, deadline)
    assert state.reason is not None
    assert (state.status, state.reason.code) == (Status.FAILED, "cdr_missing")
    assert next_step(state, deadline) is Step.RELEASE


async def test_q27_and_q28_tariff_and_time_zone_are_those_of_the_start(stack: Stack) -> None:
    """The CPO changes both during the session; what held at its start stays with it."""
    session_id, session = await stack.charging(minutes=5)
    dearer = {"price_components": [{"type": "ENERGY", "price": 9, "step_size": 1}]}
    tariff = {**stack.cpo.tariffs[0], "elements": [dearer], "last_updated": "2026-06-01T00:00:00Z"}
    assert (await stack.cpo.call("PUT", "tariffs/FI/VRT/T1", tariff)).status_code == 200
    moved = location(time_zone="Europe/Lisbon", last_updated="2026-06-01T00:00:00Z")
    assert (await stack.cpo.call("PUT", "locations/FI/VRT/LOC1", moved)).status_code == 200
    await stack.cpo.post_cdr(stack.cpo.cdr({**session, "kwh": 2}, total_cost=18.0, tariffs=[tariff]))
    await stack.until(session_id, "stopping", phase="settling")
    # It asks for a price that nobody agreed to: nothing is paid until a person says so.
    admin = {"X-API-Key": stack.settings.admin_key.get_secret_value()}

    async def disputes() -> Any:
        return (await stack.api.get("/v1/admin/disputes", headers=admin)).json()["disputes"]

    (dispute,) = await eventually(disputes)
    assert (dispute["state"], dispute["verdict"], dispute["cdr_id"]) == ("quarantined", "mismatch", "CDR1")
    assert "tariff" in {difference["code"] for difference in dispute["differences"]}
    accept = f"/v1/admin/disputes/{dispute['id']}/accept"
    assert (await stack.api.post(accept)).status_code == 401
    assert (await stack.api.post(accept, headers=admin)).json()["status"] == "accepted"
    await stack.until(session_id, "completed", cost=18.0)
    audit = (await stack.api.get(f"/v1/sessions/{session_id}/receipt")).json()["audit"]
    assert (audit["verdict"], audit["decision"]) == ("mismatch", "accepted")
    columns = (tables.sessions.c.tariff, tables.sessions.c.time_zone)
    async with stack.database.read() as store:
        row = (await store.execute(select(*columns).where(tables.sessions.c.id == session_id))).one()
    assert row.tariff["elements"][0]["price_components"][0]["price"] == Decimal("0.25")
    assert row.time_zone == "Europe/Helsinki"


def test_q29_a_running_estimate_leaves_the_step_size_to_the_bill() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    component = {"type": "ENERGY", "price": 0.27, "step_size": 500}
    cost = running_cost(
        {"currency": "EUR", "elements": [{"price_components": [component]}]},
        kwh=Decimal("4.3"),
        started_at=noon,
        now=noon + timedelta(hours=1),
        time_zone="UTC",
    )
    assert cost is not None
    assert cost.so_far == Decimal("1.16")  # never more than the CPO may ask: 1.22 with 4.5 kWh


def test_q30_credits_take_whole_cdrs_back_and_what_is_owed_is_the_rest() -> None:
    corrected = cdr("CDR-2", "11.00", total_cost=price("8.80", "11.00"), total_energy_cost=price("8.80", "11.00"))
    assert bill_of(cdr(), credit()).cost == 0
    assert bill_of(cdr(), credit(), corrected).cost == Decimal("11.00")
    assert bill_of(corrected, credit(), cdr()).cost == Decimal("11.00")
    partial = credit(total="-5.00", total_cost=price("-4.00", "-5.00"))
    assert bill_of(cdr(), partial).cost == Decimal("12.50")
