"""What a start shows a CPO: a one-time token, or the user's stable one, as the connection says."""

from typing import Any

from sqlalchemy import select

from charging.store import tables
from charging.store.commands import CommandStore
from charging.store.connections import ConnectionStore
from tests.api.conftest import RunningApi


async def operate(api: RunningApi, method: str, path: str, body: Any = None) -> Any:
    headers = {"X-API-Key": api.settings.admin_key.get_secret_value()}
    response = await api.http.request(method, f"/ocpi/{path}", json=body, headers=headers)
    assert response.status_code < 300, response.text
    return response.json()


async def sent_token(api: RunningApi, session_id: str) -> Any:
    """The Token that the session's START_SESSION carries."""
    connections = ConnectionStore(api.database, api.settings.secret_keys)
    return (await CommandStore(api.database, connections).begin_start(session_id)).token


async def test_a_start_shows_the_users_stable_token_where_its_cpo_is_set_so(api: RunningApi) -> None:
    token = await operate(api, "POST", "tokens", {"user_id": "user-1"})
    assert (await operate(api, "PATCH", "connections/virta", {"start_token": "user"}))["start_token"] == "user"
    try:
        with_token = await api.started()
        assert (await sent_token(api, with_token))["uid"] == token["uid"]
        again = await api.start(evse_id="FI-VRT-E12346")
        assert again.status_code == 201, "the same token starts many sessions"
    finally:
        await operate(api, "PATCH", "connections/virta", {"start_token": "one_time"})
    async with api.database.read() as store:
        uids = (await store.scalars(select(tables.sessions.c.token_uid))).all()
    assert set(uids) == {token["uid"]}


async def test_a_user_without_a_valid_one_starts_with_a_one_time_token(api: RunningApi) -> None:
    token = await operate(api, "POST", "tokens", {"user_id": "user-1"})
    await operate(api, "DELETE", f"tokens/{token['uid']}?type=APP_USER")
    await operate(api, "POST", "tokens", {"user_id": "user-1", "type": "RFID", "uid": "CARD"})
    await operate(api, "PATCH", "connections/virta", {"start_token": "user"})
    try:
        assert (await sent_token(api, await api.started()))["type"] == "AD_HOC_USER"
    finally:
        await operate(api, "PATCH", "connections/virta", {"start_token": "one_time"})


async def test_without_that_setting_the_stable_token_stays_at_home(api: RunningApi) -> None:
    await operate(api, "POST", "tokens", {"user_id": "user-1"})
    assert (await sent_token(api, await api.started()))["type"] == "AD_HOC_USER"


async def test_a_setting_that_there_is_not_is_422(lite: RunningApi) -> None:
    headers = {"X-API-Key": lite.settings.admin_key.get_secret_value()}
    refused = await lite.http.patch("/ocpi/connections/virta", json={"start_token": "own"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_error")
    empty = await lite.http.patch("/ocpi/connections/virta", json={}, headers=headers)
    assert (empty.status_code, empty.json()["code"]) == (422, "validation_error")
    absent = await lite.http.patch("/ocpi/connections/nobody", json={"start_token": "user"}, headers=headers)
    assert (absent.status_code, absent.json()["code"]) == (404, "connection_not_found")
