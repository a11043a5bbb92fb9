"""A step in our own store or wallet: cheap when it goes well, patient when it does not."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

Partner = TypeVar("Partner")
Answer = TypeVar("Answer")

_QUICK = timedelta(seconds=3)
_PATIENT = timedelta(seconds=60)
_RETRIES = RetryPolicy(maximum_interval=timedelta(minutes=5))  # without an end: money is never given up


async def quick_step(
    step: Callable[[Partner, str], Coroutine[Any, Any, Answer]], session_id: str, summary: str
) -> Answer:
    """The activity ``step``, which must be safe to repeat: once as a local activity, else for as long as it takes.

    A local activity costs one history event; a regular one six of them and a workflow task.
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
        step, session_id, start_to_close_timeout=_PATIENT, retry_policy=_RETRIES, summary=summary
    )
