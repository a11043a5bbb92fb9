"""What a session costs in Temporal's history, where every event is storage, replay and money."""

import asyncio

from benches.bare_workflow import Amount
from benches.canonical import PUSHES, active_session, bare_events, canonical_history, workflow_of
from benches.histories import actions, amount, between_timers, history, quiet
from benches.rows import Budget, Row
from benches.servers import Databases
from benches.stack import Stack, running_stack

_EMPTY = Amount(activities=0, local_activities=0, signals=0)
_TICKS_S = 4.5


async def measure(databases: Databases) -> list[Row]:
    """Events of the canonical session, of a profile change, of a tick of the limit check, of a meter push."""
    async with running_stack("sqlite", databases) as stack:
        return [await _canonical(stack), await _profile_change(stack), await _tick(stack), await _push(stack)]


async def _canonical(stack: Stack) -> Row:
    events = await canonical_history(stack)
    same, billed = amount(events), actions(events)
    return Row(
        "history events, canonical session with settlement",
        "bare workflow of as many activities, local activities and signals",
        "events",
        [len(events)],
        [await bare_events(stack, same)],
        Budget("ours", "≤", 100, 70),
        dict(same) | {"billable Actions": sum(billed.values())} | {f"Actions, {name}": n for name, n in billed.items()},
    )


async def _profile_change(stack: Stack) -> Row:
    charge = await active_session(stack, *stack.evse_numbers(1))
    handle = workflow_of(charge)
    before = len(await history(handle))
    assert (await charge.set_profile(7.4))["profile_set"]
    await quiet(handle)
    changed = (await history(handle))[before:]
    return await _against_bare(
        stack, "history events, charging profile changed", len(changed), amount(changed), Budget("ours", "≤", 20)
    )


async def _tick(stack: Stack) -> Row:
    charge = await active_session(stack, *stack.evse_numbers(1), battery_target_kwh=3.0)
    handle = workflow_of(charge)
    before = len(await history(handle))
    await asyncio.sleep(_TICKS_S)
    ticks = between_timers((await history(handle))[before:])
    as_a_signal = Amount(activities=0, local_activities=1, signals=1)
    return await _against_bare(
        stack, "history events, one tick of the limit check", max(ticks), as_a_signal, Budget("ours", "≤", 7)
    )


async def _push(stack: Stack) -> Row:
    charge = await active_session(stack, *stack.evse_numbers(1))
    handle = workflow_of(charge)
    before = await quiet(handle)
    for push in range(PUSHES):
        await charge.meter(2 + push / 10)
    await charge.until(energy_kwh=2 + (PUSHES - 1) / 10)
    added = await quiet(handle) - before
    as_a_signal = Amount(activities=0, local_activities=0, signals=1)
    return await _against_bare(
        stack, "history events, one meter push", added / PUSHES, as_a_signal, Budget("ours", "≤", 0)
    )


async def _against_bare(stack: Stack, what: str, ours: float, same: Amount, budget: Budget) -> Row:
    reference = await bare_events(stack, same) - await bare_events(stack, _EMPTY)
    words = f"bare workflow: {same.signals} signals, {same.activities} activities, {same.local_activities} local ones"
    return Row(what, words, "events", [ours], [reference], budget)
