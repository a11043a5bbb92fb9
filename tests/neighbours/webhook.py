"""Webhooks of Payments, well signed and forged."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from standardwebhooks import Webhook

from charging.settings import DEVELOPMENT_WEBHOOK_SECRET

WEBHOOK = "/v1/neighbours/payments/webhook"


async def send(
    ours: httpx.AsyncClient,
    event: dict[str, Any],
    *,
    secret: str = DEVELOPMENT_WEBHOOK_SECRET,
    age_s: int = 0,
    **changed: str,
) -> httpx.Response:
    """A webhook as Payments signs it; ``changed`` headers come on top."""
    body, at = httpx.Request("POST", "http://x", json=event).content.decode(), datetime.now(UTC)
    at -= timedelta(seconds=age_s)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body),
        "content-type": "application/json",
    }
    changes = {name.replace("_", "-"): value for name, value in changed.items()}
    return await ours.post(WEBHOOK, content=body, headers={**headers, **changes})


def event(movement: dict[str, Any], status: str, **changes: Any) -> dict[str, Any]:
    """What Payments tells of a movement."""
    return {"type": f"{movement['object']}.{status}", "data": {**movement, "status": status, **changes}}
