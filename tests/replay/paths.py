"""Every way that a workflow of ours can go, as the tests of the suite walk it: name → how to have it happen.

A path is a test's own function, or some steps of one here. Its engine has the deadlines (``policy``) and settings that
make it quick; ``skips_time`` asks for the server whose time can be skipped.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio.testing import WorkflowEnvironment

from charging.session.messages import CdrReceived
from charging.temporal import refresh_curve, settle
from tests.peer import now
from tests.stack import Stack
from tests.trust import test_commands, test_long_waits, test_pushes
from tests.waiting import eventually
from tests.workflows import (
    test_late_orders,
    test_late_sessions,
    test_life,
    test_operators,
    test_planned_nights,
    test_sending,
    test_store_away,
    test_synchronisation,
    test_webhooks,
)

Walk = Callable[[Stack, WorkflowEnvironment], Awaitable[None]]


@dataclass(frozen=True)
class Path:
    """One way to go."""

    walk: Walk
    policy: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    skips_time: bool = False


def _test(function: Callable[..., Awaitable[None]], *arguments: Any) -> Walk:
    async def walk(stack: Stack, _environment: WorkflowEnvironment) -> None:
        await function(stack, *arguments)

    return walk


def _long(function: Callable[[tuple[Stack, WorkflowEnvironment]], Awaitable[None]]) -> Walk:
    async def walk(stack: Stack, environment: WorkflowEnvironment) -> None:
        await function((stack, environment))

    return walk


async def _billed(stack: Stack, order: dict[str, Any] | None = None, **cdr: Any) -> tuple[str, Any]:
    """A session that has ended and has its CDR, and the CPO's Session."""
    session_id, session = await stack.charging(minutes=30, **(order or {}))
    ended = {**session, "status": "COMPLETED", "kwh": 1, "last_updated": now()}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended, **cdr))
    return session_id, ended


async def _credit_and_correction(stack: Stack, _environment: WorkflowEnvironment) -> None:
    session_id, ended = await _billed(stack)
    await _until_paid(stack, session_id, "paid", 1)
    credit = stack.cpo.cdr(ended, id="CDR2", total_cost=-0.5, credit=True, credit_reference_id="CDR1")
    await stack.cpo.post_cdr(credit)
    await _until_paid(stack, session_id, "refunded", 2)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended, id="CDR3", total_cost=0.4))
    await _until_paid(stack, session_id, "paid", 3)


async def _quarantine(stack: Stack, _environment: WorkflowEnvironment) -> None:
    session_id, _ = await _billed(stack, total_cost=-3)

    async def is_quarantined() -> bool:
        return "cdr_quarantined" in await stack.events(session_id)

    await eventually(is_quarantined)


async def _declined_and_retried(stack: Stack, _environment: WorkflowEnvironment) -> None:
    session_id, _ = await _billed(stack, {"max_cost": 0.3})
    await _until_paid(stack, session_id, "failed", 1)
    await settle(stack.temporal, session_id, CdrReceived())
    await stack.temporal.get_workflow_handle(f"settlement/{session_id}").result()


async def _curve(stack: Stack, _environment: WorkflowEnvironment) -> None:
    await (await refresh_curve(stack.temporal, "spot")).result()


async def _until_paid(stack: Stack, session_id: str, status: str, version: int) -> None:
    seen: dict[str, Any] = {}

    async def is_so() -> bool:
        seen.update((await stack.api.get(f"/v1/sessions/{session_id}/receipt")).json())
        return (seen.get("payment_status"), seen.get("version")) == (status, version)

    await eventually(is_so, describe=lambda: f"last seen {seen}")
    await stack.until(session_id, "completed")


QUICK = {"confirm_s": 3, "plug_in_s": 5, "stop_confirm_s": 2}

