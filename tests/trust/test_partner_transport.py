"""CPOs that answer badly, slowly, elsewhere or not at all: what becomes of a START, and of the next one."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from charging.ocpi import wire
from charging.ocpi.transport import MAX_RESPONSE_BYTES
from charging.store import tables
from tests.peer import ROLE, ScriptedCpo, Step, answer, drip, evse, html, location, now, refuse, reset, tariff
from tests.stack import EVSE, Stack, running_stack
from tests.waiting import eventually

# Read to its end it would be a yes, and nothing were unknown.
YES = wire.dumps(wire.envelope({"result": "ACCEPTED", "timeout": 30}, now=datetime.now(UTC)))
ENDLESS = Step(raw=b" " * (MAX_RESPONSE_BYTES + 1) + YES)


@pytest.fixture(scope="module")
async def stack(
    temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    """One engine for the file: a call to a CPO may take 2 s, a START may be tried for 6 s."""
    path = tmp_path_factory.mktemp("transport") / "charging.db"
    shutil.copy(sqlite_template, path)
    url = f"sqlite+aiosqlite:///{path}"
    async with running_stack(temporal, url, settings={"cpo_timeout_s": 2}, confirm_s=6) as stack:
        yield stack


@pytest.fixture(autouse=True)
async def well_behaved(stack: Stack) -> AsyncIterator[None]:
    """Each test begins with a CPO that answers, and leaves no session behind."""
    yield
    stack.cpo.on("START_SESSION")
    async with stack.database.write() as store:
        await store.execute(tables.evse_claims.delete())


async def noted(stack: Stack, session_id: str, event: str) -> None:
    """Once this is among the session's events."""

    async def is_there() -> bool:
        return event in await stack.events(session_id)

    await eventually(is_there)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(answer(http_status=500), marks=pytest.mark.trust("1.58"), id="500"),
        pytest.param(html(502), marks=pytest.mark.trust("1.58"), id="502"),
        pytest.param(html(503), marks=pytest.mark.trust("1.58"), id="503"),
        pytest.param(reset(), marks=pytest.mark.trust("1.58"), id="reset"),
        pytest.param(refuse(4002), marks=pytest.mark.trust("1.58"), id="hub timeout"),
        pytest.param(drip(), marks=pytest.mark.trust("1.59"), id="drip"),
        pytest.param(ENDLESS, marks=pytest.mark.trust("1.60"), id="endless"),
        pytest.param(html(), marks=pytest.mark.trust("1.61"), id="html"),
        pytest.param(Step(raw=b'{"status_code": 10'), marks=pytest.mark.trust("1.61"), id="half"),
        pytest.param(refuse(3000, 500), marks=pytest.mark.trust("1.61"), id="3000"),
    ],
)
async def test_a_start_that_may_have_been_understood_is_never_sent_again_and_a_session_decides(
    stack: Stack, fault: Step
) -> None:
    before = len(stack.cpo.starts)
    stack.cpo.on("START_SESSION", fault)
    session_id = await stack.started()
    await noted(stack, session_id, "start_unknown")
    session = stack.cpo.session(id=uuid.uuid4().hex)
    await stack.cpo.push_session(session)
    await stack.until(session_id, "active")
    assert len(stack.cpo.starts) == before + 1
    stops = len(stack.cpo.stops)
    await stack.stop(session_id)
    await eventually(lambda: len(stack.cpo.stops) > stops)  # and an answer that ends what was counted against the CPO
    await stack.cpo.push_session({**session, "status": "COMPLETED", "last_updated": now()})
    await stack.until(session_id, "stopping", phase="awaiting_cdr")


@pytest.mark.trust("1.58")
async def test_a_start_that_may_have_been_understood_and_that_no_session_follows_fails_at_the_deadline_sent_once(
    stack: Stack,
) -> None:
    before, silence = len(stack.cpo.starts), asyncio.Event()
    stack.cpo.on("START_SESSION", html(502), answer(wait_for=silence))
    broken = await stack.started()
    silent = await stack.started(evse_id="FI-VRT-E12346", connector_type="Type2")
    for session_id in (broken, silent):
        failed = await stack.until(session_id, "failed", safe_to_unplug=False)
        assert failed["reason"]["code"] == "start_timeout"
        assert "start_unknown" in await stack.events(session_id)
    assert len(stack.cpo.starts) == before + 2
    silence.set()


