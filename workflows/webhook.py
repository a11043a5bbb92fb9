"""``WebhookWorkflow``: one webhook's deliveries, in order, with the patience of days. It ends when none is left."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.webhooks import WebhookActivities
    from charging import names

_ROUND = timedelta(minutes=30)  # for 100 deliveries, each of 15 s at most
_DEAD_AFTER = timedelta(seconds=10)
_RETRIES = RetryPolicy(maximum_interval=timedelta(minutes=1))


@workflow.defn(name=names.Workflow.WEBHOOK)
class WebhookWorkflow:
    """What is owed is in the store; messages only wake it, so a lost or repeated one does no harm."""

    @workflow.init
    def __init__(self, webhook_id: str) -> None:
        self._awake = False

    @workflow.run
    async def run(self, webhook_id: str) -> None:
        """Deliver until nothing is left."""
        while True:
            self._awake = False
            wait_s = await workflow.execute_activity_method(
                WebhookActivities.deliver_due,
                webhook_id,
                start_to_close_timeout=_ROUND,
                heartbeat_timeout=_DEAD_AFTER,
                retry_policy=_RETRIES,
                summary="Deliver what is due",
            )
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(webhook_id)
            if not self._awake:
                if wait_s is None:
                    return
                await self._rest(wait_s)

    @workflow.signal(name=names.Signal.DELIVER, description="There is something to deliver.")
    def deliver(self, message: Any = None) -> None:
        """Look again."""
        self._awake = True

    async def _rest(self, wait_s: float) -> None:
        try:
            await workflow.wait_condition(lambda: self._awake, timeout=wait_s, timeout_summary="Until the next attempt")
        except TimeoutError:
            return
