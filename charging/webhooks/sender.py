"""One attempt to deliver an event: signed, without redirects, to public addresses only, and not for long."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from httpx_secure import SSRFProtectionError
from standardwebhooks import Webhook

from charging.ocpi.transport import guarded_client, retry_after
from charging.store.exact_json import to_json

ATTEMPT_S: Final = 15
MAX_ANSWER_BYTES: Final = 64 * 1024
GONE: Final = 410


@dataclass(frozen=True)
class Attempt:
    """How an attempt went. ``status``: HTTP, where an answer came; ``problem``: why it was none that counts."""

    status: int | None = None
    problem: str | None = None
    retry_after_s: float | None = None

    @property
    def is_delivered(self) -> bool:
        """A 2xx answer in time."""
        return self.problem is None


class WebhookSender:
    """Sends. One per process."""

    def __init__(self, *, allow_private: bool) -> None:
        self._http = guarded_client(ATTEMPT_S, allow_private=allow_private, most=100)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def send(self, url: str, secrets: Sequence[str], event: dict[str, Any]) -> Attempt:
        """POST ``event``, signed with each of ``secrets``. Never raises for what the receiver does."""
        now = datetime.now(UTC)
        body = to_json(event)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "charging-sessions",
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(event["id"], now, body) for secret in secrets),
        }
        try:
            async with (
                asyncio.timeout(ATTEMPT_S),
                self._http.stream("POST", url, content=body.encode(), headers=headers) as answer,
            ):
                await _drain(answer)
                return _judged(answer, now)
        except SSRFProtectionError:
            return Attempt(problem="the address is not one that we call")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return Attempt(problem=f"no answer: {type(error).__name__}")


async def _drain(answer: httpx.Response) -> None:
    """Read the answer, so that the connection can be used again; an endless one is left."""
    size = 0
    async for chunk in answer.aiter_raw():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            return


def _judged(answer: httpx.Response, now: datetime) -> Attempt:
    status = answer.status_code
    if answer.is_success:
        return Attempt(status)
    return Attempt(status, f"HTTP {status}", retry_after(answer.headers.get("Retry-After"), now))
