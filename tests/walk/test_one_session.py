"""One session followed through the house: the table at the top of docs/architecture.md, row by row."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from charging import names
from charging.store import tables
from tests.embedded import Embedded, embedded
from tests.waiting import eventually

EVSE = "FI-VRT-E12345"
KEY = "walk-1"
NEED_KWH = 2.0


async def test_one_session_walks_the_table_from_the_request_to_the_paid_receipt(tmp_path: Path) -> None:
    """Each row of the table leaves its trace where the table says."""
    async with embedded(tmp_path / "data") as stack:
        session_id = await stack.start(EVSE, key=KEY, connector_type="CCS", battery_target_kwh=NEED_KWH)
        await row_1_the_start_is_three_rows_and_a_workflow(stack, session_id)
        await stack.until(session_id, status="completed")
        await row_2_the_workflow_holds_funds_before_it_asks_for_a_start(await workflow(stack, session_id))
        command_id = await row_3_one_command_was_sent_once(stack, session_id)
        await row_4_start_carried_response_url_and_authorization_reference(stack, session_id, command_id)
        await row_5_the_cpo_answered_and_reported(stack, session_id)
        await row_6_whatever_came_in_was_stored_and_then_signalled(stack, session_id)
        await row_7_the_signals_moved_the_state(stack, session_id)
        await row_8_the_status_shows_decision_and_meter(stack, session_id)
        await the_receipt_is_the_bill_and_paid(stack, session_id)


async def row_1_the_start_is_three_rows_and_a_workflow(stack: Embedded, session_id: str) -> None:
    session = await row_of(stack, session_id)
    keys, claims = tables.idempotency_keys.c, tables.evse_claims.c
    assert await stack.rows(select(keys.key).where(keys.session_id == session_id)) == [(KEY,)]
    evse_uid = session.spec["evse_uid"]
    assert await stack.rows(select(claims.evse_uid).where(claims.session_id == session_id)) == [(evse_uid,)]
    description = await (await workflow(stack, session_id)).describe()
    assert description.id == f"charging-session/{session_id}"


async def row_2_the_workflow_holds_funds_before_it_asks_for_a_start(session: WorkflowHandle[Any, Any]) -> None:
    history = await session.fetch_history()
    asked = [summary_of(event) for event in history.events]
    asked = [summary.split()[0] for summary in asked if summary.startswith(("Hold", "START_SESSION"))]
    assert asked == ["Hold", "START_SESSION"]


def summary_of(event: HistoryEvent) -> str:
    """What Temporal UI shows beside an activity."""
    return str(json.loads(event.user_metadata.summary.data or '""'))


async def row_3_one_command_was_sent_once(stack: Embedded, session_id: str) -> str:
    command = tables.commands.c
    query = select(command.id, command.state, command.result).where(
        command.session_id == session_id, command.command == "START_SESSION"
    )
    ((command_id, state, result),) = await stack.rows(query)
    assert (state, result["result"]) == ("answered", "ACCEPTED")
    return str(command_id)


async def row_4_start_carried_response_url_and_authorization_reference(
    stack: Embedded, session_id: str, command_id: str
) -> None:
    session = await row_of(stack, session_id)
    (start,) = (await stack.records())["starts"]
    assert start["response_url"] == f"{stack.run['api']}/ocpi/emsp/2.3.0/commands/START_SESSION/{command_id}"
    assert start["authorization_reference"] == session.authorization_reference
    assert start["token_uid"] == session.token_uid


async def row_5_the_cpo_answered_and_reported(stack: Embedded, session_id: str) -> None:
    session, records = await row_of(stack, session_id), await stack.records()
    ((start,), (reported,), (cdr,)) = records["starts"], records["sessions"], records["cdrs"]
    assert (start["response"], start["result"]) == ("ACCEPTED", "ACCEPTED")
    assert start["session_ids"] == [reported["id"]] == [session.ocpi_session_id]
    assert (reported["status"], cdr["session_id"]) == ("COMPLETED", reported["id"])


async def row_6_whatever_came_in_was_stored_and_then_signalled(stack: Embedded, session_id: str) -> None:
    sessions, cdrs, inbox = tables.ocpi_sessions.c, tables.cdrs.c, tables.inbox.c
    assert await stack.rows(select(sessions.status).where(sessions.session_id == session_id)) == [("COMPLETED",)]
    assert await stack.rows(select(cdrs.state).where(cdrs.session_id == session_id)) == [("settled",)]
    mail = select(inbox.kind, inbox.state).where(inbox.session_id == session_id).distinct()

    async def all_delivered() -> bool:
        return {state for _kind, state in await stack.rows(mail)} == {"delivered"}

    await eventually(all_delivered)
    assert {kind for kind, _state in await stack.rows(mail)} == {"command_result", "session", "cdr"}


async def row_7_the_signals_moved_the_state(stack: Embedded, session_id: str) -> None:
    event = tables.events.c
    query = select(event.type, event.data).where(event.session_id == session_id).order_by(event.seq)
    happened = await stack.rows(query)
    milestones = ["funds_held", "start_sent", "stop_requested", "stop_sent", "cdr_received", "settled", "completed"]
    assert [kind for kind, _data in happened if kind in milestones] == milestones
    moves = [data["detail"].rpartition(" ")[2] for kind, data in happened if kind == "session"]
    assert moves[-2:] == ["ACTIVE", "COMPLETED"]
    attributes = (await (await workflow(stack, session_id)).describe()).typed_search_attributes
    shown = {pair.key.name: pair.value for pair in attributes.search_attributes}
    assert shown[names.SearchAttribute.CHARGING_STATUS] == "completed"


async def row_8_the_status_shows_decision_and_meter(stack: Embedded, session_id: str) -> None:
    status, (reported,) = await stack.status(session_id), (await stack.records())["sessions"]
    decided = {name: status[name] for name in ("session_id", "status", "evse_id", "network", "next_action")}
    assert decided == {
        "session_id": session_id,
        "status": "completed",
        "evse_id": EVSE,
        "network": "Virta",
        "next_action": "unplug",
    }
    assert (status["energy_kwh"], status["cost"]) == (reported["kwh"], reported["total_cost"]["incl_vat"])
    assert status["energy_kwh"] >= NEED_KWH
    assert status["safe_to_unplug"]


async def the_receipt_is_the_bill_and_paid(stack: Embedded, session_id: str) -> None:
    receipt, (cdr,) = await stack.receipt(session_id), (await stack.records())["cdrs"]
    assert receipt["payment_status"] == "paid"
    assert (receipt["cost"], receipt["energy_kwh"]) == (cdr["total_cost"]["incl_vat"], cdr["total_energy"])
    assert receipt["cdr_ids"] == [cdr["id"]]


async def workflow(stack: Embedded, session_id: str) -> WorkflowHandle[Any, Any]:
    """The session's workflow on the stack's own Temporal."""
    client = await Client.connect(stack.run["temporal"], data_converter=pydantic_data_converter)
    return client.get_workflow_handle(names.charging_session_id(session_id))


async def row_of(stack: Embedded, session_id: str) -> Any:
    """The session's row in the store."""
    (row,) = await stack.rows(select(tables.sessions).where(tables.sessions.c.id == session_id))
    return row
