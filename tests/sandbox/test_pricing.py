"""What charging costs at the sandbox, against figures worked out by hand. Helsinki is UTC+2 in winter, +3 in summer."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from charging.ocpi.models import Tariff
from charging.sandbox.locations import AC_TARIFF, DC_TARIFF, TARIFFS
from charging.sandbox.pricing import DayNightTariff, Mark, bill, next_price_change, tariff_object

NOON = datetime(2026, 1, 15, 10, tzinfo=UTC)


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[misc,arg-type] # no tzinfo among them


def test_by_day_energy_costs_the_day_price() -> None:
    """12.345 kWh x 0.40 = 4.938; with 25.5 % VAT 6.19719."""
    paid = bill(DC_TARIFF, [Mark(at=NOON, wh=0)], NOON + timedelta(minutes=10), 12_345)
    assert paid.total.excl_vat == Decimal("4.94")
    assert paid.total.incl_vat == Decimal("6.20")
    assert paid.energy_cost == paid.total
    assert paid.energy_kwh == Decimal("12.345")


def test_a_session_over_ten_in_the_evening_is_cut_there() -> None:
    """30 kWh x 0.40 + 20 kWh x 0.28 = 17.60; with VAT 22.088."""
    ten = utc(2026, 1, 15, 20)
    marks = [Mark(at=ten - timedelta(minutes=30), wh=0), Mark(at=ten, wh=30_000)]
    paid = bill(DC_TARIFF, marks, ten + timedelta(minutes=20), 50_000)
    assert [(p.start, p.energy_kwh, p.price) for p in paid.periods] == [
        (marks[0].at, Decimal(30), Decimal("0.40")),
        (ten, Decimal(20), Decimal("0.28")),
    ]
    assert (paid.total.excl_vat, paid.total.incl_vat) == (Decimal("17.60"), Decimal("22.09"))
    assert paid.hours == Decimal("0.8333")


def test_parking_is_billed_per_started_minute_and_never_driving_power() -> None:
    """10 kWh x 0.40 + 2 min x 6.00/60 = 4.20 for 90 s after the car was full."""
    full = NOON + timedelta(minutes=5)
    marks = [Mark(at=NOON, wh=0), Mark(at=full, wh=10_000, parking=True)]
    paid = bill(DC_TARIFF, marks, full + timedelta(seconds=90), 10_000)
    assert paid.parking_hours == Decimal("0.0250")
    assert paid.parking_cost is not None
    assert paid.parking_cost.excl_vat == Decimal("0.20")
    assert paid.energy_cost.excl_vat == Decimal("4.00")
    assert paid.total.excl_vat == Decimal("4.20")


def test_the_parts_of_a_bill_add_up_to_its_total() -> None:
    """2.51 kWh x 0.40 = 1.004 and 0.10 of parking: 1.2600 + 0.1255 with VAT round to 1.39, of which parking is 0.13."""
    marks = [Mark(at=NOON, wh=0), Mark(at=NOON + timedelta(minutes=1), wh=2_510, parking=True)]
    paid = bill(DC_TARIFF, marks, NOON + timedelta(minutes=1, seconds=5), 2_510)
    assert paid.parking_cost is not None
    assert (paid.energy_cost.excl_vat, paid.parking_cost.excl_vat) == (Decimal("1.00"), Decimal("0.10"))
    assert paid.total.incl_vat == Decimal("1.39")
    assert paid.energy_cost.incl_vat + paid.parking_cost.incl_vat == paid.total.incl_vat


def test_where_parking_is_free_there_is_no_parking_cost() -> None:
    marks = [Mark(at=NOON, wh=0), Mark(at=NOON + timedelta(hours=1), wh=1000, parking=True)]
    paid = bill(AC_TARIFF, marks, NOON + timedelta(hours=3), 1000)
    assert paid.parking_cost is None
    assert paid.parking_hours == 2
    assert paid.total.excl_vat == Decimal("0.24")


def test_volumes_of_periods_add_up_to_those_of_the_session() -> None:
    """Three periods of 1 s are 3 s, not three times the floor of 1 s."""
    marks = [Mark(at=NOON + timedelta(seconds=n), wh=n) for n in range(3)]
    paid = bill(DC_TARIFF, marks, NOON + timedelta(seconds=3), 3)
    assert sum(p.hours for p in paid.periods) == paid.hours == Decimal("0.0008")
    assert paid.energy_kwh == Decimal("0.003")


def test_rounding_is_half_up_once_at_the_end() -> None:
    """1.0125 kWh are metered as 1.012; 0.5 x 2.01 = 1.005 rounds to 1.01."""
    tariff = DayNightTariff("T", day=Decimal("2.01"), night=Decimal(1))
    paid = bill(tariff, [Mark(at=NOON, wh=0)], NOON + timedelta(hours=1), 500)
    assert paid.total.excl_vat == Decimal("1.01")


def test_nothing_charged_costs_nothing() -> None:
    paid = bill(DC_TARIFF, [Mark(at=NOON, wh=0)], NOON + timedelta(minutes=1), 0)
    assert (paid.total.excl_vat, paid.total.incl_vat) == (Decimal("0.00"), Decimal("0.00"))


def test_day_begins_at_seven_and_night_at_ten_local_time() -> None:
    assert next_price_change(utc(2026, 1, 15, 12)) == utc(2026, 1, 15, 20)
    assert next_price_change(utc(2026, 1, 15, 20)) == utc(2026, 1, 16, 5)
    assert DC_TARIFF.energy_price(utc(2026, 1, 15, 19, 59, 59)) == DC_TARIFF.day
    assert DC_TARIFF.energy_price(utc(2026, 1, 15, 20)) == DC_TARIFF.night
    assert DC_TARIFF.energy_price(utc(2026, 1, 16, 4, 59)) == DC_TARIFF.night
    assert DC_TARIFF.energy_price(utc(2026, 1, 16, 5)) == DC_TARIFF.day


def test_the_nights_in_which_the_clock_changes_are_an_hour_shorter_and_longer() -> None:
    assert next_price_change(utc(2026, 3, 28, 20)) == utc(2026, 3, 29, 4)  # 8 h
    assert next_price_change(utc(2026, 10, 24, 19)) == utc(2026, 10, 25, 5)  # 10 h


def test_tariffs_on_the_wire_are_ocpi_tariffs_with_vat() -> None:
    for tariff in TARIFFS.values():
        wire = Tariff.model_validate(tariff_object(tariff, "FI", "VRT", NOON))
        assert {c.vat for e in wire.elements for c in e.price_components} == {Decimal("25.5")}
        assert wire.elements[0].restrictions is not None
        assert wire.elements[0].restrictions.start_time == "22:00"
