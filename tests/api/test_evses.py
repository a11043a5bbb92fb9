"""GET /v1/evses: what a robot sees before it drives, by id and by place."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from charging.settings import Settings
from charging.store.connections import ConnectionStore
from charging.store.locations import LocationStore
from tests.api.conftest import RunningApi, running_api
from tests.peer import ScriptedCpo, connector, evse, location, now, tariff
from tests.stack import user_token

HERE: dict[str, Any] = {"lat": 60.169857, "lng": 24.938379}


async def get(api: RunningApi, path: str = "", **query: Any) -> dict[str, Any]:
    answer = await api.http.get(f"/v1/evses{path}", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_evse_is_told_whole_in_the_words_of_the_api(api: RunningApi) -> None:
    assert await get(api, "/FI-VRT-E12345") == {
        "evse_id": "FI*VRT*E12345",
        "evse_uid": "3256",
        "network": "Virta",
        "status": "AVAILABLE",
        "last_updated": "2026-01-01T00:00:00Z",
        "coordinates": {"latitude": 60.169857, "longitude": 24.938379},
        "physical_reference": None,
        "location": {
            "country_code": "FI",
            "party_id": "VRT",
            "id": "LOC1",
            "name": "Test site",
            "address": "Testikatu 1",
            "city": "Helsinki",
            "postal_code": None,
            "country": "FIN",
            "time_zone": "Europe/Helsinki",
            "opening_times": None,
            "charging_when_closed": True,
        },
        "connectors": [
            {
                "id": "1",
                "connector_type": "CCS",
                "standard": "IEC_62196_T2_COMBO",
                "format": "CABLE",
                "power_type": "DC",
                "max_power_kw": 150,
                "tariff": tariff(),
            }
        ],
        "capabilities": ["REMOTE_START_STOP_CAPABLE", "CHARGING_PROFILE_CAPABLE"],
        "remote_start": True,
        "profile_capable": True,
    }


@pytest.mark.parametrize(
    "path", ["FI*VRT*E12345", "FI%2AVRT%2AE12345", "fivrte12345", "FI%20VRT%20E12345", "FI*VRT*E12345*1", "3256"]
)
async def test_any_spelling_will_do_percent_encoded_or_not(lite: RunningApi, path: str) -> None:
    assert (await get(lite, f"/{path}"))["evse_uid"] == "3256"


@pytest.mark.parametrize("path", ["FI*VRT*E0", "x" * 300, "a/b", "%00", "%FF", "*", "%20"])
async def test_an_unknown_one_is_404(api: RunningApi, path: str) -> None:
    answer = await api.http.get(f"/v1/evses/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "evse_not_found")


async def test_those_nearby_come_nearest_first_with_their_distance(api: RunningApi) -> None:
    answer = await get(api, **{**HERE, "lat": HERE["lat"] + 0.001})
    assert [(e["evse_id"], round(e["distance_m"])) for e in answer["evses"]] == [
        ("FI*VRT*E12345", 111),
        ("FI*VRT*E12346", 111),
    ]
    assert answer["truncated"] is False
    assert answer["evses"][0].keys() == {*(await get(api, "/3256")), "distance_m"}
    only = await get(api, **HERE, radius_m=500, connector_type="Type2", available="true", min_power_kw=22, limit=1)
    assert [e["connectors"][0]["connector_type"] for e in only["evses"]] == ["Type2"]
    assert (await get(api, lat=0, lng=0))["evses"] == []


async def test_of_more_than_the_limit_it_says_so(lite: RunningApi) -> None:
    answer = await get(lite, **HERE, limit=1)
    assert (len(answer["evses"]), answer["truncated"]) == (1, True)


@pytest.fixture
async def bare() -> AsyncIterator[httpx.AsyncClient]:
    """The application without its lifespan: what is refused here touched no store."""
    transport = httpx.ASGITransport(create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("lng=1", "lat"), ("lat=1", "lng"), ("lat=91&lng=1", "lat"), ("lat=1&lng=-180.1", "lng"),
        ("lat=nan&lng=1", "lat"), ("lat=1&lng=inf", "lng"), ("lat=x&lng=1", "lat"),
        ("lat=1&lng=1&radius_m=0", "radius_m"), ("lat=1&lng=1&radius_m=50001", "radius_m"),
        ("lat=1&lng=1&radius_m=-5", "radius_m"), ("lat=1&lng=1&limit=101", "limit"),
        ("lat=1&lng=1&available=maybe", "available"), ("lat=1&lng=1&connector_type=", "connector_type"),
        ("lat=1&lng=1&connector_type=%00", "connector_type"), ("lat=1&lng=1&min_power_kw=-1", "min_power_kw"),
        ("lat=1&lng=1&radius=5", "radius"),
    ],
)  # fmt: skip
async def test_a_question_that_makes_no_sense_is_422_and_names_the_field(
    bare: httpx.AsyncClient, query: str, field: str
) -> None:
    answer = await bare.get(f"/v1/evses?{query}", headers={"Authorization": f"Bearer {user_token()}"})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert field in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("path", ["/v1/evses?lat=1&lng=1", "/v1/evses/FI*VRT*E12345"])
async def test_it_wants_a_token_that_may_read(bare: httpx.AsyncClient, path: str) -> None:
    assert (await bare.get(path)).status_code == 401
    writer = {"Authorization": f"Bearer {user_token(scope='sessions:write')}"}
    assert (await bare.get(path, headers=writer)).json()["code"] == "insufficient_scope"


async def test_half_a_location_is_422(bare: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {user_token()}"}
    looked = await bare.get("/v1/evses/3256?location_id=LOC1", headers=headers)
    started = await bare.post("/v1/sessions/start", json={"evse_id": "3256", "party_id": "VRT"}, headers=headers)
    for answer in (looked, started):
        assert answer.status_code == 422
        assert [error["code"] for error in answer.json()["errors"]] == ["incomplete_location"]


@pytest.fixture
async def fresh(temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path: Path) -> AsyncIterator[RunningApi]:
    """An API of its own: what changes in its store or has been asked of its CPO matters to one test only."""
    path = tmp_path / "fresh.db"
    shutil.copy(sqlite_template, path)
    async with running_api(temporal, f"sqlite+aiosqlite:///{path}") as api:
        yield api


async def put(api: RunningApi, **fields: Any) -> None:
    (virta,) = await ConnectionStore(api.database, api.settings.secret_keys).list()
    await LocationStore(api.database).put_location(virta.id, location(**fields))


async def test_a_private_location_is_hidden_from_the_search_and_told_by_id(fresh: RunningApi) -> None:
    await put(fresh, publish=False, last_updated=now())
    assert (await get(fresh, **HERE))["evses"] == []
    assert (await get(fresh, "/FI*VRT*E12345"))["status"] == "AVAILABLE"
    assert (await fresh.start()).status_code == 201


async def test_what_is_not_told_is_null_and_an_unknown_price_is_not_free(fresh: RunningApi) -> None:
    plug = connector(standard="SOMETHING_NEW", tariff_ids=["T9"], format=None)
    charger = evse(uid="odd/1", evse_id=None, capabilities=None, connectors=[plug, {"id": "broken"}])
    await put(fresh, id="L", coordinates=None, name=None, evses=[charger])
    where = {"country_code": "FI", "party_id": "vrt", "location_id": "L"}
    answer = await get(fresh, "/" + quote("odd/1", safe=""), **where)
    assert (answer["evse_id"], answer["coordinates"], answer["location"]["name"]) == (None, None, None)
    assert (answer["remote_start"], answer["profile_capable"]) == (None, False)
    (only,) = answer["connectors"]
    assert (only["connector_type"], only["format"], only["tariff"]) == ("SOMETHING_NEW", None, None)
    started = await fresh.http.post("/v1/sessions/start", json={"evse_id": "odd/1", **where})
    assert started.status_code == 201


async def test_an_evse_that_is_new_at_its_cpo_is_asked_for_and_can_be_started_at(fresh: RunningApi) -> None:
    add(fresh.cpo, "FI*VRT*E700")
    assert (await fresh.start(evse_id="FI-VRT-E700")).status_code == 201
    add(fresh.cpo, "FI*VRT*E701")
    assert (await fresh.http.get("/v1/evses/FI-VRT-E701")).status_code == 404  # the CPO was asked just now
    assert len(fresh.cpo.received("locations")) == 1


async def test_a_look_at_a_new_evse_asks_its_cpo_too(fresh: RunningApi) -> None:
    add(fresh.cpo, "FI*VRT*E700")
    assert (await get(fresh, "/fi-vrt-e700"))["evse_id"] == "FI*VRT*E700"


def add(cpo: ScriptedCpo, evse_id: str) -> None:
    cpo.locations.append(location(id=evse_id, evses=[evse(uid=evse_id, evse_id=evse_id)], last_updated=now()))
