"""Plans over REST: before a session, of a session, and as a picture."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from sqlalchemy import select

from charging.ocpi import wire
from charging.store import tables
from tests.api.conftest import RunningApi
from tests.api.test_profiles import path, send
from tests.market import hours
from tests.ocpi.conftest import on_sqlite
from tests.stack import EVSE, Stack, user_token
from tests.waiting import eventually

DEAR, CHEAP = 0.40, 0.10
LOOKED = 11 * 5 / 60  # kWh of the five minutes in which it is seen what the car takes
COST = LOOKED * DEAR + (20 - LOOKED) * CHEAP


def departure(hours: float = 6) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


async def tell_prices(api: RunningApi | Stack, *prices: float) -> None:
    """These prices of Virta's, hour by hour from the beginning of this hour on."""
    client = api.http if isinstance(api, RunningApi) else api.api
    headers = {"X-API-Key": api.settings.admin_key.get_secret_value(), "Content-Type": "application/json"}
    told = await client.put(
        "/v1/admin/curves/spot",
        params={"kind": "price", "connection": "virta"},
        content=wire.dumps(hours(*prices)),
        headers=headers,
    )
    assert told.is_success, told.text


async def preview(api: RunningApi, **body: Any) -> httpx.Response:
    order = {"evse_id": EVSE, "connector_type": "CCS", "energy_kwh": 20, "departure_time": departure(), **body}
    return await api.http.post("/v1/plans", json=order)


async def test_a_plan_is_previewed_with_the_prices_that_hold_there(api: RunningApi) -> None:
    await tell_prices(api, DEAR, DEAR, DEAR, *[CHEAP] * 6)
    answer = await preview(api, max_charge_rate_kw=11)
    assert answer.status_code == 200, answer.text
    told, plan = answer.json(), answer.json()["plan"]
    assert (told["evse_id"], told["network"], told["connector_type"]) == (EVSE, "Virta", "CCS")
    assert (plan["strategy"], plan["feasible"], plan["energy_kwh"]) == ("cheapest", True, 20)
    assert (plan["price_source"], plan["currency"], plan["provisional"]) == ("spot", "EUR", False)
    looked, paused, *_ = plan["periods"]  # it looks at the car for five minutes, then waits for the cheap hours
    assert (looked["start_period"], looked["limit"]) == (0, 11000)
    assert looked["reason"] == "First it is seen what the car takes."
    assert (paused["start_period"], paused["limit"]) == (300, 0)
    assert plan["cost"] == pytest.approx(COST, abs=0.01)
    assert plan["cost_if_asap"] > 4
    assert (await api.http.get("/v1/sessions")).json()["sessions"] == []


async def test_without_a_curve_the_tariff_holds(lite: RunningApi) -> None:
    plan = (await preview(lite)).json()["plan"]
    assert (plan["price_source"], plan["cost"] > 0) == ("tariff", True)


async def test_a_plan_reads_the_tariff_as_its_cpo_does(lite: RunningApi) -> None:
    free = {"price_components": [{"type": "TIME", "price": 0, "step_size": 1}]}
    async with lite.database.read() as store:
        (tariff,) = (await store.scalars(select(tables.tariffs.c.body))).all()
    try:
        await _tell_terms(lite, tariff | {"elements": [free, *tariff["elements"]]}, {"whole_elements": True})
        assert (await preview(lite)).json()["plan"]["cost"] == 0
        await _tell_terms(lite, tariff | {"elements": [free, *tariff["elements"]]}, {})
        assert (await preview(lite)).json()["plan"]["cost"] > 0
    finally:
        await _tell_terms(lite, tariff, {})


async def _tell_terms(lite: RunningApi, tariff: dict[str, Any], rules: dict[str, Any]) -> None:
    async with lite.database.write() as store:
        await store.execute(tables.tariffs.update().values(body=tariff))
    admin = {"X-API-Key": lite.settings.admin_key.get_secret_value()}
    told = await lite.http.patch("/ocpi/connections/virta", json={"tariff_rules": rules}, headers=admin)
    assert told.is_success, told.text


async def test_what_cannot_be_reached_is_planned_all_the_same_with_a_warning(lite: RunningApi) -> None:
    plan = (await preview(lite, energy_kwh=60, max_charge_rate_kw=10, departure_time=departure(1))).json()["plan"]
    assert (plan["feasible"], [period["limit"] for period in plan["periods"]]) == (False, [10_000])
    assert plan["shortfall_kwh"] == pytest.approx(50, abs=0.1)
    assert plan["warnings"] != []
    assert datetime.fromisoformat(plan["projected_finish"]) > datetime.now(UTC) + timedelta(hours=5)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"evse_id": "FI-VRT-NOWHERE"}, "evse_not_found"),
        ({"connector_type": "CHAdeMO"}, "connector_not_available"),
        ({"departure_time": "2020-01-01T00:00:00Z"}, "departure_time"),
        ({"departure_time": "tomorrow"}, "departure_time"),
        ({"energy_kwh": 0}, "energy_kwh"),
        ({"energy_kwh": None}, "energy_kwh"),
        ({"strategy": "fastest"}, "strategy"),
        ({"min_charge_rate_kw": 12, "max_charge_rate_kw": 11}, "min_charge_rate_kw"),
        ({"soc": 20}, "soc"),
    ],
)
async def test_a_preview_that_cannot_be_is_refused(lite: RunningApi, body: dict[str, Any], code: str) -> None:
    refused = await preview(lite, **body)
    problem = refused.json()
    assert refused.status_code == (404 if code == "evse_not_found" else 422), refused.text
    assert code in (problem["code"], *(error["field"] for error in problem.get("errors", [])))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_charge_rate_kw": 11, "strategy": "cheapest"}, "departure_time"),
        ({"guaranteed_kwh": 5}, "body"),
        ({"periods": [{"start_period": 0, "limit": 11000}], "strategy": "latest"}, "departure_time"),
        ({"departure_time": departure(), "strategy": "custom"}, "strategy"),
        ({"departure_time": departure(), "guaranteed_kwh": -1}, "guaranteed_kwh"),
        ({"departure_time": departure(), "max_charge_rate_kw": 3, "min_charge_rate_kw": 4}, "min_charge_rate_kw"),
    ],
)
async def test_terms_of_a_departure_need_one_and_must_fit(lite: RunningApi, body: dict[str, Any], field: str) -> None:
    session_id = await lite.started()
    refused = await lite.http.post(path(session_id), json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field), refused.text
    assert await lite.signals(session_id) == []


