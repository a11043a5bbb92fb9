"""A CPO whose Sessions have statuses of its own from the first push on: what flows is metered, limited, stopped."""

import pytest

from tests.stack import Stack
from tests.waiting import eventually


@pytest.mark.parametrize("status", ["CHARGING", "active"])
async def test_a_session_whose_first_status_nobody_knows_is_stopped_at_its_limit(stack: Stack, status: str) -> None:
    session_id = await stack.started(battery_target_kwh=5)
    await stack.cpo.send_result(stack.cpo.starts[0]["response_url"], "ACCEPTED")
    session = stack.cpo.session(status=status, kwh=1)
    await stack.cpo.push_session(session)
    assert (await stack.until(session_id, "active"))["energy_kwh"] == 1
    await stack.cpo.patch_session(session, {"status": status, "kwh": 6})
    await stack.until(session_id, "stopping", phase="limit_reached")
    await eventually(lambda: stack.cpo.stops)


async def test_a_stop_before_such_a_session_is_sent_with_it(stack: Stack) -> None:
    session_id = await stack.started()
    await stack.stop(session_id)
    await stack.cpo.push_session(stack.cpo.session(status="STARTING"))
    await eventually(lambda: stack.cpo.stops)
    assert stack.cpo.stops[0]["session_id"] == "S1"
    await stack.until(session_id, "stopping", phase="stop_sent")
