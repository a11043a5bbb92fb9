"""A workflow that does as many activities, local activities and signals as it is told, and nothing else."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

BARE_QUEUE = "bare"
_SOON = timedelta(seconds=10)


class Amount(BaseModel):
    """How much a bare workflow does. It ends at its last signal; ``signals`` 0 ends at once."""

    activities: int
    local_activities: int
    signals: int


@activity.defn
async def nothing(word: str) -> str:
    """Do nothing."""
    return word


@workflow.defn
class BareWorkflow:
    """Its activities are spread evenly over the signals that it waits for, one after the other."""

    def __init__(self) -> None:
        self._signals = 0

    @workflow.run
    async def run(self, amount: Amount) -> str:
        """Do it."""
        if min(amount.activities, amount.local_activities, amount.signals) < 0:
            raise ApplicationError("less than nothing", non_retryable=True)
        for at in range(amount.signals + 1):
            await workflow.wait_condition(lambda at=at: self._signals >= at)  # type: ignore[misc] # a default argument
            for _ in range(_share(amount.activities, at, amount.signals + 1)):
                await workflow.execute_activity(nothing, "word", start_to_close_timeout=_SOON)
            for _ in range(_share(amount.local_activities, at, amount.signals + 1)):
                await workflow.execute_local_activity(nothing, "word", start_to_close_timeout=_SOON)
        return "done"

    @workflow.signal
    def go_on(self, message: str) -> None:
        """One more."""
        self._signals += 1

    @workflow.query
    def signals(self) -> int:
        """How many have come."""
        return self._signals


def _share(total: int, at: int, parts: int) -> int:
    """The part number ``at`` of ``total`` things that are spread evenly over ``parts``."""
    return total * (at + 1) // parts - total * at // parts
