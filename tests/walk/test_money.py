"""Money on a whole stack: each way a bill can go, with each of those who may keep the users' money.

``charging reconcile`` is clean at the end of each test.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.neighbours import engine_settings
from charging.neighbours.purse import payments_books
from charging.neighbours.reconciliation import reconcile_with
from charging.payments.finding import Finding
from charging.settings import Settings
from charging.store.tables import payments as payments_table
from tests.cli.command import Command
from tests.embedded import Embedded, Json, embedded
from tests.waiting import eventually

NORMAL, CREDITED, LATE, TWICE, ACCEPTED, REJECTED, FREE, DECLINED, EXPIRED = (
    f"FI-VRT-E{number}" for number in (12345, 12346, 12347, 12348, 12349, 12352, 12353, 12354, 12355)
)
# 3 kW times 600: a kWh in two seconds.
SLOW_CAR = {"capacity_kwh": 1000, "soc": 0.2, "max_dc_kw": 3, "max_ac_kw": 3}
# The workflow waits for a bill for so long, and then closes without one.
CLOSES_SOON = {"CHARGING_POLICY__CDR_S": "20"}
DEAR = {"total_cost": {"excl_vat": 40, "incl_vat": 50.2}, "total_energy_cost": {"excl_vat": 40, "incl_vat": 50.2}}
NOTHING = {"excl_vat": 0, "incl_vat": 0}
SMALLER = {"total_cost": {"excl_vat": 0.1, "incl_vat": 0.13}, "total_energy_cost": {"excl_vat": 0.1, "incl_vat": 0.13}}


@asynccontextmanager
async def stack_with(payments: str, data: Path, **environment: str) -> AsyncIterator[Embedded]:
    """A stack on which ``payments`` keeps the money, and cars charge slowly."""
    async with embedded(data, environment=environment, payments=payments) as stack:
        await stack.sandbox("car", SLOW_CAR)
        yield stack


@pytest.mark.soak
async def test_at_ev_pass_a_session_is_paid_told_of_and_still_proved_after_a_kill_of_everything(tmp_path: Path) -> None:
    """The fast walk: EV Pass signs the user in and keeps the money, Robot Jobs hears, all remember it."""
    async with stack_with("evpass", tmp_path / "data") as stack:
        assert stack.run["payments"] == "evpass"
        session_id = await charged(stack, NORMAL, job_id="job-1")
        assert (await paid(stack, session_id))["payment_status"] == "paid"
        token = await Command(stack.data)("token", "--sub", "ada")
        headers = {"Authorization": f"Bearer {token.out.strip()}"}
        answer = await stack.http.get(f"{stack.run['api']}/v1/sessions/{session_id}/status", headers=headers)
        assert answer.status_code == 404  # a user, but another one
        await stack.crash()
        silent = await Command(stack.data)("reconcile", "--json")
        assert (silent.code, silent.json["invariant"]) == (1, "unchecked")
        await stack.up()
        await clean(stack)

        async def heard() -> bool:
            reports = (await stack.http.get(f"{stack.run['neighbours']}/admin/jobs?job_id=job-1")).json()
            return bool(reports) and reports[-1]["data"]["status"] == "completed"

        await eventually(heard)


@pytest.mark.soak
@pytest.mark.parametrize("payments", ["wallet", "evpass", "payments"])
async def test_each_way_a_bill_can_go_ends_as_stated_and_the_books_are_right(tmp_path: Path, payments: str) -> None:
    """Seven sessions at once, and then those that are declined or not decided."""
    async with stack_with(payments, tmp_path / "data", **CLOSES_SOON) as stack:
        await stack.sandbox(
            "faults",
            [
                cdr_fault(CREDITED, "credit", set=SMALLER),
                cdr_fault(LATE, "late", seconds=30),
                cdr_fault(TWICE, "duplicate", copies=3),
                cdr_fault(ACCEPTED, "alter", set=DEAR),
                cdr_fault(REJECTED, "alter", set=DEAR),
                cdr_fault(FREE, "alter", set={"total_cost": NOTHING, "total_energy_cost": NOTHING}),
            ],
        )
        walks = (normal, credited_and_corrected, late, duplicated, accepted, rejected, free)
        async with asyncio.TaskGroup() as group:
            for walk in walks:
                group.create_task(walk(stack))
        await clean(stack)
        if payments == "payments":
            await declined_and_retried(stack)
            await undecided_and_never_told(stack)
        if payments == "evpass":
            await hold_expired(stack)
            await hold_expired_and_nothing_left(stack)
        await clean(stack)


async def normal(stack: Embedded) -> None:
    session_id = await charged(stack, NORMAL)
    receipt = await paid(stack, session_id)
    (cdr,) = await bills(stack, session_id)
    assert (receipt["payment_status"], receipt["cost"], receipt["version"]) == ("paid", total(cdr), 1)


async def credited_and_corrected(stack: Embedded) -> None:
    session_id = await charged(stack, CREDITED)
    receipt = await paid(stack, session_id, until=lambda one: len(one["cdr_ids"]) == 3)
    assert (receipt["payment_status"], receipt["cost"]) == ("paid", Decimal("0.13"))


async def late(stack: Embedded) -> None:
    """Its bill comes when the workflow has closed without one."""
    session_id = await charged(stack, LATE)
    closed = await stack.until(session_id, status="failed")
    assert closed["reason"]["code"] == "cdr_missing"
    assert (await stack.call("GET", f"/v1/sessions/{session_id}/receipt")).status_code == 409
    receipt = await paid(stack, session_id)
    (cdr,) = await bills(stack, session_id)
    assert (receipt["payment_status"], receipt["cost"]) == ("paid", total(cdr))


async def duplicated(stack: Embedded) -> None:
    session_id = await charged(stack, TWICE)
    receipt = await paid(stack, session_id)
    assert (receipt["payment_status"], len(receipt["cdr_ids"])) == ("paid", 1)


async def accepted(stack: Embedded) -> None:
    session_id = await charged(stack, ACCEPTED)
    await decide(stack, session_id, "accept")
    receipt = await paid(stack, session_id)
    assert (receipt["payment_status"], receipt["cost"]) == ("paid", Decimal("50.2"))


async def rejected(stack: Embedded) -> None:
    session_id = await charged(stack, REJECTED)
    await decide(stack, session_id, "reject")
    receipt = await paid(stack, session_id)
    assert (receipt["payment_status"], receipt["cost"]) == ("not_required", 0)


async def free(stack: Embedded) -> None:
    session_id = await charged(stack, FREE)
    receipt = await paid(stack, session_id)
    assert (receipt["payment_status"], receipt["cost"]) == ("not_required", 0)


async def declined_and_retried(stack: Embedded) -> None:
    """A card without money, and then with it."""
    await tell(stack, "payments", {"decide": "failed"})
    session_id = await charged(stack, DECLINED)
    assert (await paid(stack, session_id))["payment_status"] == "failed"
    await clean(stack)
    await tell(stack, "payments", {"decide": "succeeded"})
    await retried(stack, session_id)


async def undecided_and_never_told(stack: Embedded) -> None:
    """Payments takes its time, and its webhook never comes: the look-up ends the waiting within seconds."""
    await tell(stack, "payments", {"decide": None, "webhook": "never"})
    session_id = await charged(stack, EXPIRED)
    await asked(stack, session_id)

    async def movement() -> Json | None:
        found = (await stack.http.get(f"{stack.run['neighbours']}/admin/payments")).json()["movements"]
        return next((one for one in found if one["booking_id"] == session_id), None)

    intent = await eventually(movement)
    assert (await stack.status(session_id))["status"] == "stopping"
    await tell(stack, f"payments/{intent['id']}", {"status": "succeeded", "webhook": False})
    await stack.until(session_id, status="completed")
    assert (await stack.receipt(session_id))["payment_status"] == "paid"


async def hold_expired(stack: Embedded) -> None:
    """EV Pass has let the hold go: the capture takes from the balance."""

    async def expire(session_id: str) -> None:
        assert await tell(stack, "evpass/expire", {"session_id": session_id}) == {"expired": 1}

    session_id = await charged(stack, EXPIRED, meanwhile=expire)
    assert (await paid(stack, session_id))["payment_status"] == "paid"


async def hold_expired_and_nothing_left(stack: Embedded) -> None:
    """The hold is gone, and so is the user's money: declined, until there is some again."""
    spent: list[Decimal] = []

    async def expire_and_spend(session_id: str) -> None:
        await tell(stack, "evpass/expire", {"session_id": session_id})
        spent.append(await balance(stack))
        await tell(stack, "evpass/withdrawals", {"user_id": "demo-user", "amount": str(spent[0])})

    session_id = await charged(stack, DECLINED, meanwhile=expire_and_spend)
    assert (await paid(stack, session_id))["payment_status"] == "failed"
    await clean(stack)
    await tell(stack, "evpass/deposits", {"user_id": "demo-user", "amount": str(spent[0])})
    await retried(stack, session_id)


