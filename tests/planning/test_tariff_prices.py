"""What power will cost, by an OCPI Tariff: each price checked by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from charging.planning.tariff_prices import PricedBand, TariffSlot, flat_price, tariff_slots
from charging.tariffs.rules import TariffRules

NOON = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # a Monday, 12:00 in Helsinki


def component(kind: str, price: float, vat: float | None = None) -> dict[str, Any]:
    return {"type": kind, "price": price, "step_size": 1, **({} if vat is None else {"vat": vat})}


def element(*components: dict[str, Any], **restrictions: Any) -> dict[str, Any]:
    return {"price_components": list(components), **({"restrictions": restrictions} if restrictions else {})}


def tariff(*elements: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": "T1", "currency": "EUR", "elements": list(elements), **fields}


def slots(of: dict[str, Any], hours: float = 24, start: datetime = NOON, **more: Any) -> tuple[TariffSlot, ...]:
    end = start + timedelta(hours=hours)
    found = tariff_slots(of, start=start, end=end, time_zone="Europe/Helsinki", **more)
    assert found[0].start == start
    assert found[-1].end == end
    assert all(a.end == b.start for a, b in pairwise(found)), "no gaps"
    return found


def energy_prices(of: dict[str, Any], hours: float = 24, start: datetime = NOON, **more: Any) -> list[tuple[str, str]]:
    """Begin (hours and minutes UTC) and price per kWh of each slot, where power and energy do not matter."""
    found = slots(of, hours, start, **more)
    assert all(len(slot.points) == 1 for slot in found)
    return [(f"{slot.start:%H:%M}", str(slot.points[0].price.normalize() + 0)) for slot in found]


DAY_AND_NIGHT = tariff(
    element(component("ENERGY", 0.1), start_time="23:00", end_time="07:00"), element(component("ENERGY", 0.3))
)


def test_an_energy_price_by_night_follows_the_local_clock_across_midnight() -> None:
    assert energy_prices(DAY_AND_NIGHT) == [("10:00", "0.3"), ("21:00", "0.1"), ("05:00", "0.3")]


def test_a_price_that_never_changes_is_one_slot_however_long() -> None:
    (slot,) = slots(tariff(element(component("ENERGY", 0.3, vat=25.5), component("TIME", 2, vat=24))), hours=24 * 30)
    assert slot.points == (PricedBand(None, None, Decimal("0.3765")),)
    assert (slot.time_price, slot.parking_price) == (Decimal("2.48"), 0)


def test_prices_that_include_tax_get_none_on_top() -> None:
    assert energy_prices(tariff(element(component("ENERGY", 0.3, vat=25.5)), tax_included="YES")) == [("10:00", "0.3")]


def test_the_night_on_which_the_clock_is_turned_back_has_one_cheap_hour_more() -> None:
    evening = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert energy_prices(DAY_AND_NIGHT, start=evening) == [("12:00", "0.3"), ("20:00", "0.1"), ("05:00", "0.3")]


def test_the_night_on_which_the_clock_is_put_forward_has_one_cheap_hour_less() -> None:
    evening = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert energy_prices(DAY_AND_NIGHT, start=evening) == [("12:00", "0.3"), ("21:00", "0.1"), ("04:00", "0.3")]


def test_week_days_and_dates_hold_by_the_local_day() -> None:
    weekend = tariff(
        element(component("ENERGY", 0), start_date="2026-03-08", end_date="2026-03-09"),
        element(component("ENERGY", 0.1), day_of_week=["SATURDAY", "SUNDAY"]),
        element(component("ENERGY", 0.3)),
    )
    friday = datetime(2026, 3, 6, 10, tzinfo=UTC)
    assert energy_prices(weekend, hours=72, start=friday) == [
        ("10:00", "0.3"),
        ("22:00", "0.1"),
        ("22:00", "0"),
        ("22:00", "0.3"),
    ]


def test_each_dimension_takes_its_own_first_element_that_has_it() -> None:
    of = tariff(
        element(component("PARKING_TIME", 0), max_duration=3600),
        element(component("ENERGY", 0.4), component("PARKING_TIME", 6)),
    )
    first, then = slots(of)
    assert (first.end - first.start, first.parking_price, then.parking_price) == (timedelta(hours=1), 0, 6)
    assert first.points == then.points == (PricedBand(None, None, Decimal("0.4")),)


def test_durations_count_from_the_start_of_the_session() -> None:
    free_first = tariff(element(component("ENERGY", 0), max_duration=1800), element(component("ENERGY", 0.25)))
    assert energy_prices(free_first) == [("10:00", "0"), ("10:30", "0.25")]
    assert energy_prices(free_first, started_at=NOON - timedelta(minutes=20)) == [("10:00", "0"), ("10:10", "0.25")]
    assert energy_prices(free_first, started_at=NOON - timedelta(minutes=30)) == [("10:00", "0.25")]


def test_power_tiers_are_bounded_below_inclusively_and_above_exclusively() -> None:
    tiers = tariff(
        element(component("ENERGY", 0.20), max_power=16),
        element(component("ENERGY", 0.35), max_power=32),
        element(component("ENERGY", 0.50)),
    )
    (slot,) = slots(tiers)
    assert slot.points == (
        PricedBand(Decimal(16), None, Decimal("0.2")),
        PricedBand(Decimal(32), None, Decimal("0.35")),
        PricedBand(None, None, Decimal("0.5")),
    )


def test_energy_steps_count_the_energy_of_the_whole_session() -> None:
    steps = tariff(element(component("ENERGY", 0.2), max_kwh=10), element(component("ENERGY", 0.5)))
    dear = PricedBand(None, None, Decimal("0.5"))
    assert slots(steps)[0].points == (PricedBand(None, Decimal(10), Decimal("0.2")), dear)
    assert slots(steps, kwh_so_far=Decimal(4))[0].points == (PricedBand(None, Decimal(10), Decimal("0.2")), dear)
    assert slots(steps, kwh_so_far=Decimal(10))[0].points == (dear,)


def test_steps_of_power_and_energy_together_are_found_by_the_first_band_that_fits() -> None:
    both = tariff(element(component("ENERGY", 0.1), max_power=7, max_kwh=5), element(component("ENERGY", 0.4)))
    (slot,) = slots(both)
    assert slot.points == (
        PricedBand(Decimal(7), Decimal(5), Decimal("0.1")),
        PricedBand(None, Decimal(5), Decimal("0.4")),
        PricedBand(None, None, Decimal("0.4")),
    )


def test_a_price_of_time_that_depends_on_power_is_in_the_bands() -> None:
    by_speed = tariff(
        element(component("TIME", 1), max_power=32), element(component("TIME", 2)), element(component("ENERGY", 0.2))
    )
    (slot,) = slots(by_speed)
    assert slot.time_price == 0
    assert slot.points == (
        PricedBand(Decimal(32), None, Decimal("0.2"), Decimal(1)),
        PricedBand(None, None, Decimal("0.2"), Decimal(2)),
    )


def test_reservations_are_not_charging() -> None:
    of = tariff(
        element(component("TIME", 5), component("FLAT", 2), reservation="RESERVATION"),
        element(component("TIME", 1), component("FLAT", 0.5, vat=20)),
    )
    (slot,) = slots(of)
    assert slot.time_price == 1
    assert flat_price(of, at=NOON, time_zone="Europe/Helsinki") == Decimal("0.6")


def test_the_session_fee_is_that_of_the_local_hour_of_the_start() -> None:
    of = tariff(element(component("FLAT", 1), start_time="08:00", end_time="20:00"))
    assert flat_price(of, at=NOON, time_zone="Europe/Helsinki") == 1
    assert flat_price(of, at=NOON, time_zone="Asia/Tokyo") == 1  # 19:00
    assert flat_price(of, at=NOON, time_zone="Australia/Sydney") == 0  # 21:00


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (tariff(element(component("ENERGY", 0.2), max_current=32)), "current"),
        (tariff(), "no elements"),
        ({"id": "T1"}, "lacks 'elements'"),
        (tariff({"restrictions": {}}), "lacks 'price_components'"),
        (tariff(element(component("ENERGY", float("nan")))), "no number"),
        (tariff(element("ENERGY")), "cannot be read"),  # type: ignore[arg-type] # broken on purpose
        (tariff(element({"type": "ENERGY", "price": "cheap"})), "cannot be read"),
        (tariff(element(component("ENERGY", 1), start_time="noon")), "isoformat"),
        (tariff(*(element(component("ENERGY", 1), max_kwh=i, max_power=i) for i in range(1, 50))), "too many steps"),
    ],
)
def test_a_tariff_that_cannot_be_planned_with_is_refused_in_words(broken: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        slots(broken)


def test_an_unknown_time_zone_is_refused() -> None:
    for name in ("Europe/Atlantis", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="IANA"):
            flat_price(DAY_AND_NIGHT, at=NOON, time_zone=name)


def test_prices_are_not_told_for_nothing_nor_for_ever() -> None:
    for hours in (0, -1, 24 * 401):
        with pytest.raises(ValueError, match="at most 400 days"):
            slots(DAY_AND_NIGHT, hours=hours)


def test_by_ocpi_2_1_1_the_first_element_that_holds_prices_all_dimensions() -> None:
    time_by_night = element(component("TIME", 2), start_time="23:00", end_time="07:00")
    of = tariff(time_by_night, element(component("ENERGY", 0.3), component("FLAT", 1)))
    by_211 = TariffRules(whole_elements=True)
    assert [(slot.time_price, slot.points[0].price) for slot in slots(of, 13, rules=by_211)] == [
        (0, Decimal("0.3")),
        (2, 0),
    ]
    assert energy_prices(of, 13) == [("10:00", "0.3"), ("21:00", "0.3")]
    midnight = NOON + timedelta(hours=12)
    assert flat_price(of, at=midnight, time_zone="Europe/Helsinki", rules=by_211) == 0
    assert flat_price(of, at=midnight, time_zone="Europe/Helsinki") == 1


def test_a_night_belongs_to_the_day_that_its_cpo_says() -> None:
    monday_night = element(component("ENERGY", 0.1), start_time="23:00", end_time="07:00", day_of_week=["MONDAY"])
    of = tariff(monday_night, element(component("ENERGY", 0.3)))
    evening = TariffRules(night_belongs_to="evening")
    assert energy_prices(of, 24) == [("10:00", "0.3"), ("21:00", "0.1"), ("22:00", "0.3")]
    assert energy_prices(of, 24, rules=evening) == [("10:00", "0.3"), ("21:00", "0.1"), ("05:00", "0.3")]


def test_equal_times_hold_never_where_its_cpo_says_so() -> None:
    of = tariff(
        element(component("ENERGY", 0.1), start_time="07:00", end_time="07:00"), element(component("ENERGY", 0.3))
    )
    assert energy_prices(of, 24) == [("10:00", "0.1")]
    assert energy_prices(of, 24, rules=TariffRules(equal_times="never")) == [("10:00", "0.3")]
