"""CDRs and Sessions as CPOs really write them, and several tariffs in one."""

from decimal import Decimal

import pytest

from charging.tariffs.check import priced
from charging.tariffs.tariff import Unpriceable, read_tariff
from charging.tariffs.usage import UnreadableUsage, read_usage
from tests.tariffs.ocpi import Json, cdr, component, element, parked, period, price, rated, reserved, tariff

ALL = tariff(
    element(component("TIME", 5), component("FLAT", 10), reservation="RESERVATION"),
    element(component("ENERGY", 1), component("TIME", 2), component("PARKING_TIME", 6)),
)


def total(usage: Json, *by: Json) -> str:
    cost = rated(usage, *(by or (ALL,))).total.excl
    return f"{cost:.2f}"


def merged(*periods: tuple[float, Json]) -> tuple[float, Json]:
    """Several things in one charging period."""
    dimensions = [d for _, body in periods for d in body["dimensions"]]
    return sum(minutes for minutes, _ in periods), {"dimensions": dimensions}


def test_several_things_in_one_period_happened_one_after_the_other() -> None:
    usage = cdr(merged(reserved(12), period(60, 10), parked(30)))
    assert total(usage) == "26.00"
    late = tariff(element(component("PARKING_TIME", 6), min_duration=3600 + 600))
    assert total(usage, late) == "2.00"


def test_a_dimension_that_is_there_twice_adds_up() -> None:
    assert total(cdr(merged(period(30, 4), period(30, 6)))) == "12.00"


def test_without_charging_periods_the_totals_are_used() -> None:
    body = cdr(period(90, 10), charging_periods=[], total_parking_time=Decimal("0.5"))
    assert total(body) == "15.00"


def test_without_any_time_in_the_periods_their_length_is_used() -> None:
    untimed = [
        {**each, "dimensions": each["dimensions"][:1]} for each in cdr(period(60, 6), period(60, 4))["charging_periods"]
    ]
    body = cdr(period(60, 6), period(60, 4), charging_periods=untimed, total_parking_time=Decimal("0.5"))
    assert total(body) == "16.00"


def test_without_any_energy_in_the_periods_the_total_is_spread_evenly() -> None:
    body = cdr(period(60), period(60), total_energy=Decimal(10))
    dearer_later = tariff(element(component("ENERGY", 1), max_duration=3600), element(component("ENERGY", 2)))
    assert total(body, dearer_later) == "15.00"


def test_without_an_end_the_volumes_tell_it() -> None:
    body = cdr(period(60, 10))
    later = tariff(element(component("ENERGY", 1), min_duration=1800))
    for end in (None, "1970-01-01T00:00:00Z", body["start_date_time"]):
        assert total({**body, "end_date_time": end}, later) == "5.00"


def test_periods_out_of_order_are_put_in_order() -> None:
    body = cdr(period(60, 10), parked(60))
    assert total({**body, "charging_periods": body["charging_periods"][::-1]}) == total(body)


