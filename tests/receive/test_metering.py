"""What a reading does to the meter, as a pure function."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from charging.session.metering import FUTURE, Anomaly, Reading, advance, charging_since
from charging.session.model import CpoStatus, Meter
from tests.session.factory import T0, spec

SPEC = spec(max_power_kw=Decimal(22))  # 22 kW: 1.83 kWh in five minutes, 24.2 kWh in an hour and a tenth


def minute(minutes: float) -> Any:
    return T0 + timedelta(minutes=minutes)


def says(minutes: float, kwh: str | None = None, **fields: Any) -> Reading:
    """A reading of an ACTIVE Session, so many minutes after its start."""
    energy = None if kwh is None else Decimal(kwh)
    values = {"status": CpoStatus.ACTIVE, "kwh": energy, "started_at": T0} | fields
    return Reading(updated_at=minute(minutes), **values)


def after(*readings: Reading, meter: Meter | None = None) -> tuple[Meter, set[Anomaly]]:
    """The meter after ``readings``, each received when it was made, and the last one's anomalies."""
    meter, anomalies = meter or Meter(received_at=T0), set[Anomaly]()
    for reading in readings:
        meter, anomalies = advance(meter, reading, SPEC, reading.updated_at)
    return meter, anomalies


def test_energy_follows_the_cpo() -> None:
    meter, anomalies = after(says(0, "0"), says(10, "3"), says(20, "6.5"))
    assert (meter.kwh, meter.kwh_changed_at, anomalies) == (Decimal("6.5"), minute(20), set())


def test_a_session_whose_status_nobody_knows_is_pending_until_energy_flows() -> None:
    assert after(says(0, "0", status=None))[0].cpo_status is CpoStatus.PENDING


def test_a_status_that_nobody_knows_takes_nothing_back() -> None:
    for status in CpoStatus:
        meter, _ = after(says(0, "0", status=status), says(1, "0", status=None))
        assert meter.cpo_status is status


def test_energy_that_falls_is_kept_and_flagged() -> None:
    meter, anomalies = after(says(10, "3"), says(11, "2"))
    assert (meter.kwh, anomalies) == (Decimal(3), {Anomaly.ENERGY_FELL})


def test_negative_energy_is_flagged() -> None:
    meter, anomalies = after(says(10, "-3"))
    assert (meter.kwh, anomalies) == (Decimal(0), {Anomaly.ENERGY_FELL})


def test_a_leap_is_not_believed_nor_the_cost_beside_it() -> None:
    before = says(10, "3", cost=Decimal(1), power_kw=Decimal(20))
    meter, anomalies = after(before, says(11, "500", cost=Decimal(160), power_kw=Decimal(9000)))
    assert anomalies == {Anomaly.ENERGY_LEAPT}
    assert (meter.kwh, meter.cost, meter.power_kw) == (Decimal(3), Decimal(1), Decimal(20))


def test_a_leap_is_believed_once_it_can_be_true() -> None:
    early, late = says(11, "20"), says(50, "20")
    assert after(says(10, "3"), early)[0].kwh == 3
    meter, anomalies = after(says(10, "3"), early, late)
    assert (meter.kwh, anomalies) == (Decimal(20), set())


def test_the_power_factor_of_a_connection_scales_the_bound() -> None:
    fast = spec(max_power_kw=Decimal(22), power_factor=600)
    meter, anomalies = advance(after(says(10, "3"))[0], says(11, "200"), fast, minute(11))
    assert (meter.kwh, anomalies) == (Decimal(200), set())


def test_a_cpo_that_never_bumps_last_updated_is_measured_by_our_clock() -> None:
    meter = after(says(0, "0"))[0]
    meter, anomalies = advance(meter, says(0, "7"), SPEC, minute(20))
    assert (meter.kwh, anomalies) == (Decimal(7), set())


def test_pushes_that_come_late_and_all_at_once_are_measured_by_the_cpos_clock() -> None:
    meter = Meter(received_at=minute(60))
    for reading in (says(20, "7"), says(40, "14"), says(60, "21")):
        meter, anomalies = advance(meter, reading, SPEC, minute(60))
        assert not anomalies
    assert meter.kwh == 21


def test_cost_never_falls() -> None:
    meter, anomalies = after(says(10, "3", cost=Decimal(2)), says(20, "4", cost=Decimal(1)))
    assert (meter.cost, anomalies) == (Decimal(2), {Anomaly.COST_FELL})


def test_a_total_of_nothing_is_none_once_the_car_charges() -> None:
    """Some CPOs say 0 until they have rated: believed, it would switch the cost limit off."""
    free = {"cost": Decimal(0), "currency": "EUR"}
    assert after(says(0, "0", status=CpoStatus.PENDING, **free))[0].cost == 0
    assert after(says(0, "0", **free))[0].cost is None  # time may cost something
    assert after(says(0, "0", **free), says(10, "3", **free))[0].cost is None
    assert after(says(0, "0", **free), says(10, "3"))[0].cost is None
    assert after(says(10, "3", **free), says(20, "6", status=CpoStatus.COMPLETED, **free))[0].cost == 0
    told = Meter(received_at=T0, kwh=Decimal(3), estimate=Decimal("1.20"))
    assert after(says(20, "6", status=CpoStatus.COMPLETED, **free), meter=told)[0].cost is None


