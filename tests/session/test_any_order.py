"""Any order, repetition or loss of messages leads along the allowed graph to an end."""

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from charging.session import profile_rules, rules
from charging.session.answers import ProfileSent, StartAnswer, StopAnswer
from charging.session.messages import (
    CdrReceived,
    ClearProfileRequest,
    CommandResultMessage,
    ProfileRequest,
    StopRequest,
)
from charging.session.model import CpoStatus, Meter, StartOutcome, Status
from charging.session.profile import ProfileWish
from charging.session.steps import Step, next_step, wake_at
from tests.session.factory import T0, ordered

STEPS_PER_WAKE = 50
WAKES_TO_THE_END = 2000
OUTCOMES = [StartOutcome.UNDERSTOOD, StartOutcome.UNKNOWN, StartOutcome.REFUSED]
RESULTS = ["ACCEPTED", "REJECTED", "TIMEOUT", "EVSE_OCCUPIED", "UNKNOWN", "odd"]
COMMANDS = ["START_SESSION", "STOP_SESSION", "SET_PROFILE", "CLEAR_PROFILE", "ACTIVE_PROFILE", "odd"]


class SessionMachine(RuleBasedStateMachine):
    """Drives the rules as the workflow does: steps begin when due, their answers come whenever they like."""

    @initialize(capable=st.booleans(), need=st.sampled_from([None, Decimal(5)]))
    def begin(self, capable: bool, need: Decimal | None) -> None:
        self.now: datetime = T0
        self.state = ordered(profile_capable=capable, need_kwh=need)
        self.busy: set[Step] = set()
        self.seen: list[Status] = [Status.PENDING]
        self.starts = 0
        self.meters: list[Meter] = []

    # --- what the workflow does ---

    @rule()
    def take_the_next_step(self) -> None:
        step = next_step(self.state, self.now, self.busy)
        if step in (Step.WAIT, Step.END):
            return
        self.busy.add(step)
        if step is Step.START:
            self.starts += 1
            rules.start_sent(self.state, self.now)
        elif step is Step.STOP:
            rules.stop_sent(self.state, self.now)
        elif step in (Step.SEND_PROFILE, Step.CLEAR_PROFILE):
            profile_rules.profile_sent(self.state, f"c{self.state.noted}", None, self.now)
        elif step is Step.ASK_PROFILE:
            profile_rules.profile_asked(self.state, f"a{self.state.noted}", self.now)

    @rule()
    def get_no_answer_to_the_hold(self) -> None:
        if Step.HOLD in self.busy:
            self.busy.discard(Step.HOLD)
            rules.hold_unanswered(self.state, self.now)

    @rule(data=st.data(), well=st.booleans())
    def answer_a_step(self, data: st.DataObject, well: bool) -> None:
        if not self.busy:
            return
        step = data.draw(st.sampled_from(sorted(self.busy)))
        self.busy.discard(step)
        state, now = self.state, self.now
        if step is Step.ADMIT:
            rules.admitted(state, well, now)
        elif step is Step.HOLD:
            rules.funds_answered(state, well, "", now)
        elif step is Step.START:
            rules.start_answered(state, StartAnswer(outcome=data.draw(st.sampled_from(OUTCOMES))), now)
        elif step is Step.STOP:
            rules.stop_answered(state, StopAnswer(accepted=well, refused=not well), now)
        elif step is Step.ASK_CPO:
            rules.asked_cpo(state, now)
        elif step is Step.RELEASE:
            rules.hold_released(state, now)
        elif step is Step.ASK_PROFILE:
            result = "ACCEPTED" if well else "UNREACHABLE"
            profile_rules.profile_ask_answered(
                state, ProfileSent(command_id=state.profile.ask_id or "", result=result), now
            )
        else:
            result = data.draw(st.sampled_from(["ACCEPTED", "REJECTED", "TOO_OFTEN", "UNREACHABLE"]))
            profile_rules.profile_answered(
                state, ProfileSent(command_id=state.profile.command_id or "", result=result), now
            )

    @rule(seconds=st.sampled_from([1, 60, 200, 700, 90_000, 36 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        rules.time_passed(self.state, self.now)

    # --- what others do ---

    @rule(status=st.sampled_from(list(CpoStatus)), kwh=st.integers(0, 8), power=st.sampled_from([None, 0, 11]))
    def push(self, status: CpoStatus, kwh: int, power: int | None) -> None:
        last = self.meters[-1] if self.meters else Meter()
        if last.cpo_status and last.cpo_status.is_final:
            status = last.cpo_status  # the receiver never leaves a final status
        self.meters.append(
            Meter(
                seq=last.seq + 1,
                ocpi_session_id="S1",
                cpo_status=status,
                kwh=max(last.kwh, Decimal(kwh)),
                power_kw=Decimal(power) if power is not None else None,
            )
        )
        self.deliver_any_push(len(self.meters) - 1)

    @rule(index=st.integers(0, 30))
    def deliver_any_push(self, index: int) -> None:
        if self.meters:
            rules.session_updated(self.state, self.meters[index % len(self.meters)], self.now)

    @rule(command=st.sampled_from(COMMANDS), result=st.sampled_from(RESULTS))
    def result(self, command: str, result: str) -> None:
        message = CommandResultMessage(command=command, command_id=self.state.profile.command_id or "", result=result)
        rules.command_resulted(self.state, message, self.now)

    @rule(settled=st.booleans())
    def cdr(self, settled: bool) -> None:
        rules.cdr_received(self.state, CdrReceived(settled=settled), self.now)

    @rule()
    def stop(self) -> None:
        rules.stop_requested(self.state, StopRequest(by="user"), self.now)

    @rule(clear=st.booleans())
    def profile(self, clear: bool) -> None:
        message_id = f"r{self.state.noted}"
        message = (
            ClearProfileRequest(message_id=message_id)
            if clear
            else ProfileRequest(message_id=message_id, wish=ProfileWish(max_charge_rate_kw=Decimal(7)))
        )
        profile_rules.profile_requested(self.state, message, self.now)

    # --- what always holds ---

    @invariant()
    def the_status_moves_along_the_graph(self) -> None:
        if not hasattr(self, "state"):
            return
        status = self.state.status
        if status is not self.seen[-1]:
            reachable = {self.seen[-1]}
            # One message may pass through `stopping`: a settled CDR in a pending session, for example.
            for _ in range(2):
                reachable |= {after for before in reachable for after in rules.ALLOWED[before]}
            assert status in reachable
            assert self.seen[-1] not in (Status.COMPLETED, Status.FAILED)
            self.seen.append(status)

    @invariant()
    def start_is_sent_at_most_once(self) -> None:
        assert getattr(self, "starts", 0) <= 1

    @invariant()
    def completed_means_a_settled_cdr(self) -> None:
        if hasattr(self, "state") and self.state.status is Status.COMPLETED:
            assert self.state.settled_at

    @invariant()
    def every_profile_request_is_answered_at_most_once(self) -> None:
        if hasattr(self, "state"):
            answered = [answer.request_id for answer in self.state.answers]
            assert len(answered) == len(set(answered))

    @invariant()
    def what_waits_has_a_moment_to_wait_for(self) -> None:
        if hasattr(self, "state") and not self.busy and next_step(self.state, self.now) is Step.WAIT:
            rules.time_passed(self.state, self.now)
            if next_step(self.state, self.now) is Step.WAIT:
                assert wake_at(self.state, self.now)

    def teardown(self) -> None:
        """The CPO ends what runs, then nobody says anything: time alone ends every session, no hold left open."""
        if not hasattr(self, "state"):
            return
        if self.meters and not (self.meters[-1].cpo_status or CpoStatus.PENDING).is_final:
            self.push(CpoStatus.COMPLETED, 0, None)
        for _ in range(WAKES_TO_THE_END):
            for _ in range(STEPS_PER_WAKE):
                self._run_out()
                rules.time_passed(self.state, self.now)  # as the workflow does after every wake-up
                if next_step(self.state, self.now) is Step.WAIT:
                    break
            if next_step(self.state, self.now) is Step.END:
                break
            waiting = wake_at(self.state, self.now)
            assert waiting, "nothing to wait for, and not at the end"
            self.now = waiting[0]
            rules.time_passed(self.state, self.now)
        assert next_step(self.state, self.now) is Step.END
        assert self.state.status in (Status.COMPLETED, Status.FAILED)
        assert not self.state.held or self.state.hold_released or self.state.settled_at

    def _run_out(self) -> None:
        state, now = self.state, self.now
        self.busy.clear()
        match next_step(state, now):
            case Step.ADMIT:
                rules.admitted(state, True, now)
            case Step.HOLD:
                rules.funds_answered(state, True, "", now)
            case Step.START:
                rules.start_sent(state, now)
            case Step.STOP:
                rules.stop_sent(state, now)
            case Step.SEND_PROFILE | Step.CLEAR_PROFILE:
                profile_rules.profile_sent(state, "last", None, now)
            case Step.ASK_PROFILE:
                profile_rules.profile_asked(state, "last", now)
            case Step.ASK_CPO:
                rules.asked_cpo(state, now)
            case Step.RELEASE:
                rules.hold_released(state, now)


TestAnyOrder = SessionMachine.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
