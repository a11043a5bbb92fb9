"""One command at a time to an EVSE (docs/ocpi.md, Q42)."""

import asyncio

import pytest

from charging.errors import PeerNotReached
from charging.session.answers import StartAnswer
from charging.session.model import StartOutcome
from charging.store import tables
from charging.store.commands import CommandStore
from charging.store.connections import ConnectionStore
from charging.store.evse_turns import EvseTurns, turn_name, turn_of
from tests.receive.conftest import Desk

HERE, THERE = turn_name("c", "LOC1", "3256"), turn_name("c", "LOC1", "3257")


async def test_commands_to_one_evse_go_one_after_the_other(desk: Desk) -> None:
    turns, under_way = EvseTurns(desk.database), 0

    async def command() -> None:
        nonlocal under_way
        async with turns.turn(HERE):
            under_way += 1
            assert under_way == 1
            await asyncio.sleep(0)
            under_way -= 1

    await asyncio.gather(command(), command(), command())


async def test_another_evse_does_not_wait_and_a_stop_not_for_ever(desk: Desk) -> None:
    turns = EvseTurns(desk.database)
    async with turns.turn(HERE), turns.turn(THERE, wait_s=0):
        with pytest.raises(PeerNotReached, match="under way"):
            async with turns.turn(HERE, wait_s=0):
                raise AssertionError("both at once")
        async with turns.turn(HERE, wait_s=0, goes_anyway=True):
            pass
        with pytest.raises(PeerNotReached):  # the stop has not given back what it did not hold
            async with turns.turn(HERE, wait_s=0):
                raise AssertionError("both at once")
    async with turns.turn(HERE, wait_s=0):
        pass


async def test_a_start_waits_for_its_turn_and_gives_it_back(desk: Desk) -> None:
    turns = EvseTurns(desk.database)
    commands = CommandStore(desk.database, ConnectionStore(desk.database, desk.settings.secret_keys))
    spec = await desk.start()
    async with turns.turn(turn_of(spec)):
        with pytest.raises(PeerNotReached):
            await commands.begin_start(spec.session_id)
        assert (await desk.rows(tables.commands, session_id=spec.session_id))[0].state == "ready"
    for give_back in (commands.not_sent, lambda start: commands.started(start, ANSWER)):
        start = await commands.begin_start(spec.session_id)
        with pytest.raises(PeerNotReached):
            async with turns.turn(start.turn, wait_s=0):
                raise AssertionError("both at once")
        await give_back(start)
        async with turns.turn(start.turn, wait_s=0):
            pass


ANSWER = StartAnswer(outcome=StartOutcome.UNDERSTOOD)
