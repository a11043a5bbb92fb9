"""A session from the robot's wish to the paid receipt, with each neighbour that may keep the money."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from charging.sandbox.neighbours.app import create_app
from charging.sandbox.neighbours.settings import NeighbourSettings
from tests.peer import now
from tests.serving import free_port, serve
from tests.stack import Stack, running_stack
from tests.waiting import eventually

OUR_PORT = free_port()
LIFE = ("pending", "active", "stopping", "completed")


@pytest.fixture
async def neighbours() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(NeighbourSettings(engine_url=f"http://127.0.0.1:{OUR_PORT}"))
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


async def billed(stack: Stack, **order: Any) -> str:
    """A session whose CDR says 2.60 EUR; its id."""
    session_id, session = await stack.charging(minutes=30, **order)
    await stack.cpo.push_session({**session, "status": "COMPLETED", "kwh": 10.5, "end_date_time": now()})
    await stack.cpo.post_cdr(stack.cpo.cdr({**session, "kwh": 10.5, "end_date_time": now()}, total_cost=2.6))
    return session_id


async def receipt(stack: Stack, session_id: str) -> dict[str, Any]:
    answer = await stack.api.get(f"/v1/sessions/{session_id}/receipt")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_payments_takes_the_money_after_the_session_and_robot_jobs_hears_each_status_once(
    temporal: WorkflowEnvironment, store_url: str, neighbours: httpx.AsyncClient
) -> None:
    url = str(neighbours.base_url)
    settings = {"payments": "payments", "payments_url": url, "robot_jobs_url": url, "neighbour_timeout_s": 1.5}
    mishaps = [{"on": "/v1/charging-events", "kind": kind} for kind in ("hang_after", "error_before")]
    await neighbours.post("/admin/mishaps", json=mishaps)
    async with running_stack(temporal, store_url, settings=settings) as stack:
        session_id = await billed(stack, job_id="job/7", robot_id="R2")
        await stack.until(session_id, "completed")
        paid = await receipt(stack, session_id)
        assert (paid["cost"], paid["payment_status"]) == (2.6, "paid")
        (intent,) = (await neighbours.get("/admin/payments")).json()["movements"]
        assert (intent["booking_id"], intent["amount"], intent["currency"]) == (session_id, 2.6, "EUR")

        heard: list[dict[str, Any]] = []

        async def all_heard() -> bool:
            heard[:] = (await neighbours.get("/admin/jobs?job_id=job/7")).json()
            return bool(heard) and heard[-1]["data"]["status"] == "completed"

        await eventually(all_heard)
        assert list(dict.fromkeys(each["data"]["status"] for each in heard)) == list(LIFE)
        assert [each["seq"] for each in heard] == sorted({each["seq"] for each in heard})
        assert {(each["session_id"], each["robot_id"]) for each in heard} == {(session_id, "R2")}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_ev_pass_says_who_it_is_pays_from_the_wallet_and_lists_the_session(
    temporal: WorkflowEnvironment, store_url: str, neighbours: httpx.AsyncClient
) -> None:
    url = str(neighbours.base_url)
    settings = {
        "payments": "evpass",
        "evpass_url": url,
        "jwks_url": f"{url}/.well-known/jwks.json",
        "jwt_algorithms": ["ES256"],
    }

    async def token(**claims: str) -> str:
        answer = await neighbours.post("/admin/evpass/token", json={"sub": "ada", **claims})
        return f"Bearer {answer.json()['token']}"

    async with running_stack(temporal, store_url, settings=settings) as stack:
        stack.api.headers["Authorization"] = await token(contract_id="FI-EVP-C00042")
        session_id = await billed(stack)
        await stack.until(session_id, "completed")
        assert stack.cpo.starts[0]["token"]["contract_id"] == "FI-EVP-C00042"
        assert (await receipt(stack, session_id))["payment_status"] == "paid"
        headers = {"X-API-Key": stack.settings.evpass_key.get_secret_value()}
        query = {"user_id": "ada", "currency": "EUR"}

        async def released() -> bool:
            wallet = (await neighbours.get("/v1/wallet/balance", params=query, headers=headers)).json()
            return bool(wallet["available"] == 997.4)

        await eventually(released)

        await neighbours.post("/admin/evpass/rotate")
        stack.api.headers["Authorization"] = await token()
        (item,) = (await stack.api.get("/v1/history", params={"limit": 1})).json()["items"]
        assert item.pop("start_time") < item.pop("end_time")
        assert item == {
            "type": "charging",
            "session_id": session_id,
            "status": "completed",
            "energy_kwh": 10.5,
            "cost": 2.6,
            "currency": "EUR",
            "duration_minutes": 30,
        }
        assert (await stack.api.get("/v1/history?skip=1")).json() == {"items": []}
        assert (await stack.api.get("/v1/history?limit=0")).status_code == 422
