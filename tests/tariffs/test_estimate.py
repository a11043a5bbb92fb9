"""The running estimate: OCPI tariffs priced over the energy and time so far, checked by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from charging.tariffs.estimate import even_usage, hold_amount, running_cost, tariff_currency

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday, 14:00 in Helsinki


def component(kind: str, price: float, vat: float | None = None) -> dict[str, Any]:
    return {"type": kind, "price": price, "step_size": 1, **({} if vat is None else {"vat": vat})}


def element(*components: dict[str, Any], **restrictions: Any) -> dict[str, Any]:
    return {"price_components": list(components), **({"restrictions": restrictions} if restrictions else {})}


def tariff(*elements: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": "T1", "currency": "EUR", "elements": list(elements), **fields}


def cost(
    of: dict[str, Any] | None,
    kwh: str = "0",
    minutes: float = 60,
    start: datetime = NOON,
    zone: str | None = "Europe/Helsinki",
    **more: Any,
) -> str | None:
    """The estimate as text, so that rounding shows."""
    now = start + timedelta(minutes=minutes)
    estimate = running_cost(of, kwh=Decimal(kwh), started_at=start, now=now, time_zone=zone, **more)
    return None if estimate is None else str(estimate.so_far)


ENERGY = component("ENERGY", 0.40)


def test_energy_is_priced_incl_vat_and_rounded_once() -> None:
    assert cost(tariff(element(component("ENERGY", 0.30, vat=25.5))), kwh="10.123") == "3.81"


def test_time_and_a_session_fee_add_up() -> None:
    assert cost(tariff(element(component("TIME", 2), component("FLAT", 0.5))), minutes=90) == "3.50"


def test_the_session_fee_is_due_at_once_and_only_once() -> None:
    fee = tariff(element(component("FLAT", 0.5)), element(component("FLAT", 0.9)))
    assert cost(fee, minutes=0) == "0.50"
    assert cost(fee, minutes=1000) == "0.50"


def test_each_dimension_takes_its_own_first_matching_element() -> None:
    parking_free_first = tariff(
        element(component("PARKING_TIME", 0), max_duration=3600), element(ENERGY, component("PARKING_TIME", 6))
    )
    # 30 min of charging, then parked 50 min, 20 of them after the free hour.
    assert cost(parking_free_first, kwh="5", minutes=80, parked_since=NOON + timedelta(minutes=30)) == "4.00"


def test_a_dimension_that_no_element_prices_is_free() -> None:
    assert (
        cost(tariff(element(component("TIME", 2))), kwh="40", minutes=210, parked_since=NOON + timedelta(hours=2.5))
        == "5.00"
    )


def test_kwh_bounds_are_inclusive_below_and_exclusive_above() -> None:
    steps = tariff(element(component("ENERGY", 0.2), max_kwh=10), element(component("ENERGY", 0.5)))
    assert cost(steps, kwh="10") == "2.00"
    assert cost(steps, kwh="14") == "4.00"
    assert cost(steps, kwh="14", minutes=0) == "4.00"


def test_thirty_minutes_free_then_energy() -> None:
    free_first = tariff(element(component("ENERGY", 0), max_duration=1800), element(component("ENERGY", 0.25)))
    assert cost(free_first, kwh="10", minutes=60) == "1.25"


@pytest.mark.parametrize(
    ("start_utc", "expected"),
    [
        ("2026-03-02T18:00:00+00:00", "3.00"),
        ("2026-03-02T19:30:00+00:00", "2.00"),
        ("2026-03-02T21:00:00+00:00", "1.00"),
    ],
)
def test_day_and_night_follow_the_local_clock(start_utc: str, expected: str) -> None:
    """Night is 22:00-06:00 in Helsinki, two hours ahead of UTC in winter."""
    night = tariff(
        element(component("ENERGY", 0.1), start_time="22:00", end_time="06:00"), element(component("ENERGY", 0.3))
    )
    assert cost(night, kwh="10", start=datetime.fromisoformat(start_utc)) == expected


def test_an_end_at_midnight_is_the_end_of_the_day() -> None:
    evening = tariff(element(component("ENERGY", 1), start_time="18:00", end_time="00:00"))
    assert cost(evening, kwh="2", minutes=120, start=datetime(2026, 3, 2, 21, 0, tzinfo=UTC)) == "1.00"


def test_week_days_and_dates_are_tested_at_the_instant() -> None:
    sunday_late = datetime(2026, 3, 1, 21, 30, tzinfo=UTC)  # 23:30 in Helsinki
    monday = tariff(element(component("TIME", 2), day_of_week=["MONDAY"]))
    march_second = tariff(element(component("TIME", 2), start_date="2026-03-02", end_date="2026-03-03"))
    assert cost(monday, start=sunday_late) == "1.00"
    assert cost(march_second, start=sunday_late) == "1.00"
    assert cost(march_second, start=sunday_late + timedelta(days=1)) == "1.00"


def test_the_hour_that_happens_twice_in_autumn_is_priced_twice() -> None:
    """In Helsinki 03:00-04:00 happens twice on 2026-10-25."""
    small_hour = tariff(
        element(component("TIME", 1), start_time="03:00", end_time="04:00"), element(component("TIME", 2))
    )
    assert cost(small_hour, minutes=240, start=datetime(2026, 10, 24, 23, 0, tzinfo=UTC)) == "6.00"


def test_mean_power_decides_power_restrictions() -> None:
    fast = tariff(element(component("ENERGY", 0.5), min_power=32), element(component("ENERGY", 0.3)))
    assert cost(fast, kwh="40") == "20.00"
    assert cost(fast, kwh="10") == "3.00"


def test_floor_and_ceiling_hold_for_the_whole_session() -> None:
    bounded = tariff(element(ENERGY), min_price={"excl_vat": 1, "incl_vat": 1.24}, max_price={"excl_vat": 8})
    assert [cost(bounded, kwh=kwh) for kwh in ("0", "10", "100")] == ["1.24", "4.00", "8.00"]


def test_reservation_elements_do_not_price_charging() -> None:
    assert cost(tariff(element(component("FLAT", 2), reservation="RESERVATION"), element(ENERGY)), kwh="1") == "0.40"


@pytest.mark.parametrize(
    "unknown",
    [
        None,
        {},
        tariff(),
        tariff(element(ENERGY, min_current=16)),
        tariff({"price_components": [{"type": "ENERGY"}]}),
        tariff(element(ENERGY, start_time="noon")),
        {"currency": "EUR", "elements": ["junk"]},
    ],
)
def test_a_price_that_cannot_be_known_is_none(unknown: dict[str, Any] | None) -> None:
    assert cost(unknown, kwh="5") is None


def test_an_unknown_time_zone_is_an_unknown_price_and_an_absent_one_is_utc() -> None:
    assert cost(tariff(element(ENERGY)), kwh="5", zone="Mars/Olympus") is None
    assert cost(tariff(element(ENERGY)), kwh="5", zone=None) == "2.00"


def test_yen_has_no_decimals() -> None:
    assert cost({**tariff(element(component("ENERGY", 33.3))), "currency": "jpy"}, kwh="10") == "333"
    assert tariff_currency({"currency": "jpy"}) == "JPY"
    assert tariff_currency(None) is None


def test_a_step_that_has_begun_is_owed_only_if_the_session_stops_now() -> None:
    quarter_hours = tariff(element({**component("TIME", 4), "step_size": 900}, {**ENERGY, "step_size": 1000}))
    now = NOON + timedelta(minutes=6)
    cost = running_cost(quarter_hours, kwh=Decimal("1.5"), started_at=NOON, now=now, time_zone=None)
    assert cost is not None
    assert (str(cost.so_far), str(cost.if_stopped)) == ("1.00", "1.80")
    assert running_cost(None, kwh=Decimal(1), started_at=NOON, now=now, time_zone=None) is None


def hold(
    of: dict[str, Any] | None, need: str | None = "20", max_cost: str | None = None, kw: str = "22"
) -> Decimal | None:
    return hold_amount(
        of,
        need_kwh=None if need is None else Decimal(need),
        max_cost=None if max_cost is None else Decimal(max_cost),
        default_hold=Decimal("50.00"),
        max_power_kw=Decimal(kw),
        now=NOON,
        time_zone="Europe/Helsinki",
    )


def test_the_hold_is_max_cost_else_the_estimate_with_a_margin_else_the_default() -> None:
    assert hold(tariff(element(ENERGY)), max_cost="15") == Decimal("15.00")
    assert hold(tariff(element(ENERGY))) == Decimal("9.60")
    assert hold(tariff(element(ENERGY)), need=None) == Decimal("50.00")
    assert hold(None) == Decimal("50.00")


def test_a_free_tariff_holds_the_default_because_a_hold_of_nothing_would_stop_the_session() -> None:
    assert hold(tariff(element(component("FLAT", 0)))) == Decimal("50.00")


@pytest.mark.parametrize("start", [datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), NOON])
def test_what_lasts_longer_than_a_year_has_no_price(start: datetime) -> None:
    by_night = tariff(element(ENERGY, start_time="22:00", end_time="07:00"))
    end = NOON + timedelta(days=367)
    assert running_cost(by_night, kwh=Decimal(1), started_at=start, now=end, time_zone=None) is None
    with pytest.raises(ValueError, match=r"year|range"):
        even_usage(Decimal(1), start, end, end, is_parked=False)


@pytest.mark.parametrize("kw", ["0.001", "0.0000001", "1E-30"])
def test_a_connector_that_would_take_months_holds_the_default(kw: str) -> None:
    assert hold(tariff(element(ENERGY)), need="60", kw=kw) == Decimal("50.00")
