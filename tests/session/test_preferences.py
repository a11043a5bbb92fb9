"""Charging preferences, where an EVSE takes no charging profiles: what is told, and what each answer leads to."""

from decimal import Decimal
from typing import Any

import pytest

from charging.session import preferences, profile_rules
from charging.session.answers import ProfileSent
from charging.session.control import control_for
from charging.session.messages import ClearProfileRequest, ProfileRequest
from charging.session.model import ProfileAnswer, SessionState
from charging.session.preferences import Preferences
from charging.session.profile import ProfilePeriod, ProfileWish
from charging.session.steps import Step, next_step
from tests.session.factory import T0, active, at, spec

LEAVES = ProfileWish(departure_time=at(7200))


def wished(wish: ProfileWish | None = LEAVES, **spec: Any) -> SessionState:
    state = active(**{"profile_capable": False, "preferences_capable": True, "max_power_kw": Decimal(11), **spec})
    message = ClearProfileRequest(message_id="r1") if wish is None else ProfileRequest(message_id="r1", wish=wish)
    profile_rules.profile_requested(state, message, T0)
    return state


def answer(state: SessionState, result: str, now: float = 1) -> Preferences:
    """The next preferences are sent and answered with ``result``; what was sent."""
    assert next_step(state, at(now)) is Step.SEND_PREFERENCES
    told = preferences.preferences_of(state, at(now))
    preferences.preferences_sent(state, f"c{now}", told, at(now))
    preferences.preferences_answered(state, ProfileSent(command_id=f"c{now}", result=result), at(now))
    return told


@pytest.mark.parametrize(
    ("strategy", "told"), [(None, "CHEAP"), ("greenest", "GREEN"), ("asap", "FAST"), ("latest", "REGULAR")]
)
def test_the_cpo_is_told_the_departure_the_need_and_what_matters(strategy: Any, told: str) -> None:
    state = wished(ProfileWish(departure_time=at(7200), strategy=strategy), need_kwh=Decimal(12))
    expected = Preferences(profile_type=told, departure_time=at(7200), energy_need=Decimal(12))
    assert answer(state, "ACCEPTED") == expected
    assert state.answers == [ProfileAnswer(request_id="r1", state="accepted", result="ACCEPTED")]
    plan = state.profile.in_force
    assert plan is not None
    assert (plan.control, plan.limit_w(at(2)), plan.warnings[0].code) == (
        "charging_preferences",
        11_000,
        "planned_by_cpo",
    )


@pytest.mark.parametrize(
    ("refusal", "amended"),
    [
        ("NOT_POSSIBLE", {"profile_type": "FAST"}),
        ("PROFILE_TYPE_NOT_SUPPORTED", {"profile_type": "REGULAR"}),
        ("ENERGY_NEED_REQUIRED", {"energy_need": Decimal("22.0")}),
        ("DEPARTURE_REQUIRED", {}),
    ],
)
def test_each_refusal_changes_what_is_told_once_and_is_the_last_word_the_second_time(
    refusal: str, amended: dict[str, Any]
) -> None:
    state = wished(need_kwh=None)
    first = answer(state, refusal, 0)
    assert answer(state, refusal, 0) == first.model_copy(update=amended)
    assert state.answers == [ProfileAnswer(request_id="r1", state="rejected", result=refusal)]
    assert state.profile.in_force is None


def test_refusals_add_up() -> None:
    state = wished(need_kwh=None)
    for number, refusal in enumerate(["NOT_POSSIBLE", "PROFILE_TYPE_NOT_SUPPORTED", "ENERGY_NEED_REQUIRED"]):
        answer(state, refusal, number)
    assert answer(state, "ACCEPTED", 3600).model_dump(exclude={"departure_time"}) == {
        "profile_type": "REGULAR",
        "energy_need": Decimal("11.0"),  # all that the connector gives in the hour that is left
    }


def test_what_cannot_be_ready_in_time_charges_as_fast_as_it_can_and_says_so() -> None:
    state = wished()
    answer(state, "NOT_POSSIBLE", 0)
    assert answer(state, "ACCEPTED", 1).profile_type == "FAST"
    plan = state.profile.in_force
    assert plan is not None
    assert (plan.revision, [warning.code for warning in plan.warnings]) == (
        1,
        ["planned_by_cpo", "departure_not_possible"],
    )


def test_a_cpo_that_cannot_be_reached_is_told_again() -> None:
    state = wished()
    answer(state, "UNREACHABLE", 1)
    assert next_step(state, at(10)) is Step.WAIT
    answer(state, "ACCEPTED", 11)
    assert state.answers[-1].state == "accepted"


def test_to_be_free_of_preferences_is_to_charge_as_fast_as_it_goes() -> None:
    state = wished(need_kwh=None)
    answer(state, "ACCEPTED", 1)
    profile_rules.profile_requested(state, ClearProfileRequest(message_id="r2"), at(2))
    assert answer(state, "DEPARTURE_REQUIRED", 2) == Preferences(profile_type="FAST")
    assert answer(state, "ACCEPTED", 3) == Preferences(profile_type="FAST", departure_time=at(7200))
    assert state.profile.in_force is None


@pytest.mark.parametrize(
    "limit",
    [
        {"max_charge_rate_kw": Decimal(7)},
        {"max_charge_rate_kw": Decimal(7), "departure_time": at(7200)},
        {"periods": (ProfilePeriod(start_period=0, limit=Decimal(7000)),)},
        {},
    ],
)
def test_preferences_know_no_limits(limit: dict[str, Any]) -> None:
    state = wished(ProfileWish(**limit))
    assert state.answers == [ProfileAnswer(request_id="r1", state="rejected", result="NOT_SUPPORTED")]


def test_profiles_come_before_preferences_and_stop_is_what_is_left() -> None:
    assert control_for(spec(preferences_capable=True), LEAVES) == "charging_profile"
    assert control_for(spec(profile_capable=False), LEAVES) == "stop"
