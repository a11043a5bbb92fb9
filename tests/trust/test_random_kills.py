"""Processes killed at random moments, again and again, while robots charge. A seed repeats its plan, not its timing."""

import asyncio
import random
from pathlib import Path
from uuid import uuid4

import pytest

from tests.embedded import Embedded, embedded
from tests.kill.conftest import EVERYTHING, EVSES, SLOW_CAR, kill, revived
from tests.kill.promises import assert_completed_and_paid, assert_failed_for_nothing, assert_same_session

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

KILLS = 5
TARGETS = ("worker", "api", "sandbox", "temporal", EVERYTHING)
# A START that was lost with a process that was just sending it must not be sent again: its session fails, after
# this patience, and is watched for so long.
PATIENCE = {"CHARGING_POLICY__CONFIRM_S": "60", "CHARGING_POLICY__TOMBSTONE_S": "5"}


@pytest.mark.trust("1.14")
@pytest.mark.parametrize("seed", range(12))
async def test_sessions_survive_kills_at_random_moments(tmp_path: Path, seed: int) -> None:
    """Every session is completed and paid, or the CPO never heard of it and nobody pays."""
    dice = random.Random(seed)
    async with embedded(tmp_path / "data", environment=PATIENCE) as stack:
        await stack.sandbox("car", SLOW_CAR)
        async with asyncio.TaskGroup() as group:
            group.create_task(vandalise(stack, random.Random(dice.random())))
            rides = [group.create_task(ride(stack, evse, random.Random(dice.random()))) for evse in EVSES]
        for started in rides:
            await assert_a_right_end(stack, *started.result())


async def vandalise(stack: Embedded, dice: random.Random) -> None:
    """Kill something at a random moment, see it come back, and again."""
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(0, 3))
        target = dice.choice(TARGETS)
        await kill(stack, target)
        await revived(stack, target)


async def ride(stack: Embedded, evse_id: str, dice: random.Random) -> tuple[str, str, str]:
    """One robot's session from start to end, at its own pace: the session, its EVSE, its Idempotency-Key."""
    key = str(uuid4())
    await asyncio.sleep(dice.uniform(0, 8))
    session_id = await stack.start(evse_id, key=key)
    await stack.until(session_id, status=lambda status: status != "pending", within_s=120)
    await asyncio.sleep(dice.uniform(0, 6))
    await stack.stop(session_id)
    await stack.until(session_id, status=lambda status: status in ("completed", "failed"), within_s=120)
    return session_id, evse_id, key


async def assert_a_right_end(stack: Embedded, session_id: str, evse_id: str, key: str) -> None:
    """Completed and paid, or failed for nothing."""
    if (await stack.status(session_id))["status"] == "failed":
        await assert_failed_for_nothing(stack, session_id)
    else:
        await assert_completed_and_paid(stack, session_id)
    await assert_same_session(stack, session_id, evse_id, key, {})
