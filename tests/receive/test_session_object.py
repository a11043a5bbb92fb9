"""PUT and PATCH of a Session, as pure functions."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from charging.errors import UnusableMessage
from charging.ocpi.session_object import (
    MAX_PERIODS,
    MAX_PERIODS_CHARACTERS,
    patch,
    periods,
    put,
    reading,
    references,
)
from charging.session.model import CpoStatus
from tests.receive.conftest import START, at, period, session_body

NOW = START + timedelta(hours=1)


def test_a_put_replaces_the_whole_session() -> None:
    stored = session_body(meter_id="M", charging_periods=[period(0, ENERGY=1)])
    assert put(stored, session_body(last_updated=at(1)), NOW) == session_body(last_updated=at(1))


def test_unknown_fields_and_values_are_kept() -> None:
    body = session_body(status="CHARGING", x_vendor={"a": 1})
    assert put(None, body, NOW) == body


@pytest.mark.parametrize("status", ["CHARGING", "SUSPENDED_EV", "läuft"])
def test_a_status_that_nobody_knows_means_active_where_energy_has_flowed(status: str) -> None:
    assert reading(session_body(status=status, kwh=0.1)).status is CpoStatus.ACTIVE
    assert reading(session_body(status=status, kwh=0)).status is None


@pytest.mark.parametrize("status", ["active", "Active", " ACTIVE "])
def test_a_status_is_known_however_it_is_spelled(status: str) -> None:
    stored = put(None, session_body(status=status), NOW)
    assert stored is not None
    assert (stored["status"], reading(stored).status) == ("ACTIVE", CpoStatus.ACTIVE)
    assert reading(session_body(status=status)).status is CpoStatus.ACTIVE, "stored before spellings were read"


def test_an_end_in_lower_case_is_an_end() -> None:
    ended = patch(session_body(), {"status": "completed", "last_updated": at(1)}, NOW)
    assert ended is not None
    again = put(ended, session_body(last_updated=at(2)), NOW)
    assert again is not None
    assert (ended["status"], again["status"]) == ("COMPLETED", "COMPLETED")


@pytest.mark.parametrize("field", ["status", "kwh", "last_updated"])
def test_a_put_needs_what_the_meter_is_read_from(field: str) -> None:
    with pytest.raises(UnusableMessage, match=field):
        put(None, session_body(**{field: None}), NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kwh": "many"},
        {"kwh": True},
        {"kwh": []},
        {"status": 3},
        {"last_updated": "yesterday"},
        {"start_date_time": 12},
        {"end_date_time": "soon"},
        {"charging_periods": "none"},
    ],
)
def test_what_cannot_be_read_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnusableMessage):
        put(None, session_body(**wrong), NOW)


def test_a_patch_changes_only_what_it_names() -> None:
    stored = session_body(meter_id="M")
    assert patch(stored, {"kwh": 3, "last_updated": at(1)}, NOW) == session_body(
        meter_id="M", kwh=3, last_updated=at(1)
    )


def test_a_patch_appends_its_charging_periods() -> None:
    stored = session_body(charging_periods=[period(0, ENERGY=1)])
    after = patch(stored, {"charging_periods": [period(5, ENERGY=2)], "last_updated": at(5)}, NOW)
    assert after is not None
    assert after["charging_periods"] == [period(0, ENERGY=1), period(5, ENERGY=2)]


def test_a_period_that_comes_again_replaces_its_earlier_self() -> None:
    stored = session_body(charging_periods=[period(0, ENERGY=1), period(5, ENERGY=2)])
    again = {**period(0, ENERGY=3), "start_date_time": "2026-03-30T12:00:00.000+00:00"}
    after = patch(stored, {"charging_periods": [again], "last_updated": at(6)}, NOW)
    assert after is not None
    assert after["charging_periods"] == [again, period(5, ENERGY=2)]


@pytest.mark.parametrize("empty", [[], None])
def test_a_patch_with_no_periods_takes_none_away(empty: Any) -> None:
    stored = session_body(charging_periods=[period(0, ENERGY=1)])
    after = patch(stored, {"charging_periods": empty, "last_updated": at(6)}, NOW)
    assert after is not None
    assert after["charging_periods"] == [period(0, ENERGY=1)]


def test_null_clears_an_optional_field_and_spares_a_required_one() -> None:
    after = patch(session_body(meter_id="M"), {"meter_id": None, "kwh": None, "last_updated": at(1)}, NOW)
    assert after == session_body(last_updated=at(1))


def test_a_patch_without_last_updated_is_refused() -> None:
    with pytest.raises(UnusableMessage, match="last_updated"):
        patch(session_body(), {"kwh": 1}, NOW)


def test_an_older_message_is_ignored() -> None:
    stored = session_body(last_updated=at(5))
    assert put(stored, session_body(last_updated=at(4), kwh=9), NOW) is None
    assert patch(stored, {"last_updated": at(4), "kwh": 9}, NOW) is None


def test_an_equal_time_stamp_is_not_older() -> None:
    assert put(session_body(), session_body(kwh=9), NOW) == session_body(kwh=9)


@pytest.mark.parametrize("final", ["COMPLETED", "INVALID"])
def test_an_older_message_that_ends_the_session_ends_it(final: str) -> None:
    stored = session_body(last_updated=at(5), kwh=5, meter_id="M")
    late = {"last_updated": at(4), "status": final, "end_date_time": at(6), "kwh": 4}
    assert patch(stored, late, NOW) == {**stored, "status": final, "end_date_time": at(6)}


def test_an_older_message_whose_status_is_ahead_moves_the_session_on() -> None:
    """The push that said ACTIVE was lost; a list that says it was read before the newest PATCH came."""
    stored = session_body(status="PENDING", last_updated=at(5), kwh=5)
    listed = session_body(status="ACTIVE", start_date_time=at(1), last_updated=at(4), kwh=4)
    assert put(stored, listed, NOW) == {**stored, "status": "ACTIVE", "start_date_time": at(1)}


def test_an_older_message_never_moves_the_session_back() -> None:
    stored = session_body(status="ACTIVE", last_updated=at(5))
    for status in ("PENDING", "RESERVATION", "SOMETHING_NEW"):
        assert put(stored, session_body(status=status, last_updated=at(4)), NOW) is None


def test_the_energy_of_a_late_end_counts_where_it_is_higher() -> None:
    after = put(
        session_body(last_updated=at(5), kwh=5), session_body(last_updated=at(4), kwh=6, status="COMPLETED"), NOW
    )
    assert after is not None
    assert after["kwh"] == 6


@pytest.mark.parametrize("final", ["COMPLETED", "INVALID"])
def test_a_final_status_is_never_left(final: str) -> None:
    stored = session_body(status=final)
    for status in ("ACTIVE", "PENDING", "COMPLETED", "INVALID"):
        after = put(stored, session_body(status=status, last_updated=at(9)), NOW)
        assert after is not None
        assert after["status"] == final


def test_a_reading_takes_power_and_charge_from_the_newest_period() -> None:
    periods = [period(5, POWER=11, STATE_OF_CHARGE=40), period(0, POWER=22, STATE_OF_CHARGE=20)]
    found = reading(session_body(charging_periods=periods))
    assert (found.power_kw, found.state_of_charge) == (Decimal(11), Decimal(40))


def test_max_power_stands_in_for_power() -> None:
    assert reading(session_body(charging_periods=[period(0, MAX_POWER=7.4)])).power_kw == Decimal("7.4")


@pytest.mark.parametrize(
    ("price", "cost"),
    [
        ({"excl_vat": 1, "incl_vat": 1.24}, Decimal("1.24")),
        ({"excl_vat": 1}, Decimal(1)),
        (2.5, Decimal("2.5")),
        (None, None),
        ("free", None),
    ],
)
def test_the_running_cost_is_with_vat_where_the_cpo_says_so(price: Any, cost: Decimal | None) -> None:
    assert reading(session_body(total_cost=price)).cost == cost


def test_a_reading_of_a_careless_session() -> None:
    odd = session_body(charging_periods=[3, {"dimensions": [7, {"type": ["POWER"], "volume": 1}]}], currency=978)
    found = reading(odd)
    assert (found.power_kw, found.currency, found.status) == (None, None, CpoStatus.ACTIVE)
    assert found.started_at == START


def test_references_do_not_mind_case() -> None:
    body = session_body(authorization_reference="aBc", cdr_token={"uid": "xY"})
    assert references(body) == ("ABC", "XY")
    assert references(session_body(authorization_reference=7, cdr_token=None)) == (None, None)


def test_a_time_stamp_far_ahead_freezes_nothing() -> None:
    """A clock that is days ahead is wrong; one that is hours ahead may be in another zone."""
    for ahead, expected in ((timedelta(hours=23), None), (timedelta(days=30), 9)):
        stored = session_body(last_updated=NOW + ahead, kwh=5)
        after = patch(stored, {"last_updated": at(60), "kwh": 9}, NOW)
        assert (after and after["kwh"]) == expected


def test_the_newest_charging_periods_are_kept_when_there_are_too_many() -> None:
    stored = put(None, session_body(charging_periods=[period(n, ENERGY=1) for n in range(MAX_PERIODS + 1)]), NOW)
    assert stored is not None
    assert (len(periods(stored)), periods(stored)[0]) == (MAX_PERIODS, period(1, ENERGY=1))
    newer = period(MAX_PERIODS + 1, ENERGY=2)
    after = patch(stored, {"charging_periods": [newer], "last_updated": at(9)}, NOW)
    assert after is not None
    assert (len(periods(after)), periods(after)[0], periods(after)[-1]) == (MAX_PERIODS, period(2, ENERGY=1), newer)


def test_the_newest_charging_periods_are_kept_when_they_are_too_long() -> None:
    long = [{**period(n, ENERGY=1), "x_vendor": "x" * (MAX_PERIODS_CHARACTERS // 3)} for n in range(3)]
    after = put(None, session_body(charging_periods=long), NOW)
    assert after is not None
    assert periods(after) == long[1:]
