"""A short run of chaos with every change; `make chaos` makes long ones."""

import pytest

from tests.chaos.plan import Setup
from tests.chaos.run import commit, run

# Kills, freezes, full disks, torn wires; without the faults whose healing takes minutes.
SEED, SESSIONS, FAULTS = 4958, 12, 10


@pytest.mark.timeout(600)  # of which a quiet machine needs the smallest part
async def test_every_invariant_holds_after_a_short_run_of_chaos() -> None:
    result = await run(SEED, Setup(), sessions=SESSIONS, faults=FAULTS, factor=2.0)
    words = [str(result), *map(str, result.violations), str(result.plan), f"commit {commit()}, data in {result.data}"]
    assert not result.violations, "\n".join(words)
    assert result.started >= SESSIONS
