"""Hostile and malformed requests: each has one answer, names the field, and repeats nothing of what was sent."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api.app import create_app
from charging.settings import Settings
from tests.stack import EVSE, user_token

START = "/v1/sessions/start"
STOP = "/v1/sessions/stop"
PROFILE = "/v1/sessions/0f8fad5b-d9cb-469f-a165-70867728950e/charging-profile"


@pytest.fixture
async def bare() -> AsyncIterator[httpx.AsyncClient]:
    """The application without its lifespan: what is refused here touched neither store nor Temporal."""
    transport = httpx.ASGITransport(create_app(Settings()))
    headers = {"Authorization": f"Bearer {user_token()}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        yield client


def with_field(name: str, value: str) -> str:
    """A start order as JSON text, with one more field written exactly so."""
    return f'{{"evse_id": "{EVSE}", "{name}": {value}}}'


@pytest.mark.trust("2.20", "2.21", "2.22", "2.23", "2.24", "2.25", "2.26", "2.27", "2.28")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        *((with_field("battery_target_kwh", value), "battery_target_kwh") for value in (
            "NaN", "Infinity", "-Infinity", "1e400", "1e999999999999999999999", "9" * 5000, "true", '"60"', "-1", "0",
            "1e9", "1e-9", "[]", "{}",
        )),
        (with_field("battery_level_kwh", "-0.1"), "battery_level_kwh"),
        (with_field("max_cost", "0"), "max_cost"),
        (with_field("max_cost", '"12.50"'), "max_cost"),
        (with_field("connector_type", '"C\\u0000S"'), "connector_type"),
        (with_field("connector_type", '"\\ud800"'), "connector_type"),
        (with_field("connector_type", "7"), "connector_type"),
        (with_field("job_id", '""'), "job_id"),
        (with_field("job_id", '"' + "j" * 101 + '"'), "job_id"),
        (with_field("metadata", '{"colour": 7}'), "metadata.colour"),
        (with_field("metadata", '{"colour": "\\ud800"}'), "metadata.colour"),
        (with_field("metadata", json.dumps({f"k{n}": "v" for n in range(21)})), "metadata"),
        (with_field("metadata", "[]"), "metadata"),
        (with_field("user_id", '"somebody"'), "user_id"),
        (with_field("price", "0.01"), "price"),
        (with_field("status", '"completed"'), "status"),
        (with_field("\\ud800", "1"), "body"),
        ("{}", "evse_id"),
        ('{"evse_id": ""}', "evse_id"),
        ('{"evse_id": null}', "evse_id"),
        ('{"evse_id": "' + "1*" * 2500 + '"}', "evse_id"),
        ('{"evse_id": "' + "*" * 50_000 + '"}', "evse_id"),
        ("[]", "body"),
        ('"text"', "body"),
        ("null", "body"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
async def test_an_order_that_is_not_valid_is_422_and_names_the_field(
    bare: httpx.AsyncClient, body: str, field: str
) -> None:
    answer = await bare.post(START, content=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "validation_error")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert field in [error["field"] for error in problem["errors"]]
    assert len(answer.content) < 5000


async def test_a_target_that_the_battery_has_already_is_422(bare: httpx.AsyncClient) -> None:
    for level in (60, 60.5):
        order = {"evse_id": EVSE, "battery_target_kwh": 60, "battery_level_kwh": level}
        answer = await bare.post(START, json=order)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "target_not_above_level")


@pytest.mark.trust("2.32")
@pytest.mark.parametrize("body", ["{", "", "{'evse_id': 1}", '{"evse_id": "a"} x', "[" * 100_000, '{"a":' * 50_000])
async def test_a_body_that_is_not_json_is_400(bare: httpx.AsyncClient, body: str) -> None:
    answer = await bare.post(START, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


@pytest.mark.trust("2.33")
@pytest.mark.parametrize("body", [b'{"evse_id": "\xff"}', b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}"])
async def test_a_body_that_is_not_utf8_is_400(bare: httpx.AsyncClient, body: bytes) -> None:
    assert (await bare.post(START, content=body)).status_code == 400


@pytest.mark.trust("2.29")
@pytest.mark.parametrize(
    "body", ['{"evse_id": "a", "evse_id": "b"}', '{"evse_id": "a", "metadata": {"k": "1", "k": "2"}}']
)
async def test_a_key_that_comes_twice_is_400(bare: httpx.AsyncClient, body: str) -> None:
    answer = await bare.post(START, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


@pytest.mark.trust("2.31")
@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""]
)
async def test_a_body_that_does_not_say_json_is_415(bare: httpx.AsyncClient, media_type: str) -> None:
    answer = await bare.post(START, content=b'{"evse_id": "a"}', headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.trust("2.30")
@pytest.mark.parametrize("path", [START, STOP, PROFILE])
async def test_a_body_beyond_the_limit_is_413_whether_its_length_is_told_or_not(
    bare: httpx.AsyncClient, path: str
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 8192

    for content in (b" " * 500_000, chunks()):
        answer = await bare.post(path, content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.trust("2.47")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"periods": []}, "periods"),
        ({"periods": None}, "body"),
        ({"max_charge_rate_kw": 7.4, "periods": [{"start_period": 0, "limit": 1}]}, "periods"),
        ({"departure_time": "2999-01-01T00:00:00Z", "periods": [{"start_period": 0, "limit": 1}]}, "periods"),
        ({"periods": [{"start_period": 60, "limit": 11000}]}, "periods"),
        ({"periods": [{"start_period": 0, "limit": 1}, {"start_period": 0, "limit": 2}]}, "periods"),
        ({"periods": [{"start_period": n, "limit": 1} for n in (0, 9, 5)]}, "periods"),
        ({"periods": [{"start_period": 0, "limit": -1}]}, "periods.0.limit"),
        ({"periods": [{"start_period": -5, "limit": 1}]}, "periods.0.start_period"),
        ({"periods": [{"start_period": 0.5, "limit": 1}]}, "periods.0.start_period"),
        ({"periods": [{"start_period": True, "limit": 1}]}, "periods.0.start_period"),
        ({"periods": [{"start_period": 0}]}, "periods.0.limit"),
        ({"periods": [{"start_period": 0, "limit": 1, "unit": "A"}]}, "periods.0.unit"),
        ({"periods": [{"start_period": n, "limit": 1} for n in range(101)]}, "periods"),
        ({"max_charge_rate_kw": 0}, "max_charge_rate_kw"),
        ({"max_charge_rate_kw": -7.4}, "max_charge_rate_kw"),
        ({"max_charge_rate_kw": "7.4"}, "max_charge_rate_kw"),
        ({"max_charge_rate_kw": float("nan")}, "max_charge_rate_kw"),
        ({"departure_time": "tomorrow"}, "departure_time"),
        ({"departure_time": "2999-01-01"}, "departure_time"),
        ({"departure_time": "2999-01-01T00:00:00"}, "departure_time"),
        ({"departure_time": 32472144000}, "departure_time"),
        ({"departure_time": "0001-01-01T00:00:00+14:00"}, "departure_time"),
        ({"departure_time": True}, "departure_time"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
async def test_a_profile_that_is_not_possible_is_422(bare: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await bare.post(PROFILE, content=json.dumps(body))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "validation_error"), problem
    assert field in [error["field"] for error in problem["errors"]]


async def test_a_validation_error_never_repeats_what_was_sent(bare: httpx.AsyncClient) -> None:
    body = json.dumps({"evse_id": ["hunter2"], "pass word": "hunter2", "metadata": {"a": {"hunter2": 1}}})
    answer = await bare.post(START, content=body)
    assert answer.status_code == 422
    assert "hunter2" not in answer.text
    assert "pass word" not in answer.text


async def test_numbers_lose_the_noise_of_binary_fractions_and_nothing_else(bare: httpx.AsyncClient) -> None:
    from api.schemas import StartRequest
    from api.strict_json import parse

    order = StartRequest.model_validate(parse(with_field("battery_target_kwh", "60.300000000000004").encode()))
    assert str(order.battery_target_kwh) == "60.3"


@pytest.mark.trust("2.40")
@pytest.mark.parametrize(("method", "path"), [("TRACE", START), ("PUT", START), ("GET", STOP), ("PATCH", PROFILE)])
async def test_a_wrong_method_is_405_and_says_which_are_right(bare: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await bare.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "Allow" in answer.headers


async def test_an_unknown_path_is_404_in_the_same_shape(bare: httpx.AsyncClient) -> None:
    answer = await bare.get("/v2/sessions")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.trust("2.39")
async def test_no_foreign_origin_is_allowed(bare: httpx.AsyncClient) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = await bare.options(START, headers=headers)
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.trust("2.52")
async def test_a_bug_is_500_without_its_text() -> None:
    app = create_app(Settings())

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("hunter2")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.get("/bug")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text