@pytest.mark.soak
@pytest.mark.parametrize("payments", ["evpass", "payments"])
async def test_killed_between_asking_for_money_and_hearing_of_it_nothing_moves_twice(
    tmp_path: Path, payments: str
) -> None:
    """The worker, the neighbour, or everything dies while a call of a settlement is under way."""
    paths = {"evpass": ["/v1/wallet/captures", "/v1/wallet/releases"], "payments": ["/v1/payment-intents"]}[payments]
    async with stack_with(payments, tmp_path / "data") as stack:
        for number, (path, moment, victim) in enumerate(
            (path, moment, victim)
            for path in paths
            for moment in ("hang_before", "hang_after")
            for victim in ("worker", "neighbours", "everything")
        ):
            mishap = {"on": path, "kind": moment}
            await tell(stack, "mishaps", [mishap])
            session_id = await started(stack, NORMAL, key=f"kill-{number}")
            await stack.stop(session_id)
            await asked(stack, session_id)
            await struck(stack, victim)
            receipt = await paid(stack, session_id)
            assert receipt["payment_status"] == "paid"
            await stack.until(session_id, status="completed")
            await clean(stack)


async def asked(stack: Embedded, session_id: str) -> None:
    """Wait until the settlement has written what it is about to ask for."""
    mine = select(payments_table.c.key).where(payments_table.c.session_id == session_id)
    await eventually(lambda: stack.rows(mine))


