"""``kill -9`` between any two steps of settlement: one payment for each CDR, and books that ``reconcile`` proves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import func, select

from charging.store import tables
from tests.embedded import Embedded, embedded
from tests.kill.conftest import EVERYTHING, EVSES, SLOW_CAR, kill, revived, together
from tests.kill.payers import WALLET, Payer
from tests.kill.promises import assert_events_are_right, assert_one_payment_for_each_cdr
from tests.kill.steps import BILLED, CORRECTED, Credited, HoldAsked, Step
from tests.programs import program
from tests.waiting import eventually

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

PAYERS: Final[Sequence[Payer]] = (WALLET,)
IN_SETTLEMENT: Final = [step for step in BILLED if not issubclass(step, HoldAsked)]


@asynccontextmanager
async def stack_of(payer: Payer, folder: Path) -> AsyncIterator[Embedded]:
    async with embedded(folder / "data", environment=payer.environment) as stack:
        await stack.sandbox("car", SLOW_CAR)
        yield stack


@pytest.mark.parametrize("target", ["worker", EVERYTHING])
@pytest.mark.parametrize("payer", PAYERS, ids=lambda payer: payer.name)
async def test_a_kill_between_any_two_steps_leaves_one_payment_and_right_books(
    tmp_path: Path, payer: Payer, target: str
) -> None:
    """A session before each step, all killed at once: first with a bill each, then with credits and corrections."""
    async with stack_of(payer, tmp_path) as stack:
        for kinds in (BILLED, CORRECTED):
            steps = [kind(stack, evse, payer) for kind, evse in zip(kinds, EVSES, strict=False)]
            await together(step.prepare() for step in steps)
            await together(step.approach() for step in steps)
            await kill(stack, target)
            for step in steps:
                step.let_go()
            await revived(stack, target)
            await together(step.proceed() for step in steps)
            for step in steps:
                await assert_settled_once(step)
        await assert_reconciled(stack, payer)


@pytest.mark.parametrize("payer", PAYERS, ids=lambda payer: payer.name)
async def test_a_kill_in_the_midst_of_any_step_of_settlement_leaves_one_payment_and_right_books(
    tmp_path: Path, payer: Payer
) -> None:
    """One session after the other: the worker dies while it writes, without having heard that anything is wrong."""
    async with stack_of(payer, tmp_path) as stack:
        for kind in IN_SETTLEMENT:
            await die_in_the_midst(kind(stack, EVSES[0], payer))
        await assert_reconciled(stack, payer)


@pytest.mark.parametrize("payer", PAYERS, ids=lambda payer: payer.name)
async def test_a_kill_in_the_midst_of_any_step_of_a_correction_leaves_one_payment_and_right_books(
    tmp_path: Path, payer: Payer
) -> None:
    async with stack_of(payer, tmp_path) as stack:
        for kind in CORRECTED:
            await die_in_the_midst(kind(stack, EVSES[0], payer))
        await assert_reconciled(stack, payer)


async def die_in_the_midst(step: Step) -> None:
    step.hangs = True
    await step.prepare()
    await step.approach()
    await eventually(step.stack.store_is_locked)
    await kill(step.stack, "worker")
    await step.proceed()
    await revived(step.stack, "worker")
    await assert_settled_once(step)


async def assert_settled_once(step: Step) -> None:
    """The session's promises, its payments, and what was told of it."""
    await step.assert_all_is_well()
    if isinstance(step, Credited):
        await assert_events_are_right(step.stack, step.session_id, receipts=3 if step.correction else 2)
        return
    receipt = await step.stack.receipt(step.session_id)
    await assert_one_payment_for_each_cdr(step.stack, step.session_id, ["capture"], receipt["cost"])
    await assert_events_are_right(step.stack, step.session_id, receipts=1)


async def assert_reconciled(stack: Embedded, payer: Payer) -> None:
    """The proof finds no exception, and the payment side's own account is the sum of the receipts."""
    process = await asyncio.create_subprocess_exec(
        program("charging"),
        "reconcile",
        "--data",
        str(stack.data),
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert (process.returncode, said.decode().strip()) == (0, "the books are right: no exceptions")
    of = tables.payments.c
    signed = (
        func.sum(of.amount_minor).filter(of.kind == "capture"),
        func.sum(of.amount_minor).filter(of.kind == "refund"),
    )
    ((captured, refunded),) = await stack.rows(select(*signed).where(of.state == "done"))
    assert await payer.has_spent(stack) == captured - (refunded or 0)
