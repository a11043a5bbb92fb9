"""A short run of chaos with every change; `make chaos` makes long ones."""

import pytest

from tests.chaos.run import run

SEED, SESSIONS, FAULTS = 3, 20, 14


@pytest.mark.timeout(600)  # of which a quiet machine needs the smallest part
async def test_every_invariant_holds_after_a_short_run_of_chaos() -> None:
    result = await run(SEED, sessions=SESSIONS, faults=FAULTS, payments=False, factor=2.0)
    assert not result.violations, f"{result}\n{result.plan}\ndata in {result.data}"
    assert result.started >= SESSIONS