@pytest.mark.trust("1.61")
@pytest.mark.parametrize("fault", [refuse(3000), refuse(2003), html(404)], ids=["3000", "2003", "404"])
async def test_a_start_that_was_refused_fails_at_once_for_a_reason_that_programs_know(
    stack: Stack, fault: Step
) -> None:
    stack.cpo.on("START_SESSION", fault)
    failed = await stack.until(await stack.started(), "failed", safe_to_unplug=True)
    assert (failed["reason"]["code"], failed["reason"]["party"]) == ("cpo_rejected", "cpo")


@pytest.mark.trust("1.62")
async def test_a_cpo_that_asks_for_time_gets_it(stack: Stack) -> None:
    loop, before = asyncio.get_running_loop(), len(stack.cpo.starts)
    stack.cpo.on("START_SESSION", html(429, headers={"Retry-After": "2"}), answer({"result": "ACCEPTED"}))
    session_id = await stack.started()
    turned_away = loop.time()
    await eventually(lambda: len(stack.cpo.starts) == before + 2)
    assert loop.time() - turned_away > 1.5
    await noted(stack, session_id, "start_understood")
    uids = {start["authorization_reference"] for start in stack.cpo.starts[before:]}
    assert len(uids) == 1


@pytest.mark.trust("1.64")
async def test_a_redirect_is_not_followed(stack: Stack) -> None:
    async with ScriptedCpo() as elsewhere:
        for target in ("http://169.254.169.254/latest/meta-data/", elsewhere.versions_url):
            stack.cpo.on("START_SESSION", Step(http_status=302, raw=b"", headers={"Location": target}))
            failed = await stack.until(await stack.started(), "failed")
            assert failed["reason"]["code"] == "cpo_rejected"
        assert elsewhere.requests == []


@pytest.mark.trust("1.58", "1.63")
@pytest.mark.parametrize(("party", "address"), [("TLS", "https://127.0.0.1"), ("DNS", "http://no-such-host.invalid")])
async def test_a_cpo_that_cannot_be_reached_is_tried_until_the_deadline_and_costs_no_other_anything(
    stack: Stack, party: str, address: str
) -> None:
    async with ScriptedCpo() as other:
        await registered_at(stack, other, party, address)
        sessions = [await stack.start(evse_id=f"DE*{party}*E{number}") for number in (1, 2)]

        async def next_start() -> bool:
            answered = await stack.api.post("/v1/sessions/start", json={"evse_id": f"DE*{party}*E3"})
            if answered.status_code == 201:
                sessions.append(answered.json()["session_id"])
                await free(stack, "O3")
                return False
            assert (answered.status_code, answered.json()["code"]) == (503, "cpo_unavailable")
            return 0 < int(answered.headers["Retry-After"]) <= 60

        await eventually(next_start, every_s=0.2)
        assert (await stack.api.post("/v1/sessions/start", json={"evse_id": EVSE})).status_code == 201
        for session_id in sessions[:2]:
            failed = await stack.until(session_id, "failed", safe_to_unplug=True)
            assert (failed["reason"]["code"], failed["reason"]["retryable"]) == ("cpo_unavailable", True)
            assert await stack.workflow(session_id).result() == "failed"
            assert await stack.held(session_id) == 0
        assert other.requests == []


async def registered_at(stack: Stack, other: ScriptedCpo, party: str, address: str) -> None:
    """A second CPO, DE/``party`` with three EVSEs, that is registered as if it were at ``address``."""
    owner = {"country_code": "DE", "party_id": party}
    other.role = {**ROLE, **owner}
    evses = [evse(uid=f"O{number}", evse_id=f"DE*{party}*E{number}") for number in (1, 2, 3)]
    other.locations, other.tariffs = [location(**owner, evses=evses)], [tariff(**owner)]
    other.url = other.url.replace("http://127.0.0.1", address)
    await other.befriend(stack.database, stack.settings, name=party)


async def free(stack: Stack, evse_uid: str) -> None:
    """As if nobody had claimed it."""
    claims = tables.evse_claims
    async with stack.database.write() as store:
        await store.execute(claims.delete().where(claims.c.evse_uid == evse_uid))
