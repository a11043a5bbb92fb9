"""Charging preferences in the life of a session: what the driver wants is told, and the CPO plans by itself. Pure.

OCPI 2.2.1 §9.3.2 (ChargingPreferences), §9.4.1 (their answers). The answer comes at once; each refusal is taken into
account once, in what is sent next, and the same refusal again is the CPO's last word.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from charging.session import profile_rules
from charging.session.answers import ProfileSent
from charging.session.model import SessionState
from charging.session.notes import note
from charging.session.profile import ChargingPlan, PlanWarning, ProfilePeriod, ProfileWish

ProfileType = Literal["CHEAP", "FAST", "GREEN", "REGULAR"]

_TYPES: Final[Mapping[str, ProfileType]] = {
    "cheapest": "CHEAP",
    "greenest": "GREEN",
    "asap": "FAST",
    "latest": "REGULAR",
}
_AMENDABLE: Final = frozenset(
    {"DEPARTURE_REQUIRED", "ENERGY_NEED_REQUIRED", "NOT_POSSIBLE", "PROFILE_TYPE_NOT_SUPPORTED"}
)
_PLANNED_BY_CPO: Final = PlanWarning(
    code="planned_by_cpo",
    detail="The EVSE takes no charging profiles: the CPO was told the departure and plans by itself.",
)

_NOT_POSSIBLE: Final = PlanWarning(
    code="departure_not_possible",
    detail="The CPO says that this cannot be had by the departure: it goes as fast as it can.",
)


class Preferences(BaseModel):
    """What the CPO is told. ``energy_need`` kWh."""

    model_config = ConfigDict(frozen=True)

    profile_type: ProfileType
    departure_time: datetime | None = None
    energy_need: Decimal | None = None


def preferences_of(state: SessionState, now: datetime) -> Preferences:
    """The preferences of the open wish, as far as the CPO has not refused them; without a wish, as fast as it can."""
    profile = state.profile
    refusals, wish = profile.preference_refusals, profile.wish
    departure = wish.departure_time if wish else None
    if departure is None and "DEPARTURE_REQUIRED" in refusals and profile.in_force:
        departure = profile.in_force.wish.departure_time
    return Preferences(
        profile_type=_type(wish, refusals),
        departure_time=departure,
        energy_need=_energy_need(state, departure, now, is_required="ENERGY_NEED_REQUIRED" in refusals),
    )


def preferences_sent(state: SessionState, command_id: str, preferences: Preferences, now: datetime) -> None:
    """The preferences go out now."""
    profile = state.profile
    plan = _plan(state, profile.wish, now) if profile.wish else None
    profile_rules.profile_sent(state, command_id, plan, now)
    state.plans_made = plan.revision if plan else state.plans_made
    profile.asked = True  # their answer comes at once or not at all: there is no asking for it
    words: list[str] = [preferences.profile_type]
    if preferences.energy_need is not None:
        words.append(f"{preferences.energy_need} kWh")
    if preferences.departure_time is not None:
        words.append(f"by {preferences.departure_time.isoformat()}")
    note(state, "preferences_sent", " ".join(words), now)


def preferences_answered(state: SessionState, sent: ProfileSent, now: datetime) -> None:
    """What the CPO said of them, or that it said nothing."""
    profile = state.profile
    if sent.command_id != profile.command_id or profile.request_id is None:
        return
    if sent.result not in _AMENDABLE or sent.result in profile.preference_refusals:
        profile_rules.settled_at_once(state, sent, now)
        return
    profile.preference_refusals = (*profile.preference_refusals, sent.result)
    profile.attempts, profile.next_at = 0, now
    note(state, "preferences_refused", sent.result, now)


def _type(wish: ProfileWish | None, refusals: tuple[str, ...]) -> ProfileType:
    if "PROFILE_TYPE_NOT_SUPPORTED" in refusals:
        return "REGULAR"  # the one that asks for nothing special
    if wish is None or "NOT_POSSIBLE" in refusals:
        return "FAST"  # what cannot be ready in time shall at least lose no time
    return _TYPES[wish.strategy or "cheapest"]


def _energy_need(
    state: SessionState, departure: datetime | None, now: datetime, *, is_required: bool
) -> Decimal | None:
    """What is still missing; where that is not known and must be told, all that can be had until the departure."""
    need = state.spec.need_kwh
    if need is not None:
        return max(need - state.meter.kwh, Decimal(0))
    if not is_required or departure is None:
        return None
    hours = Decimal(str(max((departure - now).total_seconds(), 0))) / 3600
    return (state.spec.max_power_kw * hours).quantize(Decimal("0.1"))


def _plan(state: SessionState, wish: ProfileWish, now: datetime) -> ChargingPlan:
    """What is known of the CPO's plan: nothing but what the connector can give."""
    before, refused = state.profile.plan, "NOT_POSSIBLE" in state.profile.preference_refusals
    return ChargingPlan(
        starts_at=now,
        strategy=wish.strategy or "cheapest",
        wish=wish,
        periods=(ProfilePeriod(start_period=0, limit=(state.spec.max_power_kw * 1000).normalize() + 0),),
        revision=before.revision if before else state.plans_made + 1,
        warnings=(_PLANNED_BY_CPO, _NOT_POSSIBLE) if refused else (_PLANNED_BY_CPO,),
        kwh_at_start=state.meter.kwh,
        power_factor=state.spec.power_factor,
        control="charging_preferences",
    )
