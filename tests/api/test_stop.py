"""POST /v1/sessions/stop: repeatable, true, and kept when nobody works."""

import pytest

from tests.api.conftest import RunningApi
from tests.stack import user_token


async def stop(api: RunningApi, session_id: str) -> dict[str, str]:
    answer = await api.http.post("/v1/sessions/stop", json={"session_id": session_id})
    assert answer.status_code == 200, answer.text
    body: dict[str, str] = answer.json()
    return body


async def test_a_stop_answers_stopping_and_is_kept_for_a_worker_that_does_not_run(api: RunningApi) -> None:
    session_id = await api.started()
    assert await stop(api, session_id) == {"session_id": session_id, "status": "stopping"}
    assert await api.signals(session_id) == ["stop"]


async def test_a_stop_may_be_repeated(lite: RunningApi) -> None:
    session_id = await lite.started()
    first = await stop(lite, session_id)
    assert await stop(lite, session_id) == first


async def test_a_session_that_stops_already_is_not_signalled_again(lite: RunningApi) -> None:
    session_id = await lite.started()
    await lite.set(session_id, status="stopping")
    assert (await stop(lite, session_id))["status"] == "stopping"
    assert await lite.signals(session_id) == []


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_after_the_end_a_stop_answers_the_true_status(lite: RunningApi, status: str) -> None:
    session_id = await lite.started()
    await lite.set(session_id, status=status)
    assert (await stop(lite, session_id))["status"] == status


async def test_a_delegated_token_of_the_same_user_can_stop(lite: RunningApi) -> None:
    session_id = await lite.started()
    headers = {"Authorization": f"Bearer {user_token(act={'sub': 'robot-9'}, scope='sessions:write')}"}
    answer = await lite.http.post("/v1/sessions/stop", json={"session_id": session_id}, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "spell", [str.upper, lambda s: s.replace("-", ""), lambda s: f"urn:uuid:{s}", lambda s: f"{{{s}}}"]
)
async def test_odd_spellings_of_an_id_mean_the_same_session(lite: RunningApi, spell: object) -> None:
    assert callable(spell)
    session_id = await lite.started()
    assert (await stop(lite, spell(session_id)))["session_id"] == session_id
    assert (await lite.status(spell(session_id)))["session_id"] == session_id
