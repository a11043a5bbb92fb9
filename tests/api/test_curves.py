"""``/v1/admin/curves``: what power costs, and what it emits, as the operator tells it or has it fetched."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from charging.ocpi import wire
from charging.store.curves import CurveStore
from charging.temporal import drop_curve_schedule
from tests.api.conftest import RunningApi
from tests.market import Market, hours, market
from tests.ocpi.conftest import on_sqlite
from tests.stack import Stack, running_stack
from tests.waiting import eventually

NAME = "spot"
PATH = f"/v1/admin/curves/{NAME}"
CSV = (
    "start,end,price\n2026-03-01T00:00:00Z,2026-03-01T01:00:00Z,0.10\n2026-03-01T01:00:00Z,2026-03-01T02:00:00Z,-0.02\n"
)


def admin(api: RunningApi | Stack) -> dict[str, str]:
    return {"X-API-Key": api.settings.admin_key.get_secret_value()}


async def upload(api: RunningApi, text: str, media_type: str = "text/csv", **terms: str) -> httpx.Response:
    headers = admin(api) | {"Content-Type": media_type}
    return await api.http.put(PATH, content=text, headers=headers, params=terms)


async def test_an_uploaded_csv_is_stored_and_told_again_as_json(api: RunningApi) -> None:
    new = await upload(api, CSV, kind="price", connection="virta", location="LOC1", currency="EUR")
    assert new.status_code == 201, new.text
    told = (await api.http.get(PATH, headers=admin(api))).json()
    assert [point["price"] for point in told["points"]] == [0.1, -0.02]
    about = {"name", "kind", "currency", "url", "connection", "location", "size", "known_from", "known_until"}
    assert {name: told[name] for name in about} == {
        "name": NAME,
        "kind": "price",
        "currency": "EUR",
        "url": None,
        "connection": "virta",
        "location": "LOC1",
        "size": 2,
        "known_from": "2026-03-01T00:00:00Z",
        "known_until": "2026-03-01T02:00:00Z",
    }
    again = await upload(api, wire.dumps(told | {"currency": "EUR"}).decode(), "application/json", kind="price")
    assert (again.status_code, again.json()["size"], again.json()["connection"]) == (200, 2, None)
    assert (await api.http.delete(PATH, headers=admin(api))).status_code == 204
    assert (await api.http.get("/v1/admin/curves", headers=admin(api))).json() == {"curves": []}
    assert (await api.http.get(PATH, headers=admin(api))).json()["code"] == "curve_not_found"


@pytest.mark.parametrize(
    ("text", "terms", "field"),
    [
        ("start,price\nyesterday,1\n", {"kind": "price", "currency": "EUR"}, "body"),
        (CSV, {"kind": "price"}, "body"),  # in which currency?
        (CSV, {"currency": "EUR"}, "kind"),
        (CSV, {"kind": "wind"}, "kind"),
        (CSV, {"kind": "carbon", "connection": "nobody"}, "connection"),
        (CSV, {"kind": "carbon", "location": "LOC1"}, "location"),
        (CSV, {"kind": "carbon", "valid": "yes"}, "valid"),
    ],
)
async def test_what_is_no_curve_is_422_and_stores_nothing(
    lite: RunningApi, text: str, terms: dict[str, str], field: str
) -> None:
    refused = await upload(lite, text, **terms)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field), refused.text
    assert await CurveStore(lite.database).all() == []


async def test_curves_are_the_operators_alone(lite: RunningApi) -> None:
    for method, path in (("GET", "/v1/admin/curves"), ("PUT", PATH), ("DELETE", PATH), ("POST", f"{PATH}/refresh")):
        assert (await lite.http.request(method, path)).status_code == 401  # with a user's token


async def test_the_closest_curve_holds(lite: RunningApi) -> None:
    store, connection = CurveStore(lite.database), await lite_connection(lite)
    for price, terms in ((1, {}), (2, {"connection": "virta"}), (3, {"connection": "virta", "location": "loc1"})):
        headers = admin(lite) | {"Content-Type": "application/json"}
        path = f"/v1/admin/curves/c{price}"
        body = wire.dumps(hours(price))
        put = await lite.http.put(path, content=body, params={"kind": "price", **terms}, headers=headers)
        assert put.status_code == 201, put.text
    closest = [(connection, "LOC1"), (connection, "LOC2"), ("another", "LOC1")]
    assert [(await store.closest(*place))["price"].name for place in closest] == ["c3", "c2", "c1"]


async def lite_connection(api: RunningApi) -> str:
    found = (await api.http.get("/ocpi/connections", headers=admin(api))).json()["connections"]
    return str(found[0]["id"])


@pytest.fixture
async def fetching(temporal: WorkflowEnvironment, store_url: str) -> AsyncIterator[tuple[Stack, Market]]:
    """An engine that looks for new curves all the time, and a market."""
    async with market() as open_market, running_stack(temporal, store_url, settings={"sweep_s": 0.2}) as stack:
        yield stack, open_market
        await drop_curve_schedule(stack.temporal, NAME)


async def refresh(stack: Stack) -> dict[str, Any]:
    answer = await stack.api.post(f"{PATH}/refresh", headers=admin(stack))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def prices(stack: Stack) -> list[float]:
    return [point["price"] for point in (await stack.api.get(PATH, headers=admin(stack))).json()["points"]]


@on_sqlite
async def test_a_published_curve_is_fetched_by_itself_and_what_is_wrong_leaves_the_last_known_good(
    fetching: tuple[Stack, Market],
) -> None:
    stack, source = fetching
    put = await stack.api.put(PATH, json={"url": source.url, "kind": "price"}, headers=admin(stack))
    assert (put.status_code, put.json()["size"]) == (201, 0)

    async def is_there() -> bool:
        return await prices(stack) == [0.1] * 24

    await eventually(is_there)
    same = await refresh(stack)
    assert (same["changed"], same["last_error"], source.asked[-1]["if-none-match"]) == (False, None, '"first"')

    source.etag = '"second"'
    source.publish(0.2, 0.3)
    assert (await refresh(stack))["changed"] is True
    assert await prices(stack) == [0.2, 0.3, *[0.1] * 22]  # what is not told anew is still known

    source.etag = None
    for status, media_type, body, why in [
        (200, "application/json", b"<html>", "no JSON"),
        (200, "text/csv", b"start,price\n", "empty"),
        (200, "application/json", wire.dumps(hours(0.5, currency="SEK")), "another currency"),
        (200, "application/json", b" " * 1024 * 1025, "too large"),
        (302, "application/json", b"", "HTTP 302"),
        (503, "application/json", b"", "HTTP 503"),
    ]:
        source.status, source.media_type, source.body = status, media_type, body
        failed = await refresh(stack)
        assert (failed["changed"], why in failed["last_error"]) == (False, True), failed["last_error"]
    assert "?again" not in str(source.asked)
    assert len(await prices(stack)) == 24
    assert failed["currency"] == "EUR"


async def test_an_uploaded_curve_has_nothing_to_be_refreshed(lite: RunningApi) -> None:
    await upload(lite, CSV, kind="carbon")
    refused = await lite.http.post(f"{PATH}/refresh", headers=admin(lite))
    assert (refused.status_code, refused.json()["code"]) == (409, "curve_not_published")


@pytest.mark.parametrize("url", ["http://169.254.169.254/prices", "ftp://prices.example/", "http://user@host/"])
async def test_an_address_where_no_market_can_be_is_refused(lite: RunningApi, url: str) -> None:
    refused = await lite.http.put(PATH, json={"url": url, "kind": "price"}, headers=admin(lite))
    assert (refused.status_code, refused.json()["code"]) == (422, "url_not_allowed")
    assert await CurveStore(lite.database).all() == []