def test_an_unknown_start_is_that_of_the_first_period() -> None:
    body = cdr(period(60, 10), start_date_time="1970-01-01T00:00:00Z")
    assert total(body, tariff(element(component("ENERGY", 1), max_duration=1800))) == "5.00"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"end_date_time": "2026-03-01T00:00:00Z"}, "ends before it starts"),
        ({"end_date_time": "2028-03-02T00:00:00Z"}, "longer than a year"),
        ({"start_date_time": "yesterday"}, "cannot be read"),
        ({"charging_periods": cdr(period(-5))["charging_periods"]}, "negative time"),
        ({"charging_periods": [{"dimensions": [{"type": "ENERGY", "volume": "1e99"}]}]}, "cannot be read"),
        ({"charging_periods": [{"dimensions": [{"type": "ENERGY", "volume": True}]}]}, "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: Json, why: str) -> None:
    with pytest.raises(UnreadableUsage, match=why):
        read_usage(cdr(period(60, 10), **fields))


# ---- Tariffs ------------------------------------------------------------------------------------------------------


def in_turn(*tariff_ids: str | None) -> Json:
    """An hour and 10 kWh by each of these tariffs."""
    body = cdr(*(period(60, 10) for _ in tariff_ids))
    for each, tariff_id in zip(body["charging_periods"], tariff_ids, strict=True):
        each["tariff_id"] = tariff_id
    return body


CHEAP = tariff(element(component("ENERGY", 1, step=1000), component("FLAT", 1)), id="CHEAP", type="PROFILE_CHEAP")
DEAR = tariff(element(component("ENERGY", 2, step=15000), component("FLAT", 1)), id="dear", max_price=price(30))


def test_each_period_names_its_tariff_and_the_last_one_rules_the_session() -> None:
    assert total(in_turn("CHEAP", "DEAR"), CHEAP, DEAR) == "30.00"  # 1 + 10 + 2 * 20, with the step and ceiling of DEAR
    assert total(in_turn("DEAR", "cheap"), CHEAP, DEAR) == "31.00"
    assert total(in_turn("CHEAP", None), CHEAP, DEAR) == "11.00"
    with pytest.raises(Unpriceable, match="not there"):
        total(in_turn("CHEAP", "LOST"), CHEAP, DEAR)
    with pytest.raises(Unpriceable, match="several currencies"):
        total(in_turn("CHEAP", "DEAR"), CHEAP, {**DEAR, "currency": "SEK"})


def test_one_tariff_prices_all_whatever_name_the_periods_give_it() -> None:
    assert total(in_turn("X", None), CHEAP) == "21.00"


def test_of_several_that_nobody_names_the_one_for_sessions_without_preferences_holds() -> None:
    found = priced(read_usage(in_turn(None)), [CHEAP, DEAR], None).rating
    assert found is not None
    assert found.tariff.id == "dear"


def test_a_bound_without_vat_alone_keeps_the_share_of_vat() -> None:
    by = tariff(element(component("ENERGY", 1, 20)), max_price=price(5), min_price=price(2))
    assert rated(cdr(period(60, 10)), by).rounded.incl == 6
    assert rated(cdr(period(60, 1)), by).rounded.incl == Decimal("2.4")
    nothing = rated(cdr(period(60)), by)
    assert (nothing.rounded.excl, nothing.rounded.incl, nothing.limited_by) == (2, None, "min_price")


def test_a_reservation_alone_has_no_floor() -> None:
    by = tariff(element(component("TIME", 1), reservation="RESERVATION"), min_price=price(5))
    assert total(cdr(reserved(60)), by) == "1.00"


def test_elements_for_bookings_do_not_price_sessions() -> None:
    assert total(cdr(period(60, 10)), tariff(element(component("FLAT", 9), booking="BOOKING"), ALL["elements"][1])) == (
        "12.00"
    )


def test_power_that_nobody_knows_matters_only_where_it_is_asked_for() -> None:
    by = tariff(
        element(component("ENERGY", 1), max_power=10), element(component("ENERGY", 2)), element(component("TIME", 3))
    )
    no_length = cdr((0, {"dimensions": [{"type": "ENERGY", "volume": 5}]}))
    with pytest.raises(Unpriceable, match="power"):
        total(no_length, by)
    assert total(cdr(period(60)), by) == "3.00"


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        tariff(),
        tariff({"price_components": [{"type": "ENERGY"}]}),
        tariff({"price_components": [{"type": "LOVE", "price": 1}]}),
        tariff(element(component("ENERGY", 1)), tax_included="PERHAPS"),
        tariff(element(component("ENERGY", 1)), max_price={"excl_vat": "dear"}),
    ],
)
def test_a_tariff_that_cannot_be_read_has_no_price(broken: Json) -> None:
    with pytest.raises(Unpriceable):
        read_tariff(broken)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_dates_at_the_ends_of_the_calendar_cannot_be_read(moment: str) -> None:
    with pytest.raises(UnreadableUsage):
        read_usage({**cdr(period(60, 10)), "start_date_time": moment, "end_date_time": moment})
