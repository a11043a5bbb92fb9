"""``kill -9`` of any process at any point of a session ends, after restart, in a completed, correctly paid session."""

import pytest

from tests.kill.conftest import EVERYTHING
from tests.kill.points import Point

pytestmark = pytest.mark.timeout(300)  # the first test of a target waits for the whole kill


# Each process by itself is killed by `make soak`, and by chaos; what kills everything is always run.
ALONE = [pytest.param(name, marks=pytest.mark.soak) for name in ("api", "sandbox", "temporal", "worker")]


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("start-unanswered", marks=pytest.mark.trust("1.1", "1.2")),
        pytest.param("start-answered", marks=pytest.mark.trust("1.3")),
        pytest.param("start-in-flight", marks=pytest.mark.trust("1.4")),
        "awaiting-plug",
        pytest.param("charging", marks=pytest.mark.trust("1.7")),
        pytest.param("target-ahead", marks=pytest.mark.trust("1.5")),
        "stop-answered",
        "stop-in-flight",
        "awaiting-cdr",
        "settling",
        pytest.param("captured", marks=pytest.mark.trust("1.10")),
    ],
)
@pytest.mark.parametrize("struck", [EVERYTHING, *ALONE], indirect=True)
async def test_a_session_survives_a_kill(struck: dict[str, Point], point: str) -> None:
    """One START, one bill, paid to the cent, nothing held; the same key is still the same session."""
    await struck[point].assert_all_is_well()
