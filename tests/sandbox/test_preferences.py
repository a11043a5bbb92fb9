"""Charging preferences: this CPO plans by itself, by its own tariff, and says why it will not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from charging.ocpi import wire
from charging.ocpi.models import ChargingPreferences
from charging.sandbox import preferring, station
from charging.sandbox.battery import Car
from charging.sandbox.station import advance
from tests.sandbox.emsp import Emsp
from tests.sandbox.test_station import begun

EVENING = datetime(2026, 1, 15, 18, tzinfo=UTC)  # 20:00 in Helsinki: the night's price begins in two hours
MORNING = EVENING + timedelta(hours=12)
UID = "3268"
TOO_MUCH = 11 * 12 + 1


def wants(**fields: Any) -> ChargingPreferences:
    return ChargingPreferences.model_validate({"profile_type": "CHEAP", "departure_time": MORNING, **fields})


def charged_by(hours: float, wanted: ChargingPreferences) -> float:
    """kWh after so many hours of a car that takes 11 kW and begins in the evening."""
    evening = begun(UID, Car(max_ac_kw=11, soc=0, capacity_kwh=500))
    session = evening.model_copy(update={"started_at": EVENING, "metered_to": EVENING, "last_updated": EVENING})
    planned = station.limit(session, EVENING, None, preferring.plan(session, wanted, EVENING))
    return round(advance(planned, EVENING + timedelta(hours=hours)).energy_kwh, 3)


def test_a_patient_car_charges_in_the_hours_that_are_cheap_and_after_its_departure() -> None:
    assert [charged_by(hours, wants(energy_need=30)) for hours in (2, 3, 11, 12, 13)] == [0, 11, 99, 99, 110]


@pytest.mark.parametrize("wanted", [wants(energy_need=120), wants(profile_type="FAST"), wants(profile_type="REGULAR")])
def test_where_the_cheap_hours_do_not_suffice_or_time_matters_it_charges_at_once(wanted: ChargingPreferences) -> None:
    assert charged_by(2, wanted) == 22


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (wants(energy_need=30), "ACCEPTED"),
        (wants(energy_need=TOO_MUCH), "NOT_POSSIBLE"),
        (wants(energy_need=TOO_MUCH, profile_type="FAST"), "ACCEPTED"),
        (wants(), "ENERGY_NEED_REQUIRED"),
        (wants(energy_need=30, departure_time=None), "DEPARTURE_REQUIRED"),
        (wants(profile_type="ODD"), "PROFILE_TYPE_NOT_SUPPORTED"),
    ],
)
def test_what_it_answers(wanted: ChargingPreferences, answer: str) -> None:
    assert preferring.answer(begun(UID, Car(max_ac_kw=11)), wanted, EVENING) == answer


async def test_preferences_are_taken_refused_by_a_fault_and_unknown_elsewhere(emsp: Emsp) -> None:
    session_id = await emsp.charging(UID)
    body = {"profile_type": "FAST", "departure_time": wire.format_datetime(datetime.now(UTC) + timedelta(hours=9))}
    path = f"/sessions/{session_id}/charging_preferences"
    await emsp.fault("PREFERENCES", "response", result="PROFILE_TYPE_NOT_SUPPORTED", evse=UID)
    answers = [(await emsp.call("PUT", path, json=body)).json()["data"] for _ in range(2)]
    assert answers == ["PROFILE_TYPE_NOT_SUPPORTED", "ACCEPTED"]
    assert [call["response"] for call in (await emsp.records())["profiles"]] == answers
    other = await emsp.charging("3256", "OTHER")
    missing = await emsp.call("PUT", f"/sessions/{other}/charging_preferences", json=body)
    assert (missing.status_code, missing.json()["status_code"]) == (404, wire.INVALID_PARAMETERS)
    assert (await emsp.call("PUT", "/sessions/nobody/charging_preferences", json=body)).status_code == 404
