"""One attempt: where it does not go, how much of an answer it reads, and when the next one is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from charging.webhooks.schedule import DELAYS, next_attempt
from charging.webhooks.sender import MAX_ANSWER_BYTES, Attempt, WebhookSender
from tests.serving import serve

SECRET = "whsec_" + "A" * 43 + "="
EVENT = {"id": "e1", "type": "session.note"}
NOW = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)


async def attempt(url: str, *, allow_private: bool) -> Attempt:
    sender = WebhookSender(allow_private=allow_private)
    try:
        return await sender.send(url, [SECRET], EVENT)
    finally:
        await sender.aclose()


async def long_answer() -> AsyncIterator[bytes]:
    """A hundred times what is read of an answer."""
    for _ in range(100):
        yield b"x" * MAX_ANSWER_BYTES
        await asyncio.sleep(0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433"])
async def test_a_receiver_at_a_private_address_is_not_called(host: str) -> None:
    calls = []
    app = FastAPI()
    app.add_api_route("/hook", lambda: calls.append(host), methods=["POST"])
    async with serve(app) as url:
        refused = await attempt(f"{url.replace('127.0.0.1', host)}/hook", allow_private=False)
    assert (refused.is_delivered, refused.status, calls) == (False, None, [])


async def test_a_metadata_address_is_refused_even_where_private_ones_are_allowed() -> None:
    refused = await attempt("http://169.254.169.254/latest", allow_private=True)
    assert refused.problem == "the address is not one that we call"


async def test_a_long_answer_of_a_receiver_that_has_taken_the_event_is_left() -> None:
    app = FastAPI()
    app.add_api_route("/hook", lambda: StreamingResponse(long_answer()), methods=["POST"])
    async with serve(app) as url:
        taken = await attempt(f"{url}/hook", allow_private=True)
    assert (taken.is_delivered, taken.status) == (True, 200)


def test_the_schedule_is_the_specifications_and_ends() -> None:
    times = [next_attempt(attempts, NOW) for attempts in range(1, len(DELAYS) + 2)]
    waits = [(time - NOW).total_seconds() if time else None for time in times]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


def test_retry_after_puts_an_attempt_off_but_not_for_ever_and_never_hurries_it() -> None:
    assert next_attempt(1, NOW, 60) == NOW + timedelta(seconds=60)
    assert next_attempt(2, NOW, 60) == NOW + timedelta(minutes=5)
    assert next_attempt(1, NOW, 1e9) == NOW + timedelta(days=1)
    assert next_attempt(1, NOW, -5) == NOW + timedelta(seconds=5)
