"""Quotes over REST: what a charge would cost, before it starts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, insert, select

from charging.store import tables
from tests.api.conftest import RunningApi
from tests.api.test_plans import tell_prices
from tests.stack import EVSE, user_token


async def quote(api: RunningApi, **body: Any) -> httpx.Response:
    order = {"evse_id": EVSE, "connector_type": "CCS", "energy_kwh": 30, **body}
    return await api.http.post("/v1/quotes", json={name: value for name, value in order.items() if value != "-"})


async def test_a_charge_is_priced_by_the_connectors_tariff_line_by_line(api: RunningApi) -> None:
    start = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    answer = await quote(api, max_charge_rate_kw=15, duration_minutes=180, start_time=start.isoformat())
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["evse_id"], told["network"], told["connector_type"]) == (EVSE, "Virta", "CCS")
    assert (told["total_cost"], told["currency"]) == ({"excl_vat": 7.5, "incl_vat": 9.3}, "EUR")
    (line,) = told["lines"]
    assert (line["dimension"], line["volume"], line["billed_volume"], line["cost"]) == ("ENERGY", 30, 30, 7.5)
    assert (line["price"], line["vat"], line["why"]) == (0.25, 24, "element 1")
    moments = [datetime.fromisoformat(told[name]) - start for name in ("start_time", "charged_time", "end_time")]
    assert moments == [timedelta(), timedelta(hours=2), timedelta(hours=3)]
    assert any("15 kW" in words for words in told["assumptions"])
    assert any("plugged in without charging" in words for words in told["assumptions"])
    assert (told["warnings"], told["price_source"], told["tariff_id"]) == ([], "tariff", "T1")
    assert (await api.http.get("/v1/sessions")).json()["sessions"] == []


async def test_energy_that_does_not_fit_into_the_time_is_not_priced_and_said(lite: RunningApi) -> None:
    told = (await quote(lite, max_charge_rate_kw=10, duration_minutes=60)).json()
    assert (told["energy_kwh"], told["missing_kwh"], told["total_cost"]["excl_vat"]) == (10, 20, 2.5)
    assert [warning["code"] for warning in told["warnings"]] == ["too_short"]


async def test_an_unknown_price_is_null_and_not_free(lite: RunningApi) -> None:
    async with lite.database.write() as store:
        rows = [dict(row._mapping) for row in await store.execute(select(tables.tariffs))]
        await store.execute(delete(tables.tariffs))
    try:
        told = (await quote(lite)).json()
    finally:
        async with lite.database.write() as store:
            await store.execute(insert(tables.tariffs), rows)
    assert (told["total_cost"], told["currency"], told["lines"], told["tariff_id"]) == (None, None, [], None)
    assert [warning["code"] for warning in told["warnings"]] == ["price_unknown"]


async def test_a_price_curve_goes_before_the_tariff_as_far_as_it_reaches(lite: RunningApi) -> None:
    await tell_prices(lite, 0.5, 0.5, 0.5)
    told = (await quote(lite)).json()
    assert (told["total_cost"], told["price_source"]) == ({"excl_vat": None, "incl_vat": 15.0}, "spot")
    assert (told["tariff_id"], datetime.fromisoformat(told["valid_until"]) > datetime.now(UTC)) == (None, True)
    beyond = (await quote(lite, max_charge_rate_kw=5)).json()  # takes six hours
    assert (beyond["price_source"], beyond["total_cost"]["excl_vat"]) == ("tariff", 7.5)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"evse_id": "FI-VRT-NOWHERE"}, "evse_not_found"),
        ({"connector_type": "CHAdeMO"}, "connector_not_available"),
        ({"energy_kwh": "-"}, "energy_kwh"),
        ({"energy_kwh": 0}, "energy_kwh"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"duration_minutes": 1.5}, "duration_minutes"),
        ({"duration_minutes": 10**9}, "duration_minutes"),
        ({"start_time": "2020-01-01T00:00:00Z"}, "start_time"),
        ({"start_time": "9999-01-01T00:00:00Z"}, "start_time"),
        ({"max_charge_rate_kw": 0}, "max_charge_rate_kw"),
        ({"location_id": "LOC1"}, "location_id"),
        ({"soc": 20}, "soc"),
    ],
)
async def test_a_quote_that_cannot_be_is_refused(lite: RunningApi, body: dict[str, Any], code: str) -> None:
    refused = await quote(lite, **body)
    problem = refused.json()
    assert refused.status_code == (404 if code == "evse_not_found" else 422), refused.text
    assert code in (problem["code"], *(error["field"] for error in problem.get("errors", [])))


async def test_a_quote_takes_a_user_with_the_right_to_read(lite: RunningApi) -> None:
    order = {"evse_id": EVSE, "energy_kwh": 1}
    writers = {"Authorization": f"Bearer {user_token(scope='sessions:write')}"}
    assert (await lite.http.post("/v1/quotes", json=order, headers=writers)).status_code == 403
    assert (await lite.http.post("/v1/quotes", json=order, headers={"Authorization": ""})).status_code == 401
