"""Sessions that are billed: what a test does at the CPO's side and sees at the robot's."""

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from charging.neighbours.purse import payments_books
from charging.neighbours.reconciliation import reconcile_with
from tests.payments.factory import cdr_states
from tests.peer import Body, now
from tests.stack import Stack
from tests.waiting import eventually


async def charged(stack: Stack, *, status: str = "COMPLETED", kwh: float = 10) -> tuple[str, Body]:
    """A session to which the CPO has put an end, and the Session of it."""
    session_id, session = await stack.charging(id=f"S-{uuid.uuid4().hex[:8]}", minutes=30)
    ended = {**session, "status": status, "kwh": kwh, "end_date_time": now(), "last_updated": now()}
    await stack.cpo.push_session(ended)
    await stack.until(session_id, "stopping" if status == "COMPLETED" else "failed")
    return session_id, ended


def bill(stack: Stack, session: Body, number: str = "1", total: float = 3.1, **fields: Any) -> Body:
    """A CDR of the session."""
    return stack.cpo.cdr(session, id=f"{session['id']}-{number}", total_cost=total, **fields)


def credit(stack: Stack, session: Body, of: str = "1", total: float = -3.1) -> Body:
    """The Credit CDR of one of them."""
    return bill(stack, session, f"{of}C", total, credit=True, credit_reference_id=f"{session['id']}-{of}")


async def post(stack: Stack, *cdrs: Body) -> None:
    """They are acknowledged, whatever is in them."""
    for cdr in cdrs:
        assert (await stack.cpo.post_cdr(cdr)).json()["status_code"] == 1000


async def receipt(stack: Stack, session_id: str) -> dict[str, Any]:
    answer = await stack.api.get(f"/v1/sessions/{session_id}/receipt")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def has_receipt(stack: Stack, session_id: str, **expected: Any) -> bool:
    """Whether there is one with these fields."""
    answer = await stack.api.get(f"/v1/sessions/{session_id}/receipt")
    return answer.status_code == 200 and expected.items() <= answer.json().items()


async def until_receipt(stack: Stack, session_id: str, **expected: Any) -> None:
    await eventually(partial(has_receipt, stack, session_id, **expected))


async def until_cdr(stack: Stack, session_id: str, cdr_id: str, state: str) -> None:
    async def is_so() -> bool:
        return (await cdr_states(stack.database, session_id)).get(cdr_id) == state

    await eventually(is_so)


async def is_a_case_for_people(stack: Stack, cdr_id: str) -> bool:
    headers = {"X-API-Key": stack.settings.admin_key.get_secret_value()}
    disputes = (await stack.api.get("/v1/admin/disputes", headers=headers)).json()["disputes"]
    return cdr_id in [each["cdr_id"] for each in disputes if each["state"] == "quarantined"]


async def assert_books_are_right(stack: Stack) -> None:
    """``charging reconcile`` finds nothing, also when nothing is under way any more."""
    partner, later = payments_books(stack.settings, stack.database), datetime.now(UTC) + timedelta(hours=1)
    assert [finding async for finding in reconcile_with(stack.database, partner, later)] == []
