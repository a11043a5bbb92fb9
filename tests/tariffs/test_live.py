"""What a session costs between two words of its CPO, and when a cost limit could be reached; checked by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from charging.session.profile import ChargingPlan, ProfilePeriod
from charging.tariffs.live import Limit, Reading, Terms, limit_look_at, live_cost, read_terms
from charging.tariffs.rules import DEFAULT_RULES, rules_of
from tests.tariffs.test_estimate import component, element, tariff

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday, 14:00 in Helsinki
PAUSED = ChargingPlan(starts_at=START, periods=(ProfilePeriod(start_period=0, limit=Decimal(0)),))
TIME = component("TIME", 6)  # 0.10 a minute
PARKING = component("PARKING_TIME", 12)
ENERGY = component("ENERGY", 0.5)


def terms(*elements: dict[str, Any], version: str = "2.2.1", pauses_are_parking: bool = False) -> Terms:
    found = read_terms(
        tariff(*elements), "Europe/Helsinki", rules_of(version, None), pauses_are_parking=pauses_are_parking
    )
    assert found is not None
    return found


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def reading(kwh: float = 10, told: float = 30, **changes: Any) -> Reading:
    """Ten kWh in the first half hour, at 20 kW."""
    facts = {"power_kw": Decimal(20), "started_at": START, "updated_at": after(told), "kwh_changed_at": after(told)}
    return Reading(**{"kwh": Decimal(str(kwh)), "profile": None, **facts, **changes})


def costs(by: Terms, meter: Reading, minutes: float) -> tuple[str, str] | None:
    cost = live_cost(by, meter, after(minutes))
    return None if cost is None else (str(cost.so_far), str(cost.if_stopped))


def test_time_goes_on_costing_while_the_cpo_is_silent() -> None:
    by = terms(element(ENERGY, TIME))
    assert costs(by, reading(), 30) == ("8.00", "8.00")
    assert costs(by, reading(), 45) == ("9.50", "9.50")


def test_a_stop_now_is_billed_in_whole_blocks() -> None:
    by = terms(element({**TIME, "step_size": 900}))
    assert costs(by, reading(), 31) == ("3.10", "4.50")


def test_energy_stays_where_it_was_metered_when_prices_fall_in_a_silence() -> None:
    cheap_from_half_past = element(component("ENERGY", 0.1), start_time="14:30", end_time="20:00")
    by = terms(cheap_from_half_past, element(ENERGY))
    assert costs(by, reading(), 30) == costs(by, reading(), 120) == ("5.00", "5.00")


def test_a_car_that_takes_nothing_is_parked_since_its_energy_last_rose() -> None:
    full = reading(told=40, power_kw=Decimal(0), kwh_changed_at=after(30))
    assert costs(terms(element(TIME, PARKING)), full, 60) == ("9.00", "9.00")


def test_a_car_that_our_profile_holds_back_is_parked_only_where_its_cpo_bills_that_so() -> None:
    held = reading(power_kw=Decimal(0), profile=PAUSED.model_dump(mode="json"))
    assert costs(terms(element(TIME, PARKING)), held, 60) == ("6.00", "6.00")
    assert costs(terms(element(TIME, PARKING), pauses_are_parking=True), held, 60) == ("9.00", "9.00")


def test_a_cpo_of_ocpi_2_1_1_prices_by_whole_elements() -> None:
    elements = element(ENERGY, max_kwh=100), element(TIME)
    assert costs(terms(*elements), reading(), 60) == ("11.00", "11.00")
    assert costs(terms(*elements, version="2.1.1"), reading(), 60) == ("5.00", "5.00")


def test_a_price_that_nobody_can_compute_is_unknown() -> None:
    assert read_terms(None, "UTC", DEFAULT_RULES, pauses_are_parking=False) is None
    assert read_terms({"currency": "EUR", "elements": []}, "UTC", DEFAULT_RULES, pauses_are_parking=False) is None
    assert read_terms(tariff(element(ENERGY)), "No/Where", DEFAULT_RULES, pauses_are_parking=False) is None
    assert costs(terms(element(ENERGY, max_current=16)), reading(), 30) is None


def test_what_lasts_longer_than_a_year_has_no_price_and_is_looked_at_again_after_six_hours() -> None:
    by, old = terms(element(ENERGY, TIME)), reading(started_at=datetime(1970, 1, 1, tzinfo=UTC))
    assert costs(by, old, 31) is None
    assert look(by, "10", meter=old) == timedelta(hours=6)  # perhaps its Session's times are mended by then


def look(
    by: Terms, limit: str, *, kw: int = 0, need: int | None = None, meter: Reading | None = None
) -> timedelta | None:
    """How long after the 30th minute."""
    wanted = Limit(Decimal(limit), Decimal(kw), None if need is None else Decimal(need))
    found = limit_look_at(by, meter or reading(), wanted, after(30))
    return None if found is None else found - after(30)


def is_shortly_before(minutes: float, told: timedelta | None) -> bool:
    reached = timedelta(minutes=minutes)
    return told is not None and reached * 8 / 9 - timedelta(seconds=1) <= told <= reached


def test_the_limit_is_looked_at_shortly_before_time_alone_could_reach_it() -> None:
    by = terms(element(ENERGY, TIME))
    assert is_shortly_before(20, look(by, "10.00"))  # 8.00 by now
    assert is_shortly_before(0.05, look(by, "8.01"))  # half a cent is one
    assert is_shortly_before(0, look(by, "7.00"))
    assert is_shortly_before(310, look(by, "39.00"))
    assert look(by, "50.00") == timedelta(hours=6)  # not before; then again


def test_the_limit_is_looked_at_sooner_where_the_car_could_take_more() -> None:
    by = terms(element(ENERGY, TIME))
    assert is_shortly_before(10, look(by, "10.00", kw=12))  # 0.10 of energy and 0.10 of time a minute
    assert is_shortly_before(15, look(by, "10.00", kw=12, need=11))  # 0.50 of energy at most


def test_the_limit_is_looked_at_although_energy_becomes_cheaper_in_the_meantime() -> None:
    """30 kWh were taken at the day's price: what the night would have cost for it must hide nothing."""
    day, night = element(component("ENERGY", 0.8), end_time="14:40"), element(component("ENERGY", 0.1))
    by = terms(day, night, element(component("TIME", 1.2)))
    full = reading(kwh=30, updated_at=after(30))
    reached = live_cost(by, full, after(30 + 45))
    assert reached is not None
    assert is_shortly_before(45, look(by, str(reached.so_far), kw=11, need=30, meter=full))


def test_a_parked_car_is_looked_at_although_its_profile_will_pause_it() -> None:
    """A pause of ours is no parking here; but until then parking has cost what reaches the limit."""
    periods = ProfilePeriod(start_period=0, limit=Decimal(11_000)), ProfilePeriod(start_period=18_000, limit=Decimal(0))
    pausing = ChargingPlan(starts_at=START, periods=periods).model_dump(mode="json")
    full = reading(power_kw=Decimal(0), profile=pausing)
    assert is_shortly_before(180, look(terms(element(ENERGY, PARKING)), "41.00", meter=full))


def test_a_parked_car_is_looked_at_by_the_price_of_parking() -> None:
    full = reading(power_kw=Decimal(0))
    assert is_shortly_before(25, look(terms(element(ENERGY, PARKING)), "10.00", meter=full))


def test_energy_alone_needs_no_look() -> None:
    assert look(terms(element(ENERGY, component("FLAT", 1))), "6.00", kw=150) is None
    assert is_shortly_before(10, look(terms(element(ENERGY), element(component("FLAT", 9), min_duration=2400)), "6.00"))
