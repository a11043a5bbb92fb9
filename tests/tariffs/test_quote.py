"""What a planned charge will cost by its tariff, checked by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from charging.tariffs.quote import planned_charge, quoted
from charging.tariffs.rules import DEFAULT_RULES
from tests.tariffs.test_estimate import component, element, tariff

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday, 14:00 in Helsinki
RULES = DEFAULT_RULES
ZONE = "Europe/Helsinki"
TWO_HOURS = planned_charge(Decimal(20), Decimal(20), START, timedelta(hours=2))  # one charging, one parked


def test_the_time_after_all_is_in_is_parking() -> None:
    by = tariff(element(component("ENERGY", 0.5), component("TIME", 1), component("PARKING_TIME", 6)))
    quote = quoted(by, ZONE, RULES, TWO_HOURS)
    assert quote.rating is not None
    assert quote.rating.total.due == 10 + 1 + 6
    assert {line.dimension for line in quote.rating.lines} == {"ENERGY", "TIME", "PARKING_TIME"}


def test_what_does_not_fit_into_the_time_is_missing() -> None:
    charge = planned_charge(Decimal(30), Decimal(20), START, timedelta(hours=1))
    assert (charge.kwh, charge.missing_kwh, charge.is_parked) == (20, 10, False)


def test_without_a_duration_it_leaves_when_all_is_in() -> None:
    charge = planned_charge(Decimal(30), Decimal(20), START, None)
    assert charge.end == charge.charged == START + timedelta(minutes=90)


def test_a_connector_without_power_delivers_nothing() -> None:
    for duration in (None, timedelta(hours=1)):
        charge = planned_charge(Decimal(30), Decimal(0), START, duration)
        assert (charge.kwh, charge.missing_kwh, charge.end - START) == (0, 30, duration or timedelta())


def test_what_would_take_longer_than_a_year_has_no_price_and_says_why() -> None:
    charge = planned_charge(Decimal(1000), Decimal("0.001"), START, None)
    quote = quoted(tariff(element(component("ENERGY", 0.5), start_time="07:00")), ZONE, RULES, charge)
    assert (quote.rating, quote.unknown) == (None, "It lasts longer than a year.")


def test_step_sizes_floors_local_times_and_unknown_vat_are_said() -> None:
    day = element({"type": "ENERGY", "price": 0.1, "step_size": 25_000}, start_time="14:00", end_time="15:00")
    quote = quoted(tariff(day, min_price={"excl_vat": 5}), ZONE, RULES, TWO_HOURS)
    assert quote.rating is not None
    assert (quote.rating.lines[0].billed_volume, quote.rating.rounded.excl, quote.rating.rounded.incl) == (25, 5, None)
    said = " ".join(quote.assumptions)
    assert all(words in said for words in ("Europe/Helsinki", "min_price", "VAT"))


def test_a_price_that_nobody_can_tell_is_unknown_and_says_why() -> None:
    by_current = tariff(element(component("ENERGY", 1), max_current=16))
    for body, zone in ((None, ZONE), (tariff(), ZONE), (by_current, ZONE), (tariff(element()), "No/Where"), ({}, ZONE)):
        quote = quoted(body, zone, RULES, TWO_HOURS)
        assert quote.rating is None
        assert quote.unknown