def test_cost_in_another_currency_says_nothing() -> None:
    meter, anomalies = after(says(10, "3", cost=Decimal(2), currency="SEK"))
    assert (meter.cost, anomalies) == (None, {Anomaly.OTHER_CURRENCY})


def test_power_is_what_the_cpo_says() -> None:
    assert after(says(10, "3", power_kw=Decimal("7.4")))[0].power_kw == Decimal("7.4")


def test_power_is_else_the_slope_of_the_energy() -> None:
    assert after(says(0, "0"), says(30, "5"))[0].power_kw == Decimal(10)


def test_energy_that_rests_for_a_minute_means_no_power() -> None:
    meter = after(says(0, "0"), says(30, "5"), says(30.5, "5"))[0]
    assert meter.power_kw == 10  # a coarse meter is no pause
    assert after(says(31, "5"), meter=meter)[0].power_kw == 0


def test_zero_power_beside_risen_energy_is_not_believed() -> None:
    meter = after(says(0, "0"), says(30, "5", power_kw=Decimal(0)))[0]
    assert meter.power_kw == 10


def test_nothing_is_drawn_after_the_end() -> None:
    meter = after(says(30, "5"), says(31, "5", status=CpoStatus.COMPLETED, power_kw=Decimal(3)))[0]
    assert (meter.power_kw, meter.ended_at) == (Decimal(0), minute(31))


def test_invalid_is_no_evidence_that_the_power_is_off() -> None:
    meter = after(says(30, "5", power_kw=Decimal(9)), says(31, status=CpoStatus.INVALID))[0]
    assert meter.power_kw == 9


def test_charging_starts_when_the_session_becomes_active() -> None:
    pending = says(0, "0", status=CpoStatus.PENDING)
    assert after(pending)[0].started_at is None
    assert after(pending, says(5, "0", started_at=minute(4)))[0].started_at == minute(4)


def test_an_unknown_status_changes_none() -> None:
    assert after(says(0, "0"), says(1, "0", status=None))[0].cpo_status is CpoStatus.ACTIVE


def test_the_same_again_is_no_change() -> None:
    once = after(says(10, "3"))[0]
    twice = after(says(10, "3"), meter=once)[0]
    assert twice == once
    assert after(says(10, "3.5"), meter=once)[0].seq == once.seq + 1


energies = st.one_of(st.none(), st.decimals(-5, 1000, places=3))
readings = st.builds(
    Reading,
    updated_at=st.integers(-30, 600).map(minute),
    status=st.sampled_from([None, *CpoStatus]),
    kwh=energies,
    cost=energies,
    currency=st.sampled_from([None, "EUR", "SEK"]),
    power_kw=energies,
    started_at=st.one_of(st.none(), st.integers(-30, 600).map(minute)),
    ended_at=st.one_of(st.none(), st.integers(-30, 600).map(minute)),
)


@given(st.lists(readings, max_size=20))
def test_whatever_a_cpo_says_energy_and_cost_never_fall(said: list[Reading]) -> None:
    meter = Meter()
    for step, reading in enumerate(said):
        before = meter
        meter, _ = advance(meter, reading, SPEC, minute(step))
        assert meter.kwh >= before.kwh
        assert (meter.cost or 0) >= (before.cost or 0)
        assert meter.seq in (before.seq, before.seq + 1)


@given(st.lists(readings, max_size=10))
def test_whatever_a_cpo_says_energy_stays_within_physics(said: list[Reading]) -> None:
    """No more than full power and a tenth over the longest time that either clock has seen, and the clock's error."""
    meter = Meter()
    for reading in said:
        within = replace(reading, updated_at=min(reading.updated_at, minute(60)), started_at=T0)
        meter, _ = advance(meter, within, SPEC, minute(60))
    assert meter.kwh <= len(said) * (Decimal("24.2") + Decimal(2))


def test_a_clock_that_is_days_ahead_is_not_believed() -> None:
    wrong = says(60 * 24 * 400, "1")
    meter, _ = advance(Meter(received_at=T0), wrong, SPEC, minute(10))
    assert meter.updated_at == minute(10) + FUTURE


def test_a_session_that_is_dated_back_for_years_may_not_leap_for_years() -> None:
    assert after(says(1, "600", started_at=T0.replace(year=1970)))[1] == {Anomaly.ENERGY_LEAPT}
    risen_in_1970 = Meter(kwh=Decimal(1), kwh_changed_at=T0.replace(year=1970), received_at=T0)
    assert after(says(1, "601"), meter=risen_in_1970)[1] == {Anomaly.ENERGY_LEAPT}


def test_a_start_that_no_clock_can_be_wrong_by_is_the_moment_of_the_order() -> None:
    assert charging_since(T0.replace(year=1970), T0) == T0
    assert charging_since(T0 - FUTURE, T0) == T0 - FUTURE
    assert charging_since(minute(3), T0) == minute(3)