_PATHS = {
    "canonical": Path(_test(test_life.test_one_session_from_start_to_paid_receipt), QUICK),
    "junk": Path(_test(test_life.test_junk_in_any_signal_is_dropped_and_the_session_goes_on), QUICK),
    "profile_set_and_cleared": Path(
        _test(test_commands.test_an_accepted_profile_is_set_when_the_asynchronous_result_says_so), QUICK
    ),
    "profile_result_lost": Path(
        _test(test_sending.test_a_profile_whose_result_got_lost_is_found_at_the_cpo), {"profile_result_s": 1}
    ),
    "profiles_answered_in_every_way": Path(_test(test_sending.profiles), {"profile_result_s": 4}),
    "charging_preferences": Path(_test(test_sending.preferences), {"profile_result_s": 4}),
    "departure_plan_with_replans": Path(
        test_planned_nights.test_a_night_of_drift_new_prices_restarts_and_a_cpo_that_refuses,
        test_planned_nights.TO_THE_MINUTE,
        {"max_cached_workflows": 0},
        skips_time=True,
    ),
    "start_rejected": Path(
        _test(
            test_commands.test_a_refused_command_fails_with_its_reason_and_the_hold_goes_back,
            "REJECTED",
            "cpo_rejected",
        )
    ),
    "funds_unanswered": Path(
        _long(test_late_orders.test_an_order_whose_wallet_comes_back_too_late_fails_and_starts_nothing),
        settings=test_late_orders.AT_EV_PASS,
        skips_time=True,
    ),
    "taken_up_too_late": Path(
        _test(test_late_orders.test_an_order_that_no_worker_takes_up_in_time_starts_nothing),
        test_late_orders.IMPATIENT,
    ),
    "start_unanswered": Path(
        _test(
            test_commands.test_without_any_answer_the_cpos_sessions_are_listed_before_the_session_fails,
        ),
        QUICK,
    ),
    "start_refused_late": Path(
        _test(test_commands.test_a_no_that_comes_after_the_failure_frees_the_evse_and_the_hold), QUICK
    ),
    "start_unknown_and_tombstone": Path(
        _long(test_long_waits.test_a_start_of_unknown_outcome_is_watched_for_a_day_with_its_claim_and_hold),
        skips_time=True,
    ),
    "tombstone_finds_a_session": Path(
        _test(test_commands.test_a_session_that_appears_after_the_failure_is_stopped_and_its_cdr_settled),
        QUICK,
    ),
    "late_session": Path(
        _test(test_commands.test_a_session_that_appears_after_a_definite_no_is_stopped_by_a_workflow_of_its_own),
        QUICK,
    ),
    "late_session_that_begins_to_charge": Path(
        _long(test_late_sessions.test_a_late_session_in_which_a_car_begins_to_charge_is_stopped_again_soon),
        skips_time=True,
    ),
    "parked_session": Path(_test(test_pushes.test_a_second_session_of_one_start_is_parked_and_stopped), QUICK),
    "plug_in_timeout": Path(_test(test_commands.test_accepted_but_nothing_plugged_waits_and_then_fails), QUICK),
    "stop_while_pending": Path(
        _test(test_commands.test_a_stop_while_pending_is_remembered_and_a_late_active_is_stopped_at_once),
        QUICK,
    ),
    "stop_overdue": Path(
        _test(test_commands.test_a_stop_that_is_accepted_but_not_obeyed_is_repeated_overdue_and_never_completed),
        QUICK,
    ),
    "stop_refused": Path(_test(test_commands.test_a_refused_stop_stays_stopping_and_asks_what_the_cpo_has), QUICK),
    "limit_reached": Path(_test(test_pushes.test_a_limit_that_is_crossed_stops_the_session), QUICK),
    "session_invalid": Path(_test(test_pushes.test_an_invalid_session_fails_without_a_charge), QUICK),
    "cdr_missing": Path(
        _long(test_long_waits.test_without_a_cdr_nothing_is_charged_and_the_hold_goes_back_until_one_comes_after_all),
        skips_time=True,
    ),
    "operator_cancels": Path(
        _test(test_operators.test_an_operators_cancellation_stops_the_car_and_settles_the_bill), QUICK
    ),
    "continue_as_new": Path(
        _test(test_operators.test_a_session_with_a_long_history_continues_as_new_with_all_it_knows),
        {"history_limit": 30},
    ),
    "credit_and_correction": Path(_credit_and_correction),
    "quarantine": Path(_quarantine),
    "declined_and_retried": Path(_declined_and_retried, settings={"wallet_opening_balance": "0.30"}),
    "store_away": Path(
        _test(test_store_away.test_a_stop_is_decided_while_the_store_is_away_and_shown_when_it_is_back), QUICK
    ),
    "synchronisation": Path(
        _test(test_synchronisation.test_a_page_that_fails_is_read_again_and_those_before_it_are_not)
    ),
    "curve": Path(_curve),
    "webhook": Path(_test(test_webhooks.test_a_session_is_told_from_start_to_receipt_in_order_and_once)),
}

# Recorded once more by sessions that live by the rules of a later edition (``charging.session.model.EDITION``).
_UNDER_RULES_2 = ("canonical", "continue_as_new", "departure_plan_with_replans", "limit_reached", "store_away")
_UNDER_RULES_3 = ("canonical", "continue_as_new", "limit_reached", "stop_while_pending", "store_away")

PATHS = {
    **_PATHS,
    **{f"{name}_rules_2": _PATHS[name] for name in _UNDER_RULES_2},
    **{f"{name}_rules_3": _PATHS[name] for name in _UNDER_RULES_3},
}
