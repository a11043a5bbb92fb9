"""Floods (docs/trust.md 2.38): two API processes on one store, each caller with one quota for both."""

import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from api.app import create_app
from api.limiter import WINDOW_S
from api.limits import Limits
from charging.settings import Settings
from charging.store.engine import Database
from charging.store.quotas import QuotaStore
from tests.peer import Body, ScriptedCpo
from tests.serving import free_port, serve
from tests.stack import EVSE, user_token

RATES = {"user_rate": 4, "costly_rate": 2, "peer_rate": 2, "stranger_rate": 2}
USER, COSTLY, PEER, STRANGER = 40, 20, 20, 20  # in one window
HISTORY, QUOTE, STATUS = "/v1/sessions", "/v1/quotes", "/v1/sessions/0f8fad5b-d9cb-469f-a165-70867728950e/status"


class Clock:
    """Unix time, s, that stands still; ``later`` is the next window of everybody."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def later(self) -> None:
        self.now += WINDOW_S


@dataclass
class Town:
    """Two APIs of one engine, which both go by ``clock``."""

    one: httpx.AsyncClient
    two: httpx.AsyncClient
    cpo: ScriptedCpo
    clock: Clock


@asynccontextmanager
async def running_town(database: Database) -> AsyncIterator[Town]:
    port = free_port()
    settings = Settings.model_validate(
        {"database_url": database.url, "public_url": f"http://127.0.0.1:{port}", "allow_private_peers": True, **RATES}
    )
    async with AsyncExitStack() as stack:
        cpo = await stack.enter_async_context(ScriptedCpo())
        await cpo.befriend(database, settings)
        clients, clock = [], Clock()
        for listens_at in (port, 0):
            app = create_app(settings)
            app.state.limits = Limits(settings, QuotaStore(database).use, clock)
            url = await stack.enter_async_context(serve(app, listens_at))
            clients.append(await stack.enter_async_context(httpx.AsyncClient(base_url=url)))
        one, two = clients
        yield Town(one, two, cpo, clock)


@pytest.fixture
async def town(database: Database) -> AsyncIterator[Town]:
    async with running_town(database) as town:
        yield town


def bearer(sub: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {user_token(sub)}"}


async def answers_of(town: Town, times: int, method: str, path: str, headers: dict[str, str]) -> list[httpx.Response]:
    """So many requests, in turn at the one and the other."""
    return [await (town.one, town.two)[n % 2].request(method, path, headers=headers) for n in range(times)]


def counted(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


@pytest.mark.trust("2.38")
async def test_a_user_has_one_quota_at_both_processes_and_is_told_so(town: Town) -> None:
    answers = await answers_of(town, 60, "GET", HISTORY, bearer("ada"))
    admitted = counted(answers)[200]
    assert USER <= admitted <= USER + USER // 20
    assert counted(answers) == {200: admitted, 429: 60 - admitted}
    first, last = answers[0], answers[-1]
    assert first.headers["RateLimit-Policy"] == '"user";q=40;w=10'
    assert re.fullmatch(r'"user";r=39;t=([1-9]|10)', first.headers["RateLimit"])
    assert last.headers["Content-Type"] == "application/problem+json"
    problem = last.json()
    assert (problem["status"], problem["code"], problem["violated-policies"]) == (429, "rate_limited", ["user"])
    assert last.headers["RateLimit"] == f'"user";r=0;t={last.headers["Retry-After"]}'
    others = await town.two.get(HISTORY, headers=bearer("bob"))
    assert others.status_code == 200, "nobody else is held up"
    town.clock.later()
    assert counted(await answers_of(town, 20, "GET", HISTORY, bearer("ada"))) == {200: 20}


@pytest.mark.trust("2.38")
async def test_what_is_costly_has_a_smaller_quota_of_its_own(town: Town) -> None:
    answers = await answers_of(town, 30, "POST", QUOTE, bearer("ada"))
    assert COSTLY <= counted(answers)[415] <= COSTLY + 1
    assert answers[-1].json()["violated-policies"] == ["costly"]
    start = await town.one.post("/v1/sessions/start", json={"evse_id": EVSE}, headers=bearer("ada"))
    assert start.status_code == 429, "a start is costly too"
    assert (await town.one.get(STATUS, headers=bearer("ada"))).status_code == 404, "and a status is not"


async def push_in_turn(town: Town, number: int, session: Body) -> httpx.Response:
    """A push of the peer: those of even numbers to the one, the others to the other."""
    town.cpo.emsp_url = str((town.one, town.two)[number % 2].base_url).rstrip("/")
    return await town.cpo.push_session(session)


@pytest.mark.trust("2.38")
async def test_a_peer_over_its_quota_gets_an_envelope_and_loses_nothing_when_it_sends_again(town: Town) -> None:
    sessions = [town.cpo.session(id=f"S{n}") for n in range(PEER + 5)]
    answers = [await push_in_turn(town, n, session) for n, session in enumerate(sessions)]
    admitted = counted(answers)[201]
    assert PEER <= admitted <= PEER + 1
    assert counted(answers) == {201: admitted, 429: PEER + 5 - admitted}
    refused = answers[-1]
    assert refused.json()["status_code"] == 2000
    assert refused.json()["timestamp"]
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["RateLimit"].startswith('"peer";r=0;')
    town.clock.later()
    again = [session for session, answer in zip(sessions, answers, strict=True) if answer.status_code == 429]
    assert counted([await push_in_turn(town, n, session) for n, session in enumerate(again)]) == {201: len(again)}
    path = f"sessions/{again[-1]['country_code']}/{again[-1]['party_id']}/{again[-1]['id']}"
    assert (await town.cpo.call("GET", path)).json()["data"]["id"] == again[-1]["id"]


@pytest.mark.trust("2.38")
async def test_whoever_fails_to_authenticate_too_often_is_told_to_wait_and_whoever_succeeds_is_not(town: Town) -> None:
    ways = {"/v1/sessions": {"Authorization": "Bearer x"}, "/ocpi/versions": {"Authorization": "Token eA=="}}
    ways["/ocpi/connections"] = {"X-API-Key": "x"}
    for path, headers in ways.items():
        answers = [await town.one.get(path, headers=headers) for _ in range(STRANGER + 2)]
        assert counted(answers) == {401: STRANGER, 429: 2}, path
        assert int(answers[-1].headers["Retry-After"]) >= 1
        town.clock.later()
        assert (await town.one.get(HISTORY, headers=bearer("ada"))).status_code == 200
    assert answers[-1].json()["code"] == "rate_limited"
