"""The canonical session of docs and budgets, each step taken when the one before has settled."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio.api.history.v1 import HistoryEvent

from benches.bare import start_bare
from benches.bare_workflow import Amount, BareWorkflow
from benches.charge import Charge
from benches.histories import Handle, amount, history, quiet
from benches.stack import Stack
from charging import names

PUSHES = 30
_AT_ONCE = 20


def workflow_of(charge: Charge) -> Handle:
    """The session's workflow."""
    return charge.stack.temporal.get_workflow_handle(names.charging_session_id(charge.id))


async def active_session(stack: Stack, number: int, **wishes: float) -> Charge:
    """A session that charges, all at rest."""
    charge = await Charge.begin(stack, number, **wishes)
    for step in (charge.accept_start, charge.plug_in, charge.flow):
        await quiet(workflow_of(charge))
        await step()
    await charge.until(status="active")
    await quiet(workflow_of(charge))
    return charge


async def active_sessions(stack: Stack, count: int) -> list[Charge]:
    """So many sessions that charge, made quickly."""
    charges = []

    async def one(number: int) -> None:
        charge = await Charge.begin(stack, number)
        for step in (charge.accept_start, charge.plug_in, charge.flow):
            await step()
        await charge.until(status="active")
        charges.append(charge)

    await batches(one, stack.evse_numbers(count))
    await quiet(workflow_of(charges[-1]))
    return charges


async def batches(one: Callable[[int], Awaitable[None]], numbers: list[int]) -> None:
    """``one`` of every number, a few at once."""
    waiting = list(numbers)

    async def work() -> None:
        while waiting:
            await one(waiting.pop())

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


async def finish(charge: Charge) -> None:
    """From charging to the paid receipt."""
    for step in (charge.ask_stop, charge.accept_stop, charge.end, charge.bill):
        await step()
        if step != charge.bill:
            await quiet(workflow_of(charge))
    await charge.completed()
    receipt = await charge.receipt()
    assert receipt["payment_status"] == "paid", receipt


async def canonical_history(stack: Stack) -> list[HistoryEvent]:
    """All events of a canonical session and of its settlement."""
    charge = await active_session(stack, *stack.evse_numbers(1))
    for push in range(PUSHES):
        await charge.meter(2 + push / 10)
    await finish(charge)
    settlement = stack.temporal.get_workflow_handle(names.settlement_id(charge.id))
    await settlement.result()
    return await history(workflow_of(charge)) + await history(settlement)


async def canonical_amount(stack: Stack) -> Amount:
    """How many activities, local activities and signals a canonical session takes."""
    return amount(await canonical_history(stack))


async def bare_events(stack: Stack, wanted: Amount) -> int:
    """The events of a bare workflow that does as much, each signal sent when the one before has settled."""
    bare = await start_bare(stack.temporal, wanted)
    for _ in range(wanted.signals):
        await quiet(bare)
        await bare.signal(BareWorkflow.go_on, "go on")
    await bare.result()
    return len(await history(bare))