async def struck(stack: Embedded, victim: str) -> None:
    """SIGKILL; return when it works again."""
    if victim == "everything":
        await stack.crash()
        await stack.up()
    else:
        stack.kill(victim)
        await stack.restarted(victim)


# ---- Steps -------------------------------------------------------------------------------------------------------


def cdr_fault(evse: str, kind: str, **how: Any) -> Json:
    """What is wrong with the next bill of a charger."""
    return {"when": "CDR", "kind": kind, "evse": evse, **how}


async def started(stack: Embedded, evse: str, *, key: str, **order: Any) -> str:
    """A session with some energy in it."""
    session_id = await stack.start(evse, key=key, battery_target_kwh=60.0, **order)
    await stack.until(session_id, status="active", energy_kwh=lambda kwh: kwh > Decimal("0.5"))
    return session_id


async def charged(
    stack: Embedded,
    evse: str,
    *,
    meanwhile: Callable[[str], Awaitable[None]] | None = None,
    **order: Any,
) -> str:
    """A session that was stopped by its user."""
    session_id = await started(stack, evse, key=f"money-{evse}", **order)
    if meanwhile is not None:
        await meanwhile(session_id)
    await stack.stop(session_id)
    return session_id


async def paid(stack: Embedded, session_id: str, *, until: Callable[[Json], bool] = lambda _: True) -> Json:
    """The receipt, once nothing about it is pending."""
    seen: Json = {}

    async def is_final() -> bool:
        answer = await stack.call("GET", f"/v1/sessions/{session_id}/receipt")
        seen.clear()
        seen.update(json.loads(answer.content, parse_float=Decimal))
        return answer.status_code == 200 and seen["payment_status"] != "pending" and until(seen)

    await eventually(is_final, within_s=60, every_s=0.25, describe=lambda: str(seen))
    return seen


async def retried(stack: Embedded, session_id: str) -> None:
    """POST …/payment/retry, and it is paid."""
    assert (await stack.call("POST", f"/v1/sessions/{session_id}/payment/retry")).status_code == 202

    async def is_paid() -> bool:
        return bool((await stack.receipt(session_id))["payment_status"] == "paid")

    await eventually(is_paid, every_s=0.25)


async def decide(stack: Embedded, session_id: str, decision: str) -> None:
    """A person decides on the session's bill."""
    key = {"X-API-Key": stack.run["admin_key"]}

    async def of_session() -> Json | None:
        answer = await stack.call("GET", "/v1/admin/disputes", headers=key)
        return next((one for one in answer.json()["disputes"] if one["session_id"] == session_id), None)

    dispute = await eventually(of_session, every_s=0.25)
    assert dispute["state"] == "quarantined"
    answer = await stack.call("POST", f"/v1/admin/disputes/{dispute['id']}/{decision}", headers=key)
    assert answer.is_success, answer.text


async def bills(stack: Embedded, session_id: str) -> list[Json]:
    """The CPO's CDRs on the session's receipt."""
    ids = (await stack.receipt(session_id))["cdr_ids"]
    return [cdr for cdr in (await stack.records())["cdrs"] if cdr["id"] in ids]


def total(cdr: Json) -> Decimal:
    """What it asks for."""
    return Decimal(str(cdr["total_cost"]["incl_vat"]))


async def tell(stack: Embedded, path: str, body: Any) -> Any:
    """POST to the neighbours' admin."""
    answer = await stack.http.post(f"{stack.run['neighbours']}/admin/{path}", json=body)
    assert answer.is_success, answer.text
    return answer.json()


async def balance(stack: Embedded) -> Decimal:
    """What the user has at EV Pass."""
    key: str = json.loads((stack.data / "secrets.json").read_text())["neighbours_key"]
    query = {"user_id": "demo-user", "currency": "EUR"}
    url = f"{stack.run['neighbours']}/v1/wallet/balance"
    answer = await stack.http.get(url, params=query, headers={"X-API-Key": key})
    return Decimal(str(answer.json()["available"]))


async def clean(stack: Embedded) -> None:
    """``charging reconcile`` finds nothing, now and in an hour, when nothing can be called under way any more."""
    directory = DataDirectory(stack.data)
    settings = Settings.model_validate({"database_url": directory.database_url, **engine_settings(directory)})
    books, later = payments_books(settings, stack.database), datetime.now(UTC) + timedelta(hours=1)

    wrong: list[Finding] = []

    async def nothing_later() -> bool:
        wrong[:] = [each async for each in reconcile_with(stack.database, books, later)]
        return not wrong

    await eventually(nothing_later, every_s=0.5, describe=lambda: str(wrong))
    outcome = await Command(stack.data)("reconcile")
    assert (outcome.code, outcome.out) == (0, "")
    assert "the books are right" in outcome.err
