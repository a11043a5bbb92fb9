"""``SettlementWorkflow`` on a real Temporal server: one run at a time, few events, the session is told."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.payments import PaymentActivities
from charging import names
from charging.errors import StoreUnavailable
from charging.payments.answers import Settlement
from charging.payments.wallet import Wallet
from charging.session.messages import CdrReceived
from charging.store.engine import Database
from tests.payments.factory import (
    add_cdr,
    add_session,
    balances,
    cdr,
    cdr_states,
    credit,
    payment_rows,
    payment_status_of,
    receipt_of,
)
from tests.payments.recorder import Recorder
from workflows.settlement import SettlementWorkflow


@dataclass
class Stage:
    """A worker on its own task queue, and the doors to what it works on."""

    client: Client
    database: Database
    queue: str

    async def settle(self, session_id: str, *messages: Any) -> WorkflowHandle[Any, Any]:
        """As the inbox does it: signal-with-start, once for each message."""
        for message in messages or (CdrReceived(),):
            handle = await self.client.start_workflow(
                names.Workflow.SETTLEMENT,
                session_id,
                id=names.settlement_id(session_id),
                task_queue=self.queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=names.Signal.CDR_RECEIVED,
                start_signal_args=[] if message is None else [message],
            )
        return handle


class Flaky(PaymentActivities):
    """The store is away as long as the workflow asks by local activities."""

    @activity.defn
    async def assess(self, session_id: str) -> Settlement:
        if activity.info().is_local:
            raise StoreUnavailable("away")
        return await super().assess(session_id)


def steps_of(payments: PaymentActivities) -> list[Any]:
    return [payments.assess, payments.pay, payments.conclude]


@pytest.fixture
async def stage(temporal: WorkflowEnvironment, database: Database) -> AsyncIterator[Stage]:
    queue = uuid.uuid4().hex
    payments = PaymentActivities(Wallet(database, Decimal("100.00")), database)
    async with Worker(
        temporal.client, task_queue=queue, workflows=[SettlementWorkflow, Recorder], activities=steps_of(payments)
    ):
        yield Stage(temporal.client, database, queue)


async def test_a_cdr_becomes_a_paid_receipt_and_the_session_is_told_in_few_events(stage: Stage) -> None:
    session_id = await add_session(stage.database)
    await add_cdr(stage.database, session_id, cdr())
    session = await stage.client.start_workflow(
        "Recorder", id=names.charging_session_id(session_id), task_queue=stage.queue
    )
    settlement = await stage.settle(session_id)
    assert await settlement.result() == "paid"
    told = await session.result()
    assert [(message["settled"], message["payment_status"]) for message in told] == [(True, "paid")]
    receipt = await receipt_of(stage.database, session_id)
    assert receipt is not None
    assert receipt.payment_status == "paid"
    history = await settlement.fetch_history()
    assert len(history.events) <= 25
    replayer = Replayer(workflows=[SettlementWorkflow], data_converter=stage.client.data_converter)
    await replayer.replay_workflow(history)


async def test_a_session_whose_workflow_is_gone_is_settled_all_the_same(stage: Stage) -> None:
    session_id = await add_session(stage.database)
    await add_cdr(stage.database, session_id, cdr())
    assert await (await stage.settle(session_id)).result() == "paid"
    assert await payment_status_of(stage.database, session_id) == "paid"


async def test_a_later_cdr_settles_again_under_the_same_workflow_id(stage: Stage) -> None:
    session_id = await add_session(stage.database)
    for body, outcome in ((cdr(), "paid"), (credit(), "refunded"), (cdr("CDR-2"), "paid")):
        await add_cdr(stage.database, session_id, body)
        assert await (await stage.settle(session_id)).result() == outcome
    receipt = await receipt_of(stage.database, session_id)
    assert receipt is not None
    assert receipt.version == 3


async def test_a_duplicate_cdr_and_junk_messages_make_one_payment(stage: Stage) -> None:
    session_id = await add_session(stage.database)
    for _ in range(2):
        await add_cdr(stage.database, session_id, cdr())
    settlement = await stage.settle(session_id, CdrReceived(), CdrReceived(), None, "junk", 7, ["x"], {"settled": "no"})
    assert await settlement.result() == "paid"
    assert await (await stage.settle(session_id)).result() == "paid"
    assert await payment_rows(stage.database, session_id) == [("capture", 1250, "done")]


async def test_cdrs_that_arrive_while_it_works_are_all_settled(stage: Stage) -> None:
    session_id = await add_session(stage.database)

    async def arrive(body: dict[str, Any]) -> None:
        await add_cdr(stage.database, session_id, body)
        await stage.settle(session_id)

    await arrive(cdr())
    await arrive(credit())
    await asyncio.gather(arrive(cdr("CDR-2")), stage.settle(session_id))
    handle = stage.client.get_workflow_handle(names.settlement_id(session_id))
    assert await handle.result() == "paid"
    assert set((await cdr_states(stage.database, session_id)).values()) == {"settled"}
    assert (await balances(stage.database))["user/ada/available"] == Decimal("87.50")


async def test_a_quarantined_cdr_ends_the_run_without_telling_the_session(stage: Stage) -> None:
    session_id = await add_session(stage.database)
    await add_cdr(stage.database, session_id, cdr(currency="SEK"))
    settlement = await stage.settle(session_id)
    assert await settlement.result() == "no CDR can be billed yet"
    history = await settlement.fetch_history()
    assert not any(
        event.HasField("signal_external_workflow_execution_initiated_event_attributes") for event in history.events
    )
    shown = await settlement.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert "**quarantined**: CDR-1: it is in SEK" in shown.current_details


async def test_a_store_that_is_away_delays_the_settlement_and_loses_nothing(
    temporal: WorkflowEnvironment, database: Database
) -> None:
    session_id = await add_session(database)
    await add_cdr(database, session_id, cdr())
    steps = steps_of(Flaky(Wallet(database, Decimal("100.00")), database))
    queue = uuid.uuid4().hex
    async with Worker(temporal.client, task_queue=queue, workflows=[SettlementWorkflow], activities=steps):
        settlement = await Stage(temporal.client, database, queue).settle(session_id)
        assert await settlement.result() == "paid"


async def test_a_session_that_nobody_knows_fails_at_once(stage: Stage) -> None:
    settlement = await stage.settle(str(uuid.uuid4()))
    with pytest.raises(WorkflowFailureError):
        await settlement.result()
