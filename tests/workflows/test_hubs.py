"""A session at a CPO behind a hub."""

from temporalio.testing import WorkflowEnvironment

from tests.peer import client_info
from tests.stack import running_stack
from tests.waiting import eventually


async def test_a_session_behind_a_hub_and_its_cpo_that_goes_away_and_comes_back(
    temporal: WorkflowEnvironment, store_url: str
) -> None:
    async with running_stack(temporal, store_url) as stack:
        hub = stack.cpo
        hub.become_a_hub(client_info("AAA"), client_info("BBB"))
        await hub.befriend(stack.database, stack.settings)
        for info in hub.hubclientinfo:
            await hub.call("PUT", f"hubclientinfo/FI/{info['party_id']}", info)

        session_id = await stack.started(evse_id="FI-BBB-E1")
        session = hub.session(country_code="FI", party_id="BBB")
        await hub.push_session(session)
        await stack.until(session_id, "active")
        await hub.call("PUT", "hubclientinfo/FI/BBB", client_info("BBB", "OFFLINE"))
        refused = await stack.api.post("/v1/sessions/start", json={"evse_id": "FI-BBB-E1"})
        assert (refused.status_code, refused.json()["code"]) == (409, "cpo_offline")
        assert len(hub.starts) == 1

        asked = len(hub.received("sessions"))
        await hub.call("PUT", "hubclientinfo/FI/BBB", client_info("BBB"))
        await eventually(lambda: len(hub.received("sessions")) > asked)
        await stack.stop(session_id)
        await eventually(lambda: hub.stops)

        commands = [*hub.received("START_SESSION"), *hub.received("STOP_SESSION")]
        assert {r.headers["ocpi-to-party-id"] for r in commands} == {"BBB"}
        assert hub.received("sessions")[-1].headers["ocpi-to-party-id"] == "HUB"
