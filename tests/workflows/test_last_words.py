"""What a CPO's last word on a Session is worth when its CDR comes."""

from sqlalchemy import select

from charging.store import tables
from tests.stack import Stack
from tests.waiting import eventually


async def test_a_cdr_that_repeats_the_last_word_is_paid_though_the_meter_had_said_more(stack: Stack) -> None:
    session_id, session = await stack.charging(minutes=30)
    await stack.cpo.patch_session(session, {"kwh": 12.5})
    await stack.cpo.patch_session(session, {"status": "COMPLETED", "kwh": 12.3})
    await stack.cpo.post_cdr(stack.cpo.cdr({**session, "kwh": 12.3}))
    assert (await stack.until(session_id, "completed"))["energy_kwh"] == 12.3


async def test_a_meter_that_is_reset_at_the_end_does_not_question_its_cdr(stack: Stack) -> None:
    session_id, session = await stack.charging(minutes=30)
    await stack.cpo.patch_session(session, {"kwh": 12.5})
    await stack.cpo.patch_session(session, {"status": "COMPLETED", "kwh": 0})
    await stack.cpo.post_cdr(stack.cpo.cdr({**session, "kwh": 12.5}))
    assert (await stack.until(session_id, "completed"))["energy_kwh"] == 12.5


async def test_a_session_that_ends_without_a_last_word_on_its_energy_is_paid_as_its_cdr_says(stack: Stack) -> None:
    session_id, session = await stack.charging(minutes=30)
    await stack.cpo.patch_session(session, {"kwh": 4})
    await stack.cpo.patch_session(session, {"status": "COMPLETED"})
    await stack.cpo.post_cdr(stack.cpo.cdr({**session, "kwh": 5.2}))
    assert (await stack.until(session_id, "completed"))["energy_kwh"] == 5.2


async def test_a_cdr_of_more_than_the_last_word_waits_for_people(stack: Stack) -> None:
    _, session = await stack.charging(minutes=30)
    await stack.cpo.patch_session(session, {"kwh": 4})
    await stack.cpo.patch_session(session, {"status": "COMPLETED", "kwh": 4.1})
    await stack.cpo.post_cdr(stack.cpo.cdr({**session, "kwh": 5.2}))

    async def state() -> str:
        async with stack.database.read() as connection:
            return str((await connection.scalars(select(tables.cdrs.c.state))).one())

    async def is_quarantined() -> bool:
        return await state() == "quarantined"

    await eventually(is_quarantined)
