"""``kill -9`` of any process at any point of a session ends, after restart, in a completed, correctly paid session."""

import pytest

from tests.kill.conftest import EVERYTHING, WHERE
from tests.kill.points import Point

pytestmark = pytest.mark.timeout(300)  # the first test of a target waits for the whole kill


# Each process by itself is killed by `make soak` too; what kills worker and everything finds most, and is always run.
ALONE = [pytest.param(name, marks=pytest.mark.soak) for name in ("api", "sandbox", "temporal")]


@pytest.mark.parametrize("point", [point.name for point in WHERE])
@pytest.mark.parametrize("struck", ["worker", EVERYTHING, *ALONE], indirect=True)
async def test_a_session_survives_a_kill(struck: dict[str, Point], point: str) -> None:
    """One START, one bill, paid to the cent, nothing held; the same key is still the same session."""
    await struck[point].assert_all_is_well()
