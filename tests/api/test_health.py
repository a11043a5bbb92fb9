"""Health, metrics, and the OpenAPI document that robots depend on."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from api.app import create_app
from api.documentation import CODES
from charging.settings import Settings
from charging.store.connections import ConnectionStore
from charging.store.peer_health import HealthRecord, HealthStore
from tests.api.conftest import RunningApi

SNAPSHOT = Path(__file__).parent / "openapi.json"
RENEW = "python -m api.documentation > tests/api/openapi.json"


async def test_liveness_touches_nothing_and_wants_no_token() -> None:
    transport = httpx.ASGITransport(create_app(Settings()))  # no lifespan: there is nothing to touch
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_readiness_asks_the_store_and_temporal(api: RunningApi) -> None:
    answer = await api.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "store": True, "temporal": True})
    shown = (await api.http.get("/metrics")).text.splitlines()
    assert {"charging_store_up 1.0", "charging_temporal_up 1.0"} <= set(shown)


async def test_metrics_count_requests_by_route_and_hold_no_ids(lite: RunningApi) -> None:
    session_id = await lite.started()
    await lite.status(session_id)
    await lite.http.get("/no/such/path")
    text = (await lite.http.get("/metrics")).text
    route = re.escape('method="GET",route="/v1/sessions/{session_id}/status",status="200"')
    assert re.search(rf"charging_http_requests_total{{{route}}} [1-9]", text)
    assert session_id not in text
    assert "/no/such/path" not in text


async def test_metrics_name_routes_with_all_their_prefixes(lite: RunningApi) -> None:
    await lite.cpo.call("GET", "locations/FI/VRT/LOC1")
    text = (await lite.http.get("/metrics")).text
    assert 'route="/ocpi/emsp/2.2.1/locations/{country_code}/{party_id}/{location_id}"' in text


async def test_a_cpo_that_workers_leave_alone_is_in_the_metrics_and_refuses_starts_at_once(lite: RunningApi) -> None:
    connections = ConnectionStore(lite.database, lite.settings.secret_keys)
    connection = await connections.by_name("virta")
    assert connection is not None
    now = datetime.now(UTC)
    broken = HealthRecord(connection.id, "worker", "open", 5, now, now + timedelta(seconds=30), "HTTP 500", None)
    await HealthStore(lite.database).put(broken)

    refused = await lite.start()
    assert (refused.status_code, refused.json()["code"]) == (503, "cpo_unavailable")
    assert 0 < int(refused.headers["Retry-After"]) <= 30
    text = (await lite.http.get("/metrics")).text
    assert 'charging_cpo_breaker_open{connection="virta",process="worker"} 1.0' in text
    assert 'charging_cpo_failures{connection="virta",process="worker"} 5.0' in text

    await HealthStore(lite.database).put(replace(broken, retry_at=now))  # time for a probe
    assert (await lite.start()).status_code == 201


def test_the_openapi_document_is_the_one_that_robots_know() -> None:
    document = create_app(Settings()).openapi()
    del document["info"]["version"]
    assert document == json.loads(SNAPSHOT.read_text()), f"robots depend on it; if this is meant: {RENEW}"


def test_every_code_of_a_problem_is_documented_at_some_endpoint() -> None:
    text = SNAPSHOT.read_text()
    assert [code for code in CODES if f"`{code}`" not in text] == []
