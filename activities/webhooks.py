"""``WebhookActivities``: deliveries to the receivers that users have named."""

from datetime import UTC, datetime
from typing import Final

from temporalio import activity

from activities.heartbeats import heartbeats
from charging.store.webhooks import DueDelivery, WebhookStore
from charging.webhooks.schedule import next_attempt
from charging.webhooks.sender import GONE, Attempt, WebhookSender

AT_ONCE: Final = 100  # deliveries of one activity, so that none runs for hours


class WebhookActivities:
    """Safe to repeat: what was attempted is in the store; an attempt whose outcome was lost is made again."""

    def __init__(self, store: WebhookStore, sender: WebhookSender) -> None:
        self._store = store
        self._sender = sender

    @activity.defn
    async def deliver_due(self, webhook_id: str) -> float | None:
        """Attempt what is due, one after the other; seconds to the next attempt, None: there is nothing left."""
        async with heartbeats():
            for _ in range(AT_ONCE):
                due = await self._store.due(webhook_id, datetime.now(UTC))
                if due is None:
                    break
                await self._deliver(due)
        next_at = await self._store.next_at(webhook_id)
        return None if next_at is None else max((next_at - datetime.now(UTC)).total_seconds(), 0)

    async def _deliver(self, due: DueDelivery) -> None:
        event = due.event.document()
        attempt = await self._sender.send(due.url, due.secrets, {**event, "timestamp": event["at"]})
        now = datetime.now(UTC)
        if attempt.status == GONE:
            await self._store.disable(due.webhook_id, now)
        next_at = None if attempt.is_delivered else next_attempt(due.attempts + 1, now, attempt.retry_after_s)
        await self._store.attempted(
            due,
            now,
            state=_state(attempt, next_at),
            due_at=next_at,
            http_status=attempt.status,
            problem=attempt.problem,
        )


def _state(attempt: Attempt, next_at: datetime | None) -> str:
    if attempt.is_delivered:
        return "delivered"
    return "failed" if next_at is None or attempt.status == GONE else "waiting"
