"""``LateSessionWorkflow``: stops a CPO Session that nobody waits for, so that no car charges on nobody's account.

Such a Session appeared after its charging session was closed, or is a second one for one
``authorization_reference``. Its CDR is settled like any other: by the settlement of the session it names.
"""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.cpo import CpoActivities, CpoCommand
    from activities.records import RecordActivities
    from charging import names
    from charging.session.messages import LateSession
    from charging.session.rules import next_stop

# Then it is for people: the workflow ends with words that say so, the Session still open at the CPO.
GIVE_UP = timedelta(days=7)
# So long after a STOP_SESSION the next one is sent as soon as there is news; a CPO may have some every second.
NEWS_AFTER = timedelta(minutes=5)


@workflow.defn(name=names.Workflow.LATE_SESSION)
class LateSessionWorkflow:
    """Sends STOP_SESSION on the schedule of every stop, until the CPO's Session is COMPLETED or INVALID, for seven
    days at the longest.
    """

    @workflow.init
    def __init__(self, late: LateSession) -> None:
        self._late = late
        self._attempts = 0
        self._awake = False

    @workflow.run
    async def run(self, late: LateSession) -> str:
        """Stop it; returns how often that was asked. ``late`` was taken by ``__init__``."""
        first, hears = workflow.now(), workflow.patched("late-news")
        while not await self._is_over(hears):
            if workflow.now() - first > GIVE_UP:
                return f"gave up after {self._attempts} STOP_SESSION: call the CPO"
            await self._stop()
            pause = next_stop(first, workflow.now()) - workflow.now()
            if hears:
                await workflow.sleep(min(pause, NEWS_AFTER), summary="repeat STOP_SESSION")
                pause -= min(pause, NEWS_AFTER)
            await self._pause(pause)
        return f"over after {self._attempts} STOP_SESSION"

    @workflow.signal(name=names.Signal.SESSION_UPDATED, description="The CPO's Session has changed: look at it.")
    def session_updated(self, message: Any = None, *_junk: Any) -> None:
        """Look at the stored Session, five minutes after the last STOP_SESSION at the latest."""
        self._awake = True

    async def _is_over(self, hears: bool) -> bool:
        if hears:
            self._awake = False
        return await workflow.execute_local_activity_method(
            RecordActivities.ocpi_session_is_over, self._late, start_to_close_timeout=timedelta(seconds=10)
        )

    async def _stop(self) -> None:
        self._attempts += 1
        workflow.set_current_details(
            f"CPO Session {self._late.ocpi_session_id} of session {self._late.session_id}: "
            f"STOP_SESSION sent {self._attempts} times"
        )
        command = CpoCommand(
            session_id=self._late.session_id,
            connection_id=self._late.connection_id,
            ocpi_session_id=self._late.ocpi_session_id,
            command_id=workflow.uuid4().hex + workflow.uuid4().hex[:8],
        )
        try:
            await workflow.execute_activity_method(
                CpoActivities.stop_session,
                command,
                start_to_close_timeout=timedelta(seconds=60),
                heartbeat_timeout=timedelta(seconds=6),
                retry_policy=RetryPolicy(maximum_attempts=2),
                summary=f"STOP_SESSION, attempt {self._attempts}",
            )
        except ActivityError:
            workflow.logger.warning("STOP_SESSION of a late Session was not answered")

    async def _pause(self, pause: timedelta) -> None:
        try:
            await workflow.wait_condition(lambda: self._awake, timeout=pause, timeout_summary="repeat STOP_SESSION")
        except TimeoutError:
            return
        self._awake = False
