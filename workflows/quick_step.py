"""A step in our own store or wallet: cheap when it goes well, patient when it does not."""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

Partner = TypeVar("Partner")
Answer = TypeVar("Answer")

LONGEST_ATTEMPT: Final = timedelta(seconds=60)

_QUICK = timedelta(seconds=3)
_RETRIES = RetryPolicy(maximum_interval=timedelta(minutes=5))  # without an end: money is never given up
_RETRIES_IN_TIME = RetryPolicy(maximum_interval=timedelta(seconds=15))
_SHORTEST = timedelta(seconds=1)


async def quick_step(
    step: Callable[[Partner, str], Coroutine[Any, Any, Answer]],
    session_id: str,
    summary: str,
    until: datetime | None = None,
) -> Answer:
    """The activity ``step``, which must be safe to repeat: once as a local activity, else for as long as it takes.

    Raises ``ActivityError`` where it has had no answer by ``until``: an attempt of ``LONGEST_ATTEMPT`` at most may be
    under way then. A local activity costs one history event; a regular one six of them and a workflow task.
    """
    try:
        return await workflow.execute_local_activity_method(
            step,
            session_id,
            start_to_close_timeout=_QUICK,
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary=summary,
        )
    except FailureError as error:  # a local activity's failure comes without the ActivityError around it
        if is_cancelled_exception(error):
            raise
    return await workflow.execute_activity_method(
        step,
        session_id,
        start_to_close_timeout=LONGEST_ATTEMPT,
        schedule_to_close_timeout=None if until is None else max(until - workflow.now(), _SHORTEST),
        retry_policy=_RETRIES if until is None else _RETRIES_IN_TIME,
        summary=summary,
    )
