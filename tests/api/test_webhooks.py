"""What ``/v1/webhooks`` takes, and from whom."""

import pytest

from charging.store.webhooks import MOST_PER_USER
from tests.api.conftest import RunningApi
from tests.stack import user_token


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://user@example.com/hook",
        "http://2130706433/hook",
        "http://[::ffff:169.254.169.254]/hook",
        "ftp://example.com/hook",
        "//example.com/hook",
        "http://example.com/a b",
        "",
    ],
)
async def test_a_url_that_must_not_be_called_is_refused(lite: RunningApi, url: str) -> None:
    refused = await lite.http.post("/v1/webhooks", json={"url": url})
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_error")
    assert refused.json()["errors"][0]["field"] == "url"
    assert (await lite.http.get("/v1/webhooks")).json() == {"webhooks": []}


async def test_an_unknown_event_type_is_refused(lite: RunningApi) -> None:
    order = {"url": "https://example.com/hook", "types": ["session.everything"]}
    refused = await lite.http.post("/v1/webhooks", json=order)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "types.0")


async def test_a_webhook_of_another_user_is_absent(api: RunningApi) -> None:
    added = await api.http.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/hook"})
    mine = added.headers["location"]
    theirs = {"Authorization": f"Bearer {user_token('user-2')}"}
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("GET", "/deliveries")]:
        answer = await api.http.request(method, mine + path, headers=theirs)
        assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found")
    assert (await api.http.get("/v1/webhooks", headers=theirs)).json() == {"webhooks": []}
    absent = await api.http.post(f"{mine}/deliveries/nothing/replay")
    assert (absent.status_code, absent.json()["code"]) == (404, "delivery_not_found")
    reader = {"Authorization": f"Bearer {user_token(scope='sessions:read')}"}
    assert (await api.http.delete(mine, headers=reader)).status_code == 403
    assert (await api.http.get(mine, headers=reader)).json()["webhook_id"] == added.json()["webhook_id"]


async def test_webhooks_per_user_are_bounded(lite: RunningApi) -> None:
    for _ in range(MOST_PER_USER):
        assert (await lite.http.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/hook"})).status_code == 201
    refused = await lite.http.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/hook"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_webhooks")
