"""The power market next door: what it publishes, when, and what it is told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from charging.planning.curves import curve_from_json
from charging.sandbox.prices import DayPrices, published
from tests.sandbox.emsp import Emsp

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (NOON - timedelta(seconds=1), 24),
        (NOON, 48),
        (datetime(2026, 3, 28, 12, tzinfo=UTC), 47),  # tomorrow the clock is put forward
        (datetime(2026, 10, 24, 12, tzinfo=UTC), 49),  # and back
    ],
)
def test_tomorrow_is_published_at_noon_with_each_of_its_hours(now: datetime, hours: int) -> None:
    points = published(DayPrices(), now)
    assert len(points) == hours
    assert [a["end"] for a in points[:-1]] == [b["start"] for b in points[1:]]
    assert points[0]["start"].hour == (22 if now.month < 10 else 21)  # midnight in Helsinki


async def test_the_price_list_is_a_curve_and_does_what_it_is_told(emsp: Emsp) -> None:
    url = f"{emsp.cpo_url}/prices"
    usual = await emsp.http.get(url)
    curve = curve_from_json(usual.text)
    assert (curve.currency, len(curve.slots) in (23, 24, 25, 47, 48, 49)) == ("EUR", True)
    same = await emsp.http.get(url, headers={"If-None-Match": usual.headers["ETag"]})
    assert same.status_code == 304
    told = await emsp.http.post(f"{emsp.cpo_url}/admin/prices", json={"prices": [0.5] * 24})
    assert {slot.price for slot in curve_from_json(told.text).slots} == {Decimal("0.5")}
    other = await emsp.http.get(url, headers={"If-None-Match": usual.headers["ETag"]})
    assert (other.status_code, other.text) == (200, told.text)
    refused = await emsp.http.post(f"{emsp.cpo_url}/admin/prices", json={"prices": [0.5] * 23})
    assert refused.status_code == 422
