"""The life of a session as a function of the clock."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charging.ocpi.models import ChargingProfile
from charging.sandbox import station
from charging.sandbox.battery import Car
from charging.sandbox.limits import Limits, from_profile
from charging.sandbox.locations import CHARGERS, Outlet
from charging.sandbox.station import ChargingSession, Script, State, advance

NOON = datetime(2026, 1, 15, 10, tzinfo=UTC)
TOKEN = {"country_code": "FI", "party_id": "RBT", "uid": "U1", "type": "AD_HOC_USER", "contract_id": "C1"}


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def waiting(evse_uid: str = "3256", car: Car | None = None, script: Script | None = None) -> ChargingSession:
    car = car or Car()
    return ChargingSession(
        id="S1",
        emsp="FI*RBT",
        token=TOKEN,
        authorization_reference="REF",
        evse_uid=evse_uid,
        connector_id="1",
        created_at=NOON,
        car=car,
        soc=car.soc,
        speed=1,
        linger_s=300,
        script=script or Script(),
        last_updated=NOON,
    )


def begun(evse_uid: str = "3256", car: Car | None = None, script: Script | None = None) -> ChargingSession:
    """A session that is ACTIVE from NOON on."""
    session = station.plug(waiting(evse_uid, car, script), NOON - seconds(2), 2)
    return advance(session, NOON)


def outlet_of(evse_uid: str) -> Outlet:
    return CHARGERS[evse_uid].outlets[0]


def profile(*limits: tuple[int, str], unit: str = "W", **fields: object) -> ChargingProfile:
    periods = [{"start_period": start, "limit": Decimal(limit)} for start, limit in limits]
    body = {"charging_rate_unit": unit, "charging_profile_period": periods, "start_date_time": NOON, **fields}
    return ChargingProfile.model_validate(body)


def limited(session: ChargingSession, *limits: tuple[int, str], unit: str = "W", **fields: object) -> ChargingSession:
    wanted = from_profile(profile(*limits, unit=unit, **fields), NOON, session.outlet)
    return station.limit(session, NOON, {}, wanted)


def test_it_is_pending_halfway_to_active() -> None:
    session = station.plug(waiting(), NOON, 1)
    assert advance(session, NOON + seconds(0.4)).state is State.WAITING
    assert advance(session, NOON + seconds(0.5)).state is State.PENDING
    active = advance(session, NOON + seconds(9))
    assert (active.state, active.started_at) == (State.ACTIVE, NOON + seconds(1))


def test_six_minutes_at_150_kw_are_15_kwh() -> None:
    session = advance(begun(), NOON + seconds(360))
    assert session.wh == 15_000
    assert session.power_kw == 150


def test_cars_take_speed_times_the_power_and_the_clock_is_not_bent() -> None:
    session = advance(begun().model_copy(update={"speed": 60.0}), NOON + seconds(6))
    assert session.wh == 15_000
    assert session.power_kw == 9000
    assert session.bill().hours == Decimal("0.0016")  # 6 s


def test_type_2_gives_what_the_cars_own_charger_takes() -> None:
    slow = begun("3257", Car(max_ac_kw=11))
    assert advance(slow, NOON + seconds(3600)).wh == 11_000
    assert advance(begun("3257"), NOON + seconds(3600)).wh == 22_000


def test_a_limit_in_watts_is_for_the_whole_connector() -> None:
    assert advance(limited(begun(), (0, "7400")), NOON + seconds(3600)).wh == 7_400


def test_a_limit_in_amperes_is_per_phase() -> None:
    """16 A x 230 V x 3 = 11.04 kW."""
    assert advance(limited(begun("3257"), (0, "16"), unit="A"), NOON + seconds(3600)).wh == 11_040


def test_the_steps_of_a_profile_are_followed() -> None:
    """Half an hour at 10 kW, half an hour at 4 kW."""
    assert advance(limited(begun(), (0, "10000"), (1800, "4000")), NOON + seconds(3600)).wh == 7_000


def test_after_its_duration_a_profile_limits_no_more() -> None:
    session = limited(begun(), (0, "10000"), duration=360)
    assert advance(session, NOON + seconds(720)).wh == 1_000 + 15_000


def test_a_profile_without_a_start_is_relative_to_the_start_of_charging() -> None:
    limits = from_profile(profile((0, "5000"), start_date_time=None), NOON + seconds(60), outlet_of("3256"))
    assert limits.kw(NOON) is None
    assert limits.kw(NOON + seconds(60)) == 5


def test_a_limit_of_nothing_pauses_and_is_not_parking() -> None:
    session = advance(limited(begun(), (0, "0")), NOON + seconds(600))
    assert (session.wh, session.power_kw) == (0, 0)
    assert session.bill().parking_hours == 0


def test_a_limit_does_not_touch_what_was_charged_before() -> None:
    session = station.limit(begun(), NOON + seconds(360), {}, Limits())
    assert session.wh == 15_000


def test_a_full_car_parks_and_leaves_after_a_while() -> None:
    """Full after 2348.07 s, parked for 300 s, then COMPLETED by the car."""
    session = advance(begun(), NOON + seconds(2400))
    assert (session.state, session.power_kw, session.wh) == (State.ACTIVE, 0, 61_600)
    over = advance(session, NOON + seconds(9999))
    assert (over.state, over.end_reason) == (State.COMPLETED, "FULL")
    assert over.full_at is not None
    assert over.ended_at == over.full_at + seconds(300)
    assert (over.full_at - NOON).total_seconds() == pytest.approx(2348.07, abs=0.01)
    assert over.bill().parking_hours == Decimal("0.0833")


def test_the_price_change_cuts_the_session_at_the_meters_reading() -> None:
    begin = datetime(2026, 1, 15, 19, 54, tzinfo=UTC)  # 21:54 in Helsinki
    session = station.plug(waiting(), begin, 0)
    session = advance(session, begin + seconds(720))
    assert [mark.wh for mark in session.marks] == [0, 15_000]
    assert session.bill().total.excl_vat == Decimal("10.20")  # 15 x 0.40 + 15 x 0.28


def test_a_stop_ends_it_at_its_moment_however_late_we_look() -> None:
    session = station.end(begun(), NOON + seconds(360), "REMOTE")
    over = advance(session, NOON + seconds(86_400))
    assert (over.state, over.ended_at, over.wh) == (State.COMPLETED, NOON + seconds(360), 15_000)


def test_the_earlier_of_two_ends_counts() -> None:
    session = station.end(begun(), NOON + seconds(60), "REMOTE")
    assert station.end(session, NOON + seconds(90), "EV").end_reason == "REMOTE"


def test_what_is_over_stays_as_it_is() -> None:
    over = advance(station.end(begun(), NOON + seconds(60), "REMOTE"), NOON + seconds(99))
    assert advance(over, NOON + seconds(999)) == over
    assert station.end(over, NOON + seconds(999), "EV") == over


def test_without_a_car_it_waits_and_is_dropped() -> None:
    session = station.end(waiting(), NOON + seconds(60), "NOT_PLUGGED")
    assert advance(session, NOON + seconds(59)).state is State.WAITING
    assert advance(session, NOON + seconds(60)).state is State.DROPPED


def test_a_car_that_comes_in_time_charges() -> None:
    session = station.end(waiting(), NOON + seconds(60), "NOT_PLUGGED")
    session = station.plug(session, NOON + seconds(30), 1)
    assert advance(session, NOON + seconds(90)).state is State.ACTIVE


def test_scripts_end_it() -> None:
    assert advance(begun(script=Script(car_stops_after_s=5)), NOON + seconds(9)).end_reason == "EV"
    assert advance(begun(script=Script(invalid_after_s=5)), NOON + seconds(9)).state is State.INVALID


def test_stopped_before_it_was_active_it_has_a_bill_of_nothing() -> None:
    session = station.plug(waiting(script=Script(pending_forever=True)), NOON, 1)
    session = station.end(advance(session, NOON + seconds(5)), NOON + seconds(6), "REMOTE")
    over = advance(session, NOON + seconds(7))
    assert (over.state, over.bill().total.excl_vat) == (State.COMPLETED, 0)


@given(st.lists(st.integers(1, 900), max_size=12), st.integers(0, 150_000), st.integers(0, 3600))
def test_looking_often_or_once_makes_no_difference(looks: list[int], watts: int, later: int) -> None:
    """A process that was away comes back to the same session (one Wh of floating point aside)."""
    session = limited(begun(), (0, "50000"), (later, str(watts))) if later else limited(begun(), (0, str(watts)))
    now, watched = NOON, session
    for look in looks:
        now += seconds(look)
        before = watched.wh
        watched = advance(watched, now)
        assert watched.wh >= before
    once = advance(session, now)
    assert abs(once.wh - watched.wh) <= 1
    assert once.state is watched.state
