"""/v1/reservations and /ocpi/unlock: an EVSE kept free, given back, and its cable freed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from charging.ocpi.commander import Commander
from charging.ocpi.peers import Peers
from charging.store import tables
from charging.store.commands import CommandStore
from charging.store.connections import ConnectionStore
from charging.store.leases import LeaseStore
from charging.store.reservations import ReservationStore
from charging.unanswered import UnansweredReservations
from tests.api.conftest import RunningApi, new_key, running_api
from tests.peer import Step, answer, evse, html, location, now, refuse
from tests.serving import free_port, serve
from tests.stack import EVSE, user_token


@pytest.fixture(autouse=True)
def obliging(sqlite_api: RunningApi, postgres_api: RunningApi) -> None:
    for api in (sqlite_api, postgres_api):
        api.cpo.requests.clear()
        for step in ("RESERVE_NOW", "CANCEL_RESERVATION", "UNLOCK_CONNECTOR"):
            api.cpo.on(step)


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


async def reserve(api: RunningApi, *, sub: str | None = None, key: str | None = None, **order: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    if sub:
        headers["Authorization"] = f"Bearer {user_token(sub)}"
    body = {"evse_id": EVSE, "expires_at": in_an_hour(), **order}
    return await api.http.post("/v1/reservations", json=body, headers=headers)


async def reserved(api: RunningApi) -> dict[str, Any]:
    """A reservation that the charge point has confirmed."""
    made = (await reserve(api)).json()
    await tell(api, "RESERVE_NOW", "ACCEPTED")
    return {**made, "status": await status(api, made)}


async def tell(api: RunningApi, command: str, result: str) -> None:
    url = api.cpo.received(command)[-1].body["response_url"]
    assert (await api.cpo.send_result(url, result)).json()["status_code"] == 1000


async def status(api: RunningApi, made: dict[str, Any]) -> str:
    answered: str = (await api.http.get(f"/v1/reservations/{made['reservation_id']}")).json()["status"]
    return answered


async def cancel(api: RunningApi, made: dict[str, Any]) -> httpx.Response:
    return await api.http.delete(f"/v1/reservations/{made['reservation_id']}")


async def unlock(api: RunningApi, **body: Any) -> httpx.Response:
    headers = {"X-API-Key": api.settings.admin_key.get_secret_value()}
    return await api.http.post("/ocpi/unlock", json={"evse_id": EVSE, **body}, headers=headers)


async def test_a_reservation_is_pending_until_the_charge_point_confirms_it(api: RunningApi) -> None:
    made = await reserve(api)
    assert (made.status_code, made.json()["status"], made.json()["network"]) == (201, "pending", "Virta")
    assert made.headers["Location"] == f"/v1/reservations/{made.json()['reservation_id']}"
    [command] = api.cpo.received("RESERVE_NOW")
    assert command.body["reservation_id"] == made.json()["reservation_id"]
    assert (command.body["location_id"], command.body["evse_uid"]) == ("LOC1", "3256")
    await tell(api, "RESERVE_NOW", "ACCEPTED")
    await tell(api, "RESERVE_NOW", "ACCEPTED")
    assert await status(api, made.json()) == "reserved"
    await tell(api, "RESERVE_NOW", "CANCELED_RESERVATION")
    assert await status(api, made.json()) == "cancelled", "the CPO may take it back later"


@pytest.mark.parametrize("result", ["EVSE_OCCUPIED", "REJECTED", "FAILED"])
async def test_what_the_charge_point_rejects_frees_the_evse(lite: RunningApi, result: str) -> None:
    made = (await reserve(lite)).json()
    await tell(lite, "RESERVE_NOW", result)
    assert await status(lite, made) == "rejected"
    assert (await reserve(lite, sub="somebody-else")).status_code == 201


async def test_what_the_cpo_does_not_support_is_rejected_at_once(lite: RunningApi) -> None:
    for step in (answer({"result": "NOT_SUPPORTED", "timeout": 0}), refuse(2003)):
        lite.cpo.on("RESERVE_NOW", step)
        assert (await reserve(lite)).json()["status"] == "rejected"


async def test_a_cpo_that_gives_no_answer_may_have_reserved(lite: RunningApi) -> None:
    lite.cpo.on("RESERVE_NOW", html(502))
    assert (await reserve(lite)).json()["status"] == "pending"
    await tell(lite, "RESERVE_NOW", "ACCEPTED")


@pytest.mark.parametrize(
    ("step", "settled"), [(answer(), "pending"), (refuse(2003), "rejected"), (html(502), "pending")]
)
async def test_a_reservation_that_nobody_has_an_answer_for_is_asked_for_again(
    api: RunningApi, sweepers: list[UnansweredReservations], step: Step, settled: str
) -> None:
    """Its process died between storing and sending, or before the answer was stored."""
    api.cpo.on("RESERVE_NOW", html(502), step)
    made = (await reserve(api)).json()
    one, other = sweepers
    await one.ask_again()
    assert len(api.cpo.received("RESERVE_NOW")) == 1, "its time has not come"
    async with api.database.write() as store:
        mine = tables.reservations.c.id == made["reservation_id"]
        await store.execute(update(tables.reservations).where(mine).values(updated_at=datetime(2026, 1, 1, tzinfo=UTC)))
    await asyncio.gather(one.ask_again(), other.ask_again())
    first, again = api.cpo.received("RESERVE_NOW")
    assert {**first.body, "response_url": None} == {**again.body, "response_url": None}
    assert await status(api, made) == settled
    if settled == "pending":
        await tell(api, "RESERVE_NOW", "ACCEPTED")
        assert await status(api, made) == "reserved"


@pytest.fixture
async def sweepers(api: RunningApi) -> AsyncIterator[list[UnansweredReservations]]:
    """Those of two processes."""
    peers = Peers(api.database, api.settings, "api")
    commands = CommandStore(api.database, ConnectionStore(api.database, api.settings.secret_keys))
    commander = Commander(commands, LeaseStore(api.database), peers, api.settings)
    yield [UnansweredReservations(ReservationStore(api.database), commander, every_s=20) for _ in range(2)]
    await peers.aclose()


@pytest.mark.parametrize("asks", [unlock, reserve])
async def test_an_evse_that_was_built_since_is_asked_for(
    temporal: WorkflowEnvironment, store_url: str, asks: Callable[..., Awaitable[httpx.Response]]
) -> None:
    """As a start does; once a minute, so that the API must be a fresh one."""
    async with running_api(temporal, store_url, profile_wait_s=0.3) as api:
        new = evse(uid="new", evse_id="FI*VRT*E777")
        api.cpo.locations.append(location(id="NEW", evses=[new], last_updated=now()))
        api.cpo.on("RESERVE_NOW")
        api.cpo.on("UNLOCK_CONNECTOR")
        assert (await asks(api, evse_id="FI-VRT-E777")).is_success


async def test_an_evse_is_held_for_one_user_who_alone_may_start_there_with_the_same_token(api: RunningApi) -> None:
    made = await reserved(api)
    for refused in (await reserve(api, sub="bob"), await reserve(api), await api.start(sub="bob")):
        assert (refused.status_code, refused.json()["code"]) == (409, "evse_reserved")
    session_id = await api.started()
    connections = ConnectionStore(api.database, api.settings.secret_keys)
    token = (await CommandStore(api.database, connections).begin_start(session_id)).token
    assert token == api.cpo.received("RESERVE_NOW")[0].body["token"]
    used = (await api.http.get(f"/v1/reservations/{made['reservation_id']}")).json()
    assert (used["status"], used["session_id"]) == ("used", session_id)
    busy = await reserve(api)
    assert (busy.status_code, busy.json()["code"]) == (409, "evse_busy")


async def test_the_session_of_a_reservation_is_not_taken_for_the_charge(api: RunningApi) -> None:
    await reserved(api)
    command = api.cpo.received("RESERVE_NOW")[0].body
    session_id = await api.started()
    ours = {
        "authorization_reference": command["authorization_reference"],
        "cdr_token": {"uid": command["token"]["uid"]},
    }
    for state in ("RESERVATION", "COMPLETED", "COMPLETED"):
        pushed = await api.cpo.push_session(api.cpo.session(id="R1", status=state, **ours))
        assert pushed.json()["status_code"] == 1000
    assert await api.count(tables.ocpi_sessions, session_id=session_id) == 0
    await api.cpo.push_session(api.cpo.session(id="S1", status="ACTIVE", **ours))
    assert await api.count(tables.ocpi_sessions, session_id=session_id, id="S1", parked=False) == 1


async def test_one_that_has_run_out_holds_nothing(api: RunningApi) -> None:
    made = await reserved(api)
    async with api.database.write() as store:
        await store.execute(update(tables.reservations).values(expires_at=datetime.now(UTC)))
    assert await status(api, made) == "expired"
    assert (await cancel(api, made)).json()["status"] == "expired"
    assert (await reserve(api, sub="bob")).status_code == 201


async def test_the_same_key_makes_one_reservation(api: RunningApi) -> None:
    key, until = new_key(), in_an_hour()
    one, other = [await reserve(api, key=key, expires_at=until) for _ in range(2)]
    assert (one.status_code, other.status_code) == (201, 201)
    assert one.json() == other.json()
    assert len(api.cpo.received("RESERVE_NOW")) == 1
    reused = await reserve(api, key=key, expires_at=until, evse_id="FI-VRT-E12346")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_it_is_given_back(api: RunningApi) -> None:
    made = await reserved(api)
    assert (await cancel(api, made)).json()["status"] == "cancelling"
    await tell(api, "CANCEL_RESERVATION", "ACCEPTED")
    assert (await cancel(api, made)).json()["status"] == "cancelled"
    assert len(api.cpo.received("CANCEL_RESERVATION")) == 1


async def start_while_temporal_is_away(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> httpx.Response:
    """A start at another API of the same store."""
    with monkeypatch.context() as away:
        away.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
        async with (
            serve(create_app(api.settings)) as url,
            httpx.AsyncClient(base_url=url, headers=api.http.headers, timeout=40) as cut_off,
        ):
            return await cut_off.post("/v1/sessions/start", json={"evse_id": EVSE})


async def test_a_start_that_is_refused_while_temporal_is_away_leaves_it_to_the_next(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await reserved(api)
    assert (await start_while_temporal_is_away(api, monkeypatch)).status_code == 503
    assert await status(api, made) == "reserved"
    assert (await api.start(sub="somebody-else")).json()["code"] == "evse_reserved"
    session_id = await api.started()
    uid = api.cpo.received("RESERVE_NOW")[0].body["token"]["uid"]
    assert await api.count(tables.sessions, id=session_id, token_uid=uid) == 1
    assert await api.count(tables.tokens, uid=uid, session_id=session_id, valid=True) == 1
    assert await status(api, made) == "used"


async def test_it_can_be_given_back_after_a_start_that_was_refused(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await reserved(api)
    assert (await start_while_temporal_is_away(api, monkeypatch)).status_code == 503
    assert (await cancel(api, made)).json()["status"] == "cancelling"
    await tell(api, "CANCEL_RESERVATION", "ACCEPTED")
    assert await status(api, made) == "cancelled"


async def test_a_cancellation_that_fails_leaves_it_held(lite: RunningApi) -> None:
    made = await reserved(lite)
    lite.cpo.on("CANCEL_RESERVATION", answer({"result": "REJECTED", "timeout": 0}), html(502), answer())
    assert [(await cancel(lite, made)).status_code for _ in range(2)] == [409, 503]
    assert await status(lite, made) == "reserved"


async def test_somebody_elses_reservation_is_absent(lite: RunningApi) -> None:
    made = await reserved(lite)
    bob = {"Authorization": f"Bearer {user_token('bob')}"}
    for path in (made["reservation_id"], "nothing", new_key()):
        for method in ("GET", "DELETE"):
            absent = await lite.http.request(method, f"/v1/reservations/{path}", headers=bob)
            assert (absent.status_code, absent.json()["code"]) == (404, "reservation_not_found")


@pytest.mark.parametrize(
    "order",
    [{"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "2099-01-01T00:00:00Z"}, {"evse_id": ""}, {"kwh": 1}],
)
async def test_an_order_that_makes_no_sense_is_422(lite: RunningApi, order: dict[str, Any]) -> None:
    refused = await reserve(lite, **order)
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_error")
    assert lite.cpo.requests == []


async def test_a_connector_is_unlocked_and_the_charge_points_word_is_waited_for(lite: RunningApi) -> None:
    answered = (await unlock(lite)).json()
    assert answered == {"evse_id": EVSE, "connector_id": "1", "response": "ACCEPTED", "result": None}
    await tell(lite, "UNLOCK_CONNECTOR", "ACCEPTED")
    assert lite.cpo.received("UNLOCK_CONNECTOR")[0].body["connector_id"] == "1"


async def test_an_unlock_that_cannot_be_is_told(lite: RunningApi) -> None:
    wrong = await unlock(lite, connector_id="9")
    assert (wrong.status_code, wrong.json()["connectors"]) == (422, ["1"])
    assert (await unlock(lite, evse_id="FI-VRT-E99999")).status_code == 404
    lite.cpo.on("UNLOCK_CONNECTOR", refuse(2003), html(502))
    assert [(await unlock(lite)).json()["code"] for _ in range(2)] == ["cpo_refused", "cpo_unreachable"]
