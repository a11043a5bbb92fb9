"""The seven endpoints as a person types them: the real ``curl`` against the running stack."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.embedded import Embedded, Json, embedded
from tests.programs import program
from tests.waiting import eventually

EVSE = "FI-VRT-E12345"
ORDER = {"evse_id": EVSE, "connector_type": "CCS", "battery_target_kwh": 60.0}
STATUS_FIELDS = {"session_id", "status", "energy_kwh", "cost", "currency", "duration_minutes", "start_time"}

Curl = Callable[..., Awaitable[tuple[int, Json]]]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Embedded]:
    """A stack whose cars take 15 kW, times 2: however slow the machine is, 60 kWh are far away, also by a departure."""
    async with embedded(tmp_path / "data", speed=2) as stack:
        await stack.sandbox("car", {"capacity_kwh": 1000, "max_dc_kw": 15})
        yield stack


@pytest.fixture
def curl(stack: Embedded) -> Curl:
    """``await curl("POST", "/v1/…", body, "Header: value")``: the HTTP status and the JSON answer."""

    async def call(method: str, path: str, body: Any = None, *headers: str) -> tuple[int, Json]:
        words = ["-sS", "-X", method, "-w", "\n%{http_code}", f"{stack.run['api']}{path}"]
        for header in (f"Authorization: Bearer {stack.run['token']}", *headers):
            words += ["-H", header]
        if body is not None:
            words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(program("curl"), *words, stdout=pipe, stderr=pipe)
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        text, _, status = out.decode().rpartition("\n")
        return int(status), json.loads(text)

    return call


async def test_the_seven_endpoints_with_plain_curl_charge_a_car_to_a_paid_receipt(stack: Embedded, curl: Curl) -> None:
    """Start, status, profile set three ways and cleared, stop, receipt: every answer as the contract shows it."""
    session_id = await start(curl)
    await eventually(lambda: is_active(curl, session_id), every_s=0.2)
    assert await curl("GET", f"/v1/sessions/{session_id}/receipt") == (409, Problem("receipt_not_ready"))
    await set_profiles(curl, session_id)
    await clear_profile(curl, session_id)
    await stop(curl, session_id)
    receipt = await eventually(lambda: receipt_of(curl, session_id), every_s=0.2)
    ended = await curl("POST", "/v1/sessions/stop", {"session_id": session_id})
    assert ended == (200, {"session_id": session_id, "status": "completed"})
    (cdr,) = (await stack.records())["cdrs"]
    assert receipt | {"duration_minutes": 0} == receipt | {
        "session_id": session_id,
        "network": "Virta",
        "evse_id": EVSE,
        "energy_kwh": float(cdr["total_energy"]),
        "duration_minutes": 0,
        "cost": float(cdr["total_cost"]["incl_vat"]),
        "currency": "EUR",
        "payment_status": "paid",
    }


async def start(curl: Curl) -> str:
    """POST start, twice with one Idempotency-Key: one session."""
    code, answer = await curl("POST", "/v1/sessions/start", ORDER, "Idempotency-Key: walk-2")
    session_id = answer["session_id"]
    assert (code, answer) == (201, answer_to_start(session_id, "pending"))
    code, again = await curl("POST", "/v1/sessions/start", ORDER, "Idempotency-Key: walk-2")
    assert (code, again) == (201, answer_to_start(session_id, again["status"]))
    return str(session_id)


def answer_to_start(session_id: str, status: str) -> Json:
    """The whole answer."""
    return {"session_id": session_id, "status": status, "evse_id": EVSE, "network": "Virta"}


async def is_active(curl: Curl, session_id: str) -> bool:
    """GET status: whether energy flows."""
    code, status = await curl("GET", f"/v1/sessions/{session_id}/status")
    assert code == 200
    assert status.keys() >= STATUS_FIELDS
    return bool(status["status"] == "active" and status["energy_kwh"] > 0)


async def set_profiles(curl: Curl, session_id: str) -> None:
    """POST charging-profile: a cap; a cap and a departure; periods."""
    departure = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    schedule = [{"start_period": 0, "limit": 11000}, {"start_period": 3600, "limit": 7400}]
    await set_profile(curl, session_id, {"max_charge_rate_kw": 7.4}, periods=[{"start_period": 0, "limit": 7400}])
    request = {"max_charge_rate_kw": 11.0, "departure_time": departure}
    await set_profile(curl, session_id, request, periods=[{"start_period": 0, "limit": 11000}])
    await set_profile(curl, session_id, {"periods": schedule}, periods=schedule)
    _, status = await curl("GET", f"/v1/sessions/{session_id}/status")
    assert status["limit_kw"] == 11.0


async def set_profile(curl: Curl, session_id: str, request: Json, *, periods: list[Json]) -> None:
    """One request, accepted by the CPO."""
    code, answer = await curl("POST", f"/v1/sessions/{session_id}/charging-profile", request)
    nothing = {"max_charge_rate_kw": None, "departure_time": None}
    expected = {"session_id": session_id, "profile_set": True, **nothing, **request, "periods": periods}
    assert (code, {name: answer.get(name) for name in expected}) == (200, expected)


async def clear_profile(curl: Curl, session_id: str) -> None:
    """DELETE charging-profile: full power again."""
    answer = await curl("DELETE", f"/v1/sessions/{session_id}/charging-profile")
    assert answer == (200, {"session_id": session_id, "profile_cleared": True})
    _, status = await curl("GET", f"/v1/sessions/{session_id}/status")
    assert status["limit_kw"] is None


async def stop(curl: Curl, session_id: str) -> None:
    """POST stop, twice."""
    stopping = (200, {"session_id": session_id, "status": "stopping"})
    assert await curl("POST", "/v1/sessions/stop", {"session_id": session_id}) == stopping
    code, again = await curl("POST", "/v1/sessions/stop", {"session_id": session_id})
    assert (code, again["status"] in ("stopping", "completed")) == (200, True)


async def receipt_of(curl: Curl, session_id: str) -> Json | None:
    """GET receipt, once it is final."""
    code, receipt = await curl("GET", f"/v1/sessions/{session_id}/receipt")
    return receipt if code == 200 and receipt["payment_status"] != "pending" else None


class Problem:
    """Equal to every problem document with this code."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and other.get("code") == self.code

    __hash__ = None  # type: ignore[assignment] # never a key
