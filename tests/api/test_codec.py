"""The codec server: what Temporal UI and the ``temporal`` command ask to show payloads to operators."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payloads

from api.app import create_app
from charging.payload_codec import data_converter
from charging.settings import DEVELOPMENT_SECRET, Settings
from tests.stack import user_token

UI = "https://temporal.example"
SETTINGS = Settings(encrypt_payloads=True, temporal_ui_origin=UI)
ADMIN = {"X-API-Key": DEVELOPMENT_SECRET}
BASE = "/v1/admin/codec"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(SETTINGS))  # no lifespan: it needs neither store nor Temporal
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def stored(*values: Any) -> dict[str, Any]:
    """``values`` as Temporal UI gets them from Temporal."""
    payloads = Payloads(payloads=await data_converter(SETTINGS).encode(values))
    body: dict[str, Any] = json_format.MessageToDict(payloads)
    return body


def shown(answer: httpx.Response) -> list[Any]:
    """What Temporal UI shows of the answer."""
    assert answer.status_code == 200, answer.text
    payloads = json_format.Parse(answer.content, Payloads()).payloads
    return [json.loads(payload.data) for payload in payloads]


async def test_what_is_stored_is_decoded_and_what_is_typed_is_encoded(http: httpx.AsyncClient) -> None:
    decoded = await http.post(f"{BASE}/decode", json=await stored({"evse": "E1"}, 7), headers=ADMIN)
    assert shown(decoded) == [{"evse": "E1"}, 7]
    encoded = await http.post(f"{BASE}/encode", json=decoded.json(), headers=ADMIN)
    assert "E1" not in encoded.text
    assert shown(await http.post(f"{BASE}/decode", json=encoded.json(), headers=ADMIN)) == [{"evse": "E1"}, 7]


TOKEN = f"Bearer {user_token(scope='payloads:read')}"


@pytest.mark.parametrize(
    ("headers", "auth", "status"),
    [
        ({}, None, 401),
        ({"X-API-Key": "wrong"}, None, 401),
        ({}, ("operator", "wrong"), 401),
        ({"Authorization": "Basic ?"}, None, 401),
        ({"Authorization": "Basic é".encode()}, None, 401),
        ({"Authorization": "Bearer junk"}, None, 401),
        ({"Authorization": f"Bearer {user_token()}"}, None, 403),
        ({"Authorization": f"Bearer {user_token(scope='sessions:read sessions:write')}"}, None, 403),
        (ADMIN, None, 200),
        ({}, ("operator", DEVELOPMENT_SECRET), 200),
        ({"Authorization": TOKEN}, None, 200),
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/encode", "/decode"])
async def test_it_takes_the_admin_key_or_a_token_made_for_it(
    http: httpx.AsyncClient, path: str, headers: dict[str, str], auth: Any, status: int
) -> None:
    method, body = ("GET", None) if path == "/sign-in" else ("POST", await stored(1))
    answer = await http.request(method, BASE + path, json=body, headers=headers, auth=auth)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"].startswith(("Basic", "Bearer"))


async def test_only_the_origin_of_temporal_ui_may_ask_from_a_browser(http: httpx.AsyncClient) -> None:
    wanted = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-namespace",
    }
    ours = await http.options(f"{BASE}/decode", headers={"Origin": UI, **wanted})
    assert ours.status_code == 200
    assert permitted(ours.headers) == (UI, "true")
    others = await http.options(f"{BASE}/decode", headers={"Origin": "https://evil.example", **wanted})
    assert permitted(others.headers)[0] is None
    # A refusal too can be read by the UI, so that people see why.
    refused = await http.post(f"{BASE}/decode", json={}, headers={"Origin": UI})
    assert (refused.status_code, *permitted(refused.headers)) == (401, UI, "true")


def permitted(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    return headers.get("access-control-allow-origin"), headers.get("access-control-allow-credentials")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b'{"payloads": 7}', 400, "malformed_json"),
        (b'{"payloads": [{"data": "\xff"}]}', 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b'{"payloads": [{"metadata": {"encoding": "YmluYXJ5L2VuY3J5cHRlZA=="}}]}', 422, "payload_unreadable"),
    ],
)
async def test_what_cannot_be_read_is_refused(http: httpx.AsyncClient, body: bytes, status: int, code: str) -> None:
    answer = await http.post(f"{BASE}/decode", content=body, headers={**ADMIN, "Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_its_requests_are_counted_under_their_whole_path() -> None:
    app = create_app(SETTINGS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        await http.post(f"{BASE}/decode", json=await stored(1), headers=ADMIN)
    labels = {"method": "POST", "route": f"{BASE}/decode", "status": "200"}
    assert app.state.metrics.registry.get_sample_value("charging_http_requests_total", labels) == 1
