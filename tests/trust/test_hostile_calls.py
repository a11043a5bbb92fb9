"""Callers with a token who try what is not theirs, twice, or too soon, at a running API (docs/trust.md section 2)."""

import shutil
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from charging.store import tables
from tests.api import conftest as stage
from tests.api.conftest import RunningApi, new_key, running_api
from tests.api.test_status import add_receipt
from tests.stack import EVSE, user_token

sqlite_api, postgres_api, any_api = stage.sqlite_api, stage.postgres_api, stage.any_api
api, lite = stage.api, stage.lite

FOREIGN = {"Authorization": f"Bearer {user_token('somebody-else')}"}
OF_A_SESSION = (
    ("GET", "status", None),
    ("GET", "receipt", None),
    ("GET", "receipt.pdf", None),
    ("GET", "plan", None),
    ("GET", "plan.svg", None),
    ("GET", "events", None),
    ("POST", "charging-profile", {"max_charge_rate_kw": 7}),
    ("DELETE", "charging-profile", None),
    ("POST", "payment/retry", None),
)


async def absent(api: RunningApi, session_id: str) -> set[str]:
    """The bodies of what another user is told of a session at every endpoint, all 404."""
    answers = [await api.http.post("/v1/sessions/stop", json={"session_id": session_id}, headers=FOREIGN)]
    if "/" not in session_id:
        for method, path, body in of_session(session_id):
            answers.append(await api.http.request(method, f"/v1/sessions/{path}", json=body, headers=FOREIGN))
    assert {answer.status_code for answer in answers} == {404}
    return {answer.text for answer in answers}


@pytest.mark.trust("2.18", "2.19")
async def test_foreign_absent_and_malformed_sessions_are_the_same_404_everywhere(lite: RunningApi) -> None:
    session_id = await lite.started()
    await add_receipt(lite, session_id)
    bodies = set()
    for tried in (session_id, str(uuid.uuid4()), "not-a-uuid", "x" * 100, "../../etc/passwd"):
        bodies |= await absent(lite, tried)
    assert len(bodies) == 1
    assert await lite.signals(session_id) == []
    assert await lite.count(tables.profile_requests, session_id=session_id) == 0


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement, with its values, of the SQLite connections that are made from now on."""
    found: list[str] = []
    connect = sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(found.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    return found


@pytest.mark.trust("2.18")
async def test_a_foreign_session_is_looked_up_as_an_absent_one_is_and_no_further(
    temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path: Path, statements: list[str]
) -> None:
    """Times would tell of the machine; what the store is asked is the same on every one."""
    shutil.copy(sqlite_template, tmp_path / "charging.db")
    async with running_api(temporal, f"sqlite+aiosqlite:///{tmp_path / 'charging.db'}") as api:
        foreign = await api.started()
        await add_receipt(api, foreign)
        asked = {tried: await asked_about(api, tried, statements) for tried in (foreign, str(uuid.uuid4()))}
        of_foreign, of_absent = asked.values()
        assert of_foreign == of_absent
        assert [len(each) for each in of_absent] == [1] * (len(OF_A_SESSION) + 1)


async def asked_about(api: RunningApi, session_id: str, statements: list[str]) -> list[list[str]]:
    """What the store is asked about a session that is not the caller's, for each endpoint."""
    asked = []
    for method, path, body in [("POST", "stop", {"session_id": session_id}), *of_session(session_id)]:
        statements.clear()
        assert (await api.http.request(method, f"/v1/sessions/{path}", json=body, headers=FOREIGN)).status_code == 404
        asked.append([each.replace(session_id, "") for each in statements if session_id in each])
    return asked


def of_session(session_id: str) -> list[tuple[str, str, Any]]:
    """The endpoints below a session."""
    return [(method, f"{session_id}/{part}", body) for method, part, body in OF_A_SESSION]


@pytest.mark.trust("2.34")
async def test_the_same_key_with_another_body_is_422(api: RunningApi) -> None:
    key = new_key()
    await api.start(key=key)
    answer = await api.start(key=key, battery_target_kwh=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.trust("2.36")
@pytest.mark.parametrize("key", ["x" * 256, "a\tb", "", "a\x7fb"])
async def test_an_idempotency_key_that_cannot_be_kept_is_400(lite: RunningApi, key: str) -> None:
    headers: Any = {"Idempotency-Key": key}
    answer = await lite.http.post("/v1/sessions/start", json={"evse_id": EVSE}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert await lite.count(tables.sessions) == 0


@pytest.mark.trust("2.37")
async def test_another_users_key_replays_nothing_of_somebody_elses(api: RunningApi) -> None:
    key = new_key()
    mine = await api.start(key=key)
    theirs = await api.start(key=key, sub="somebody-else", evse_id="FI-VRT-E12346")
    assert theirs.status_code == 201
    assert theirs.json()["session_id"] != mine.json()["session_id"]


@pytest.mark.trust("2.46")
async def test_before_there_is_a_cdr_there_is_no_receipt(lite: RunningApi) -> None:
    session_id = await lite.started()
    for form in ("receipt", "receipt.pdf"):
        answer = await lite.http.get(f"/v1/sessions/{session_id}/{form}")
        assert (answer.status_code, answer.json()["code"]) == (409, "receipt_not_ready")


@pytest.mark.trust("2.47")
async def test_a_departure_in_the_past_is_422(lite: RunningApi) -> None:
    path = f"/v1/sessions/{await lite.started()}/charging-profile"
    told = await lite.http.post(path, json={"departure_time": "2020-01-01T00:00:00Z"})
    assert (told.status_code, told.json()["errors"][0]["field"]) == (422, "departure_time")


@pytest.mark.trust("2.51")
async def test_documents_and_metrics_are_open_and_tell_of_nobody(lite: RunningApi) -> None:
    session_id = await lite.started(robot_id="robot-of-a-user")
    await lite.status(session_id)
    async with httpx.AsyncClient(base_url=lite.url) as stranger:
        told = [await stranger.get(path) for path in ("/docs", "/openapi.json", "/metrics")]
    assert {answer.status_code for answer in told} == {200}
    for text in (answer.text for answer in told):
        assert [word for word in (session_id, "robot-of-a-user", "user-1") if word in text] == []
