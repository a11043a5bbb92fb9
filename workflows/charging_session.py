"""``ChargingSessionWorkflow``: the life of one charging session, from the robot's wish to the paid receipt.

The loop in ``run`` asks the rules for the next step, takes it, and sleeps until a message or a deadline wakes it.
What each message does to the state is in ``charging.session.rules``; what comes next in ``charging.session.steps``.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, ValidationError

    from activities.cpo import CpoActivities, CpoCommand, SendPreferences, SendProfile
    from activities.payments import PaymentActivities
    from activities.plans import PlanActivities
    from activities.records import RecordActivities
    from charging import names
    from charging.planning.profile import PLANNING_FAILED, make_plan
    from charging.session import plan_rules, preferences, profile_rules, rules
    from charging.session.answers import ProfileSent, Publication, StartAnswer, StopAnswer
    from charging.session.details import current_details, publication
    from charging.session.messages import (
        CdrReceived,
        ClearProfileRequest,
        CommandResultMessage,
        PricesChanged,
        ProfileRequest,
        SessionUpdated,
        StopRequest,
    )
    from charging.session.model import SessionState, StartOutcome, TimelineEntry
    from charging.session.notes import note_status
    from charging.session.profile import ChargingPlan, PlanOrder
    from charging.session.steps import Step, next_step, wake_at
    from charging.temporal import search_attributes
    from workflows import session_metrics
    from workflows.quick_step import LONGEST_ATTEMPT, quick_step

Message = TypeVar("Message", bound=BaseModel)

# A CPO call ends by itself within its own total timeout; a dead worker is noticed by the missing heartbeat.
CPO_CALL = timedelta(seconds=60)
HEARTBEAT = timedelta(seconds=6)
STORE_CALL = timedelta(seconds=30)
PLANNING = timedelta(seconds=5)


@workflow.defn(name=names.Workflow.CHARGING_SESSION)
class ChargingSessionWorkflow:
    """One charging session. Its state is one model; signals change it, steps act on it, publications show it."""

    @workflow.init
    def __init__(self, state: SessionState) -> None:
        edition = next((number for number in (3, 2, 1) if workflow.patched(f"rules-{number}")), 0)
        if edition:
            rules.taken_up(state, workflow.info().workflow_start_time, edition)
        self._state = state
        self._busy: dict[Step, asyncio.Task[None]] = {}
        self._awake = True
        # The state's changes that were shown, or are being shown in the background; the API has stored the first ones.
        self._published = -1 if state.run else state.changes
        self._stored = self._published  # those that the store has
        self._publications = 0
        self._catching_up: asyncio.Task[None] | None = None
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at: datetime | None = None
        self._crash: BaseException | None = None

    @workflow.run
    async def run(self, state: SessionState) -> str:
        """Live the session to its end; returns its final status. ``state`` was taken by ``__init__``."""
        while (step := self._next_step()) is not Step.END or not await self._is_left():
            try:
                if step not in (Step.WAIT, Step.END):
                    self._begin(step)
                    await asyncio.sleep(0)  # what it notes before it waits goes into the same publication
                elif not await self._publish() and self._next_step() is Step.WAIT:
                    await self._sleep()
            except asyncio.CancelledError:
                # An operator's cancellation is a wish like any other: the car is stopped, the bill is settled.
                rules.stop_requested(self._state, StopRequest(by="operator"), workflow.now())
        return self._state.status

    def _next_step(self) -> Step:
        return next_step(self._state, workflow.now(), self._busy)

    async def _is_left(self) -> bool:
        """The end, once the store has it all; not where something has come meanwhile that is to be seen through.

        An operator's cancellation comes too late to change anything.
        """
        while True:
            try:
                await self._publish()
                await self._all_published()
            except asyncio.CancelledError:
                continue
            if self._state.edition < 3:
                return True
            return self._stored == self._state.changes and self._next_step() is Step.END

    # --- steps: each asks an activity and hands the answer to the rules --------------------------------------

    def _begin(self, step: Step) -> None:
        """Take a step in the background: a slow CPO must never keep a session from hearing a stop."""
        take = {
            Step.ADMIT: self._admit,
            Step.HOLD: self._hold,
            Step.START: self._start,
            Step.STOP: self._stop,
            Step.PLAN: self._plan,
            Step.SEND_PROFILE: self._send_profile,
            Step.CLEAR_PROFILE: self._clear_profile,
            Step.SEND_PREFERENCES: self._send_preferences,
            Step.ASK_PROFILE: self._ask_profile,
            Step.ASK_CPO: self._ask_cpo,
            Step.RELEASE: self._release,
        }[step]
        self._busy[step] = asyncio.create_task(take())
        self._busy[step].add_done_callback(lambda task: self._finished(step, task))

    def _finished(self, step: Step, task: asyncio.Task[None]) -> None:
        del self._busy[step]
        self._awake = True
        if not task.cancelled() and task.exception():
            self._crash = task.exception()  # raised in `run`, so that Temporal UI shows it and a fixed worker goes on

    async def _admit(self) -> None:
        admission = await workflow.execute_local_activity_method(
            RecordActivities.admit,
            self._state.spec.session_id,
            start_to_close_timeout=STORE_CALL,
            summary="accepted → running",
        )
        rules.admitted(self._state, admission, workflow.now())

    async def _hold(self) -> None:
        spec = self._state.spec
        summary = f"Hold {spec.hold} {spec.currency}"
        try:
            answer = await quick_step(PaymentActivities.hold, spec.session_id, summary, until=self._state.start_by)
        except ActivityError:
            # The last attempt may still be on its way: what it holds must be there when it is given back.
            await workflow.sleep(LONGEST_ATTEMPT, summary="the last attempt to hold ends")
            rules.hold_unanswered(self._state, workflow.now())
            return
        rules.funds_answered(self._state, answer.held, answer.detail, workflow.now())

    async def _start(self) -> None:
        rules.start_sent(self._state, workflow.now())
        try:
            answer = await workflow.execute_activity_method(
                CpoActivities.start_session,
                self._state.spec.session_id,
                start_to_close_timeout=CPO_CALL,
                schedule_to_close_timeout=timedelta(seconds=self._state.spec.policy.confirm_s),
                heartbeat_timeout=HEARTBEAT,
                # Retried only while nothing has left; the activity itself never sends START twice.
                retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=15)),
                summary=f"START_SESSION to {self._state.spec.network}",
            )
        except ActivityError as error:
            answer = _start_unanswered(error)
        rules.start_answered(self._state, answer, workflow.now())

    async def _stop(self) -> None:
        rules.stop_sent(self._state, workflow.now())
        try:
            answer = await workflow.execute_activity_method(
                CpoActivities.stop_session,
                CpoCommand(**self._about(_unguessable())),
                start_to_close_timeout=CPO_CALL,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RetryPolicy(maximum_attempts=2),
                summary=f"STOP_SESSION, attempt {self._state.stop.attempts}",
            )
        except ActivityError:
            answer = StopAnswer(detail="no answer")
        rules.stop_answered(self._state, answer, workflow.now())

    async def _plan(self) -> None:
        """Made once for each wish, so that a repeated send keeps its start; and again when it no longer holds."""
        order = plan_rules.order(self._state, workflow.now())
        session_metrics.planned(self._state, order)
        plan_rules.planned(self._state, order, await self._made(order), workflow.now())

    async def _made(self, order: PlanOrder) -> ChargingPlan:
        simple = make_plan(order.wish, max_power_kw=self._state.spec.max_power_kw, now=order.now)
        simple = simple.model_copy(update={"revision": order.revision, "cause": order.cause, "why": order.why})
        if order.wish.departure_time is None:
            return simple  # takes no prices, so no store
        try:
            return await workflow.execute_local_activity_method(
                PlanActivities.make_plan,
                order,
                start_to_close_timeout=PLANNING,
                retry_policy=RetryPolicy(maximum_attempts=2),
                summary=order.why or f"Plan for {order.wish.departure_time.isoformat()}",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            if order.in_force is not None:
                return order.in_force.kept(order.now, self._state.meter.kwh, order.taken_kw)
            return simple.model_copy(update={"warnings": (PLANNING_FAILED,)})

    async def _send_profile(self) -> None:
        state, spec, plan, command_id = self._state, self._state.spec, self._state.profile.plan, _unguessable()
        assert plan is not None  # noqa: S101 - next_step has it made first
        profile_rules.profile_sent(state, command_id, plan, workflow.now())
        facts = spec.model_dump(include={"max_power_kw", "rate_unit", "phases", "voltage"})
        command = SendProfile(**self._about(command_id), plan=plan, now=workflow.now(), **facts)
        sent = await self._profile_call(CpoActivities.set_charging_profile, command, "Set charging profile")
        profile_rules.profile_answered(state, sent, workflow.now())

    async def _clear_profile(self) -> None:
        command_id = _unguessable()
        profile_rules.profile_sent(self._state, command_id, None, workflow.now())
        command = CpoCommand(**self._about(command_id))
        sent = await self._profile_call(CpoActivities.clear_charging_profile, command, "Clear charging profile")
        profile_rules.profile_answered(self._state, sent, workflow.now())

    async def _send_preferences(self) -> None:
        command_id, told = _unguessable(), preferences.preferences_of(self._state, workflow.now())
        preferences.preferences_sent(self._state, command_id, told, workflow.now())
        command = SendPreferences(**self._about(command_id), preferences=told)
        sent = await self._profile_call(CpoActivities.set_charging_preferences, command, "Set charging preferences")
        preferences.preferences_answered(self._state, sent, workflow.now())

    async def _ask_profile(self) -> None:
        command_id = _unguessable()
        profile_rules.profile_asked(self._state, command_id, workflow.now())
        command = CpoCommand(**self._about(command_id))
        sent = await self._profile_call(CpoActivities.ask_active_profile, command, "Ask for the active profile")
        profile_rules.profile_ask_answered(self._state, sent, workflow.now())

    async def _profile_call(self, call: Any, command: CpoCommand, summary: str) -> ProfileSent:
        try:
            sent: ProfileSent = await workflow.execute_activity_method(
                call,
                command,
                start_to_close_timeout=CPO_CALL,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RetryPolicy(maximum_attempts=2),
                summary=summary,
            )
        except ActivityError:
            sent = ProfileSent(command_id=command.command_id, result="UNREACHABLE")
        return sent

    def _about(self, command_id: str) -> dict[str, Any]:
        spec = self._state.spec
        return {
            "session_id": spec.session_id,
            "connection_id": spec.connection_id,
            "ocpi_session_id": self._state.meter.ocpi_session_id or "",
            "command_id": command_id,
        }

    async def _ask_cpo(self) -> None:
        try:
            meter = await workflow.execute_activity_method(
                CpoActivities.list_sessions,
                self._state.spec.session_id,
                start_to_close_timeout=CPO_CALL,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RetryPolicy(maximum_attempts=3),
                summary="List the CPO's sessions before giving up",
            )
            rules.session_updated(self._state, meter, workflow.now())
        except ActivityError:
            workflow.logger.warning("the CPO could not be asked")
        rules.asked_cpo(self._state, workflow.now())

    async def _release(self) -> None:
        await quick_step(PaymentActivities.release, self._state.spec.session_id, "Release what is held")
        rules.hold_released(self._state, workflow.now())

    # --- waiting ---------------------------------------------------------------------------------------------

    async def _sleep(self) -> None:
        """Until a message, an answer or a deadline. Continues as new while nothing is under way."""
        if not self._busy and self._history_is_long():
            await self._continue_as_new()
        self._arm()
        await workflow.wait_condition(lambda: self._awake)
        self._awake = False
        if self._crash:
            raise self._crash
        rules.time_passed(self._state, workflow.now())

    def _arm(self) -> None:
        """Keep one timer running, at or before the next deadline; an early one rings for nothing and costs less."""
        waiting = wake_at(self._state, workflow.now())
        ringing = self._alarm is not None and not self._alarm.done()
        if waiting is None or (ringing and self._alarm_at is not None and self._alarm_at <= waiting[0]):
            return
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at = waiting[0]
        self._alarm = asyncio.create_task(self._ring(waiting[0] - workflow.now(), waiting[1]))

    async def _ring(self, after: timedelta, why: str) -> None:
        await workflow.sleep(after, summary=why)
        if self._state.meter.ocpi_session_id and not self._state.closed_at:
            await self._read_meter()
        self._awake = True

    async def _read_meter(self) -> None:
        try:
            meter = await workflow.execute_local_activity_method(
                RecordActivities.read_meter,
                self._state.spec.session_id,
                start_to_close_timeout=timedelta(seconds=3),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except FailureError:
            rules.meter_unread(self._state, workflow.now())
            return
        rules.meter_read(self._state, meter, workflow.now())

    def _history_is_long(self) -> bool:
        info = workflow.info()
        limit = self._state.spec.policy.history_limit
        return info.is_continue_as_new_suggested() or info.get_current_history_length() >= limit

    async def _continue_as_new(self) -> None:
        await self._all_published()
        # Leaving with a handler half done would lose its message.
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self._state.model_copy(update={"run": self._state.run + 1}))

    # --- publishing: the store and Temporal UI ---------------------------------------------------------------

    async def _publish(self) -> bool:
        """Show the decisions; True when the stored meter it brings back has changed something again.

        Never blocks a decision: three seconds by a local activity, else in the background for as long as it takes.
        """
        if self._published == self._state.changes:
            return False
        snapshot, changes = self._snapshot(), self._state.changes
        self._show(snapshot)
        try:
            meter = await workflow.execute_local_activity_method(
                RecordActivities.publish,
                snapshot,
                start_to_close_timeout=timedelta(seconds=3),
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"Publish {snapshot.status}",
            )
        except FailureError as error:  # a local activity's failure comes without the ActivityError around it
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error  # the workflow was cancelled; `run` makes a stop of it
            self._published = changes
            self._catch_up()
            return False
        self._published = changes
        self._confirmed(snapshot, changes)
        rules.meter_read(self._state, meter, workflow.now())
        return self._published != self._state.changes

    def _snapshot(self) -> Publication:
        before = self._state.told, self._state.told_at
        note_status(self._state, workflow.now())
        session_metrics.moved_on(self._state, *before)
        self._publications += 1
        length = workflow.info().get_current_history_length()
        return publication(self._state, length=length, n=self._publications)

    def _show(self, snapshot: Publication) -> None:
        workflow.set_current_details(current_details(self._state, workflow.now()))
        shown = workflow.info().typed_search_attributes
        wanted = search_attributes(self._state.spec, snapshot.status)
        if any(shown.get(pair.key) != pair.value for pair in wanted):
            workflow.upsert_search_attributes(
                [pair.key.value_set(pair.value) for pair in wanted if shown.get(pair.key) != pair.value]
            )

    def _confirmed(self, snapshot: Publication, changes: int) -> None:
        state = self._state
        self._stored = max(self._stored, changes)
        state.unpublished = [entry for entry in state.unpublished if entry not in snapshot.entries]
        state.answers = [answer for answer in state.answers if answer not in snapshot.answers]
        state.plans = [record for record in state.plans if record not in snapshot.plans]
        state.ask_cpo = state.ask_cpo and not snapshot.ask_cpo

    def _catch_up(self) -> None:
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.create_task(self._publish_patiently())

    async def _publish_patiently(self) -> None:
        while self._stored != self._state.changes:
            snapshot, changes = self._snapshot(), self._state.changes
            meter = await workflow.execute_activity_method(
                RecordActivities.publish,
                snapshot,
                start_to_close_timeout=STORE_CALL,
                summary=f"Publish {snapshot.status}: the store was away",
            )
            self._confirmed(snapshot, changes)
            rules.meter_read(self._state, meter, workflow.now())
        self._awake = True

    async def _all_published(self) -> None:
        if self._catching_up:
            await asyncio.shield(self._catching_up)  # cancelling the wait must not cancel the publication

    # --- messages: a handler that throws would wedge the workflow for ever, so junk is dropped ---------------

    def _take(self, kind: type[Message], message: Any) -> Message | None:
        """``message`` as ``kind``, or None where it is junk or a repeat. Wakes the workflow."""
        try:
            taken = kind.model_validate(message if message is not None else {})
        except ValidationError as error:
            workflow.logger.warning("dropped a %s: %d errors", kind.__name__, error.error_count())
            return None
        if rules.is_repeat(self._state, getattr(taken, "message_id", None)):
            return None
        self._awake = True
        return taken

    @workflow.signal(name=names.Signal.STOP, description="End the session. Needs no input.")
    def stop(self, message: Any = None, *_junk: Any) -> None:
        """End the session. From the API or, without input, from an operator."""
        if taken := self._take(StopRequest, message):
            rules.stop_requested(self._state, taken, workflow.now())

    @workflow.signal(
        name=names.Signal.CHANGE_PROFILE,
        description='Limit the charging rate: {"wish": {"max_charge_rate_kw": 7.4}}. Without input: no limit.',
    )
    def change_profile(self, message: Any = None, *_junk: Any) -> None:
        """Limit the charging rate; a newer wish supersedes an open one."""
        if taken := self._take(ProfileRequest, message):
            profile_rules.profile_requested(self._state, taken, workflow.now())

    @workflow.signal(name=names.Signal.CLEAR_PROFILE, description="Full speed again. Needs no input.")
    def clear_profile(self, message: Any = None, *_junk: Any) -> None:
        """Remove the charging profile."""
        if taken := self._take(ClearProfileRequest, message):
            profile_rules.profile_requested(self._state, taken, workflow.now())

    @workflow.signal(
        name=names.Signal.COMMAND_RESULT,
        description='A CPO\'s asynchronous result: {"command": "STOP_SESSION", "result": "ACCEPTED"}.',
    )
    def command_result(self, message: Any = None, *_junk: Any) -> None:
        """The asynchronous result of a command or charging profile, from the inbox."""
        if taken := self._take(CommandResultMessage, message):
            rules.command_resulted(self._state, taken, workflow.now())

    @workflow.signal(name=names.Signal.SESSION_UPDATED, description="The stored meter of the CPO's Session.")
    def session_updated(self, message: Any = None, *_junk: Any) -> None:
        """The latest snapshot of the CPO's Session, from the inbox."""
        if taken := self._take(SessionUpdated, message):
            rules.session_updated(self._state, taken.meter, workflow.now())

    @workflow.signal(name=names.Signal.CDR_RECEIVED, description='A CDR is stored, or settled: {"settled": true}.')
    def cdr_received(self, message: Any = None, *_junk: Any) -> None:
        """A CDR was stored (from the inbox) or settled (from the settlement)."""
        # Anything else would claim a CDR that nobody has seen: the sender must say what is the case.
        says = isinstance(message, dict) and "settled" in message
        if says and (taken := self._take(CdrReceived, message)):
            rules.cdr_received(self._state, taken, workflow.now())

    @workflow.signal(name=names.Signal.PRICES_CHANGED, description="The plan is made again. Needs no input.")
    def prices_changed(self, message: Any = None, *_junk: Any) -> None:
        """Another curve of prices or CO2 is stored for this charger."""
        if self._take(PricesChanged, message):
            plan_rules.prices_changed(self._state)

    @workflow.query(name=names.Query.STATUS, description="The whole state of this session.")
    def status(self) -> SessionState:
        """The whole state."""
        return self._state

    @workflow.query(name=names.Query.PLAN, description="The charging plan in force, if there is one.")
    def plan(self) -> ChargingPlan | None:
        """The charging plan in force."""
        return self._state.profile.in_force

    @workflow.query(name=names.Query.TIMELINE, description="The last 50 things that happened.")
    def timeline(self) -> list[TimelineEntry]:
        """The last 50 things that happened; all of them are in the ``events`` table."""
        return self._state.timeline


def _unguessable() -> str:
    """A command id for ``response_url``, from the workflow's own random source: the same on replay."""
    return workflow.uuid4().hex + workflow.uuid4().hex[:8]


def _start_unanswered(error: ActivityError) -> StartAnswer:
    cause = getattr(error.cause, "type", None)
    if cause == "PeerNotReached":
        return StartAnswer(
            outcome=StartOutcome.REFUSED,
            code="cpo_unavailable",
            detail="The CPO could not be reached; nothing was sent.",
            retryable=True,
        )
    return StartAnswer(outcome=StartOutcome.UNKNOWN, detail="No answer to START_SESSION.")