async def test_a_plan_is_its_users_alone_and_takes_the_right_to_read(lite: RunningApi) -> None:
    session_id = await lite.started()
    strangers = {"Authorization": f"Bearer {user_token('another')}"}
    writers = {"Authorization": f"Bearer {user_token(scope='sessions:write')}"}
    for what in ("plan", "plan.svg", "plan.png"):
        told = await lite.http.get(f"/v1/sessions/{session_id}/{what}", headers=strangers)
        assert (told.status_code, told.json()["code"]) == (404, "session_not_found")
        told = await lite.http.get(f"/v1/sessions/{session_id}/{what}", headers=writers)
        assert (told.status_code, told.json()["code"]) == (403, "insufficient_scope")
    order = {"evse_id": EVSE, "energy_kwh": 1, "departure_time": departure()}
    assert (await lite.http.post("/v1/plans", json=order, headers=writers)).status_code == 403


async def test_a_session_without_a_plan_says_so(lite: RunningApi) -> None:
    session_id = await lite.started()
    told = await lite.http.get(f"/v1/sessions/{session_id}/plan")
    assert (told.status_code, told.json()["plan"], told.json()["earlier"]) == (200, None, [])
    no_picture = await lite.http.get(f"/v1/sessions/{session_id}/plan.svg")
    assert (no_picture.status_code, no_picture.json()["code"]) == (404, "plan_not_found")


@on_sqlite
async def test_a_plan_is_told_drawn_and_replaced_when_its_prices_change(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell_prices(stack, DEAR, DEAR, DEAR, *[CHEAP] * 6)
    session_id, _ = await stack.charging(battery_target_kwh=20)
    wish = {"departure_time": departure(), "max_charge_rate_kw": 11, "strategy": "cheapest"}
    answer = (await send(stack, session_id, wish, "ACCEPTED")).json()
    assert (answer["profile_set"], answer["plan"]["revision"]) == (True, 1)
    assert answer["plan"]["cost"] == pytest.approx(COST, abs=0.01)
    assert [period["limit"] for period in answer["periods"]] == [p["limit"] for p in answer["plan"]["periods"]]

    told = (await stack.api.get(f"/v1/sessions/{session_id}/plan")).json()
    assert (told["state"], told["plan"], told["earlier"]) == ("in_force", answer["plan"], [])
    assert [price["price"] for price in told["prices"]][:2] == [DEAR, DEAR]
    await _is_drawn(stack, session_id)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as where the extra is not installed
    refused = await stack.api.get(f"/v1/sessions/{session_id}/plan.svg")
    assert (refused.status_code, refused.json()["code"]) == (501, "plan_unavailable")

    before = len(stack.cpo.received("SET_PROFILE"))
    await tell_prices(stack, CHEAP, CHEAP, CHEAP, CHEAP, *[DEAR] * 5)
    await eventually(lambda: len(stack.cpo.received("SET_PROFILE")) > before)
    await stack.cpo.send_result(stack.cpo.received("SET_PROFILE")[-1].body["response_url"], "ACCEPTED")

    async def is_replaced() -> bool:
        told.update((await stack.api.get(f"/v1/sessions/{session_id}/plan")).json())
        return bool(told["state"] == "in_force" and told["plan"]["revision"] == 2)

    await eventually(is_replaced, describe=lambda: str(told))
    assert told["plan"]["periods"][0]["limit"] == pytest.approx(11_000, rel=0.001)
    (earlier,) = told["earlier"]
    assert (earlier["revision"], earlier["state"]) == (1, "replaced")
    assert "price" in earlier["replaced_because"].lower()


async def _is_drawn(stack: Stack, session_id: str) -> None:
    svg = await stack.api.get(f"/v1/sessions/{session_id}/plan.svg")
    assert (svg.status_code, svg.headers["content-type"]) == (200, "image/svg+xml")
    texts = {element.text for element in ElementTree.fromstring(svg.content).iter("{http://www.w3.org/2000/svg}text")}
    assert {"kW", "kWh", "EUR/kWh", "planned", " departure "} <= texts
    png = await stack.api.get(f"/v1/sessions/{session_id}/plan.png")
    assert png.content.startswith(b"\x89PNG")
