"""One session from start to paid receipt at CPOs that speak the other versions of OCPI."""

from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.stack import running_stack
from tests.waiting import eventually

# What Session and CDR say of which session they are about: 2.1.1 has the Token's auth_id and nothing else.
LINKS = {"2.1.1": {"auth_id"}, "2.3.0": {"cdr_token", "authorization_reference"}}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("version", sorted(LINKS))
async def test_a_session_runs_from_start_to_paid_receipt(
    temporal: WorkflowEnvironment, store_url: str, version: str
) -> None:
    async with running_stack(temporal, store_url, version=version) as stack:
        cpo = stack.cpo
        session_id = await stack.started()
        asked: dict[str, Any] = cpo.received("START_SESSION")[0].body
        assert asked["response_url"].startswith(f"{cpo.emsp_url}/ocpi/emsp/{version}/commands/START_SESSION/")
        assert ("x-request-id" in cpo.received("START_SESSION")[0].headers) == (version != "2.1.1")
        await cpo.send_result(asked["response_url"], "ACCEPTED")
        session = cpo.session(status="ACTIVE", kwh=1.5)
        assert LINKS[version] <= cpo.dialect.write("session", session).keys()
        assert (await cpo.push_session(session)).status_code == 201
        await stack.until(session_id, "active", energy_kwh=1.5)
        await stack.stop(session_id)
        await eventually(lambda: cpo.stops)
        await cpo.send_result(cpo.stops[0]["response_url"], "ACCEPTED")
        ended = {**session, "status": "COMPLETED", "kwh": 2.5}
        await cpo.push_session(ended)
        await stack.until(session_id, "stopping", phase="awaiting_cdr")
        posted = await cpo.post_cdr(cpo.cdr(ended, total_cost=1.0))
        assert posted.headers["location"].startswith(f"{cpo.emsp_url}/ocpi/emsp/{version}/cdrs/")
        done = await stack.until(session_id, "completed")
        assert (done["energy_kwh"], done["cost"]) == (2.5, 1.0)
        receipt = (await stack.api.get(f"/v1/sessions/{session_id}/receipt")).json()
        assert (receipt["payment_status"], receipt["cost"], receipt["energy_kwh"]) == ("paid", 1.0, 2.5)
