"""What we call at a CPO, and what becomes of each way to answer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from charging.errors import PeerError, PeerNotReached, PeerOutcomeUnknown, PeerRefused
from charging.ocpi.client import CpoClient
from charging.ocpi.models import (
    CancelReservation,
    ChargingPreferences,
    ChargingProfile,
    ReserveNow,
    SetChargingProfile,
    StartSession,
    StopSession,
    Token,
    UnlockConnector,
)
from charging.ocpi.transport import MAX_RESPONSE_BYTES, PeerForbidden, Transport
from charging.ocpi.wire import Party
from charging.store.connections import Connection
from tests.peer import ENDPOINTS, ROLE, ScriptedCpo, Step, answer, html, location, refuse, reset

US = Party("FI", "RBT")
RESPONSE_URL = "https://emsp.example/ocpi/emsp/2.2.1/commands/START_SESSION/7f3c"


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport(timeout_s=10, allow_private=True)
    yield transport
    await transport.aclose()


@pytest.fixture
async def impatient() -> AsyncIterator[Transport]:
    """For who never answers: long enough to connect, however busy the machine is."""
    transport = Transport(timeout_s=2, allow_private=True)
    yield transport
    await transport.aclose()


@pytest.fixture
def client(cpo: ScriptedCpo, transport: Transport) -> CpoClient:
    cpo.token_c = "TOKEN-C"
    return CpoClient(transport, connection_to(cpo.url), US)


def connection_to(url: str, **fields: Any) -> Connection:
    endpoints = [{"identifier": m, "role": r, "url": f"{url}/ocpi/2.2.1/{m}"} for m, r in ENDPOINTS]
    given: dict[str, Any] = {
        "id": "1",
        "name": "virta",
        "network": "Virta",
        "status": "active",
        "version": "2.2.1",
        "versions_url": f"{url}/ocpi/versions",
        "roles": [ROLE],
        "endpoints": endpoints,
        "client_token": "TOKEN-C",
        "power_factor": 1,
    }
    return Connection(**{**given, **fields})


def start() -> StartSession:
    token = Token(
        country_code="FI",
        party_id="RBT",
        uid="R7K2M9QX4T1ZC8VB",
        type="AD_HOC_USER",
        contract_id="FI-RBT-C00000001-X",
        issuer="Robot Charging",
        valid=True,
        whitelist="NEVER",
        last_updated=datetime(2026, 1, 1, 12, tzinfo=UTC),
    )
    return StartSession(
        response_url=RESPONSE_URL,
        token=token,
        location_id="LOC1",
        evse_uid="3256",
        connector_id="1",
        authorization_reference="c5f0e0d4b1",
    )


class TestCommands:
    async def test_start_session_is_sent_as_the_specification_shows_it(
        self, client: CpoClient, cpo: ScriptedCpo
    ) -> None:
        response = await client.start_session(start())
        assert (response.result, response.timeout) == ("ACCEPTED", 30)
        assert cpo.starts == [
            {
                "response_url": RESPONSE_URL,
                "token": {
                    "country_code": "FI",
                    "party_id": "RBT",
                    "uid": "R7K2M9QX4T1ZC8VB",
                    "type": "AD_HOC_USER",
                    "contract_id": "FI-RBT-C00000001-X",
                    "issuer": "Robot Charging",
                    "valid": True,
                    "whitelist": "NEVER",
                    "last_updated": "2026-01-01T12:00:00Z",
                },
                "location_id": "LOC1",
                "evse_uid": "3256",
                "connector_id": "1",
                "authorization_reference": "c5f0e0d4b1",
            }
        ]

    async def test_a_request_carries_token_ids_and_routing(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        await client.start_session(start())
        headers = cpo.requests[0].headers
        assert headers["authorization"] == "Token VE9LRU4tQw=="
        assert headers["content-type"] == "application/json"
        assert headers["x-request-id"] != headers["x-correlation-id"]
        assert (headers["ocpi-from-country-code"], headers["ocpi-from-party-id"]) == ("FI", "RBT")
        assert (headers["ocpi-to-country-code"], headers["ocpi-to-party-id"]) == ("FI", "VRT")

    async def test_one_platform_may_speak_for_several_cpos(self, transport: Transport, cpo: ScriptedCpo) -> None:
        cpo.token_c = "TOKEN-C"
        await CpoClient(transport, connection_to(cpo.url), US, Party("DE", "ABC")).stop_session(_stop())
        headers = cpo.requests[0].headers
        assert (headers["ocpi-to-country-code"], headers["ocpi-to-party-id"]) == ("DE", "ABC")

    async def test_a_rejected_command_is_an_answer(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        cpo.on("STOP_SESSION", answer({"result": "UNKNOWN_SESSION", "timeout": 0}))
        assert (await client.stop_session(_stop())).result == "UNKNOWN_SESSION"
        assert cpo.stops == [{"response_url": RESPONSE_URL, "session_id": "S1"}]

    async def test_timeout_and_message_may_miss_and_results_may_be_new(
        self, client: CpoClient, cpo: ScriptedCpo
    ) -> None:
        cpo.on("START_SESSION", answer({"result": "PONDERING", "message": None}))
        response = await client.start_session(start())
        assert (response.result, response.timeout, response.message) == ("PONDERING", 0, [])

    async def test_reservations_and_unlocking_are_sent_as_the_specification_shows_them(
        self, client: CpoClient, cpo: ScriptedCpo
    ) -> None:
        reserve = ReserveNow(
            response_url=RESPONSE_URL,
            token=start().token,
            expiry_date=datetime(2026, 1, 1, 13, tzinfo=UTC),
            reservation_id="R1",
            location_id="LOC1",
            evse_uid="3256",
            authorization_reference="c5f0",
        )
        cancel = CancelReservation(response_url=RESPONSE_URL, reservation_id="R1")
        unlock = UnlockConnector(response_url=RESPONSE_URL, location_id="LOC1", evse_uid="3256", connector_id="1")
        answers = [
            await client.reserve_now(reserve),
            await client.cancel_reservation(cancel),
            await client.unlock_connector(unlock),
        ]
        assert [answer.result for answer in answers] == ["ACCEPTED"] * 3
        [reserved] = cpo.received("RESERVE_NOW")
        assert reserved.body["expiry_date"] == "2026-01-01T13:00:00Z"
        assert reserved.body["token"]["type"] == "AD_HOC_USER"
        assert (reserved.body["reservation_id"], reserved.body["authorization_reference"]) == ("R1", "c5f0")
        assert cpo.received("CANCEL_RESERVATION")[0].body == {"response_url": RESPONSE_URL, "reservation_id": "R1"}
        place = {"location_id": "LOC1", "evse_uid": "3256", "connector_id": "1"}
        assert cpo.received("UNLOCK_CONNECTOR")[0].body == {"response_url": RESPONSE_URL, **place}


class TestChargingPreferences:
    PREFERENCES = ChargingPreferences(
        profile_type="CHEAP", departure_time=datetime(2026, 1, 1, 18, tzinfo=UTC), energy_need=Decimal("41.5")
    )

    async def test_are_put_to_the_session(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        assert await client.set_charging_preferences("S/1", self.PREFERENCES) == "ACCEPTED"
        [put] = cpo.received("PREFERENCES")
        assert (put.method, put.path) == ("PUT", "/ocpi/2.2.1/sessions/S/1/charging_preferences")
        assert put.body == {
            "profile_type": "CHEAP",
            "departure_time": "2026-01-01T18:00:00Z",
            "energy_need": 41.5,
        }

    @pytest.mark.parametrize("result", ["NOT_POSSIBLE", "DEPARTURE_REQUIRED", "PONDERING"])
    async def test_every_answer_is_one(self, client: CpoClient, cpo: ScriptedCpo, result: str) -> None:
        cpo.on("PREFERENCES", answer(result))
        assert await client.set_charging_preferences("S1", self.PREFERENCES) == result

    async def test_an_answer_that_is_none_is_of_unknown_outcome(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        cpo.on("PREFERENCES", answer({"result": "ACCEPTED"}))
        with pytest.raises(PeerOutcomeUnknown):
            await client.set_charging_preferences("S1", self.PREFERENCES)


class TestChargingProfiles:
    async def test_are_put_cleared_and_asked_for(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        profile = ChargingProfile.model_validate(
            {"charging_rate_unit": "W", "charging_profile_period": [{"start_period": 0, "limit": "7400.0"}]}
        )
        setting = SetChargingProfile(charging_profile=profile, response_url="https://x/a?b=c&d")
        assert (await client.set_charging_profile("S|1", setting)).result == "ACCEPTED"
        assert (await client.clear_charging_profile("S|1", "https://x/a?b=c&d")).result == "ACCEPTED"
        assert (await client.active_charging_profile("S|1", 3600, "https://x/a?b=c&d")).result == "ACCEPTED"
        put, delete, get = cpo.requests
        assert put.body == {
            "charging_profile": {
                "charging_rate_unit": "W",
                "charging_profile_period": [{"start_period": 0, "limit": 7400}],
            },
            "response_url": "https://x/a?b=c&d",
        }
        assert delete.query == {"response_url": "https://x/a?b=c&d"}
        assert get.query == {"duration": "3600", "response_url": "https://x/a?b=c&d"}
        assert {r.path for r in cpo.requests} == {"/ocpi/2.2.1/chargingprofiles/S|1"}


class TestWhatBecameOfIt:
    @pytest.mark.parametrize(
        "script",
        [
            html(500),
            html(502),
            refuse(3000, 503),
            html(408),
            reset(),
            html(200),
            Step(raw=b"{"),
            Step(raw=b"[]"),
            answer("nonsense"),
            answer({"timeout": 1}),
            refuse(4002),
        ],
        ids=str,
    )
    async def test_an_answer_that_leaves_it_open_is_outcome_unknown(
        self, client: CpoClient, cpo: ScriptedCpo, script: Step
    ) -> None:
        cpo.on("START_SESSION", script)
        with pytest.raises(PeerOutcomeUnknown):
            await client.start_session(start())
        assert len(cpo.starts) == 1

    async def test_no_answer_in_time_is_outcome_unknown(self, impatient: Transport, cpo: ScriptedCpo) -> None:
        cpo.token_c, never = "TOKEN-C", asyncio.Event()
        cpo.on("START_SESSION", answer({"result": "ACCEPTED"}, wait_for=never))
        with pytest.raises(PeerOutcomeUnknown):
            await CpoClient(impatient, connection_to(cpo.url), US).start_session(start())
        assert len(cpo.starts) == 1

    @pytest.mark.parametrize(
        ("script", "http_status", "status_code"),
        [
            (refuse(2003), 200, 2003),
            (refuse(2001, 400), 400, 2001),
            (refuse(2004, 500), 500, 2004),
            (refuse(3000), 200, 3000),
            (refuse(4001), 200, 4001),
            (html(404), 404, None),
            (refuse(1000, 403), 403, 1000),
            (Step(http_status=302, raw=b"", headers={"Location": "http://169.254.169.254/"}), 302, None),
        ],
    )
    async def test_a_no_is_refused_with_its_codes(
        self, client: CpoClient, cpo: ScriptedCpo, script: Step, http_status: int, status_code: int | None
    ) -> None:
        cpo.on("START_SESSION", script)
        with pytest.raises(PeerRefused) as caught:
            await client.start_session(start())
        assert (caught.value.http_status, caught.value.status_code) == (http_status, status_code)

    async def test_a_server_that_is_not_there_was_not_reached(self, transport: Transport) -> None:
        for url in ("http://127.0.0.1:9", "http://no-such-host.invalid", "nonsense"):
            with pytest.raises(PeerNotReached):
                await CpoClient(transport, connection_to(url), US).start_session(start())

    @pytest.mark.parametrize("fields", [{"status": "unregistered"}, {"client_token": None}])
    async def test_a_connection_that_is_not_active_is_not_called(
        self, transport: Transport, cpo: ScriptedCpo, fields: dict[str, Any]
    ) -> None:
        with pytest.raises(PeerNotReached):
            await CpoClient(transport, connection_to(cpo.url, **fields), US).start_session(start())
        assert cpo.requests == []

    async def test_a_module_that_the_cpo_does_not_offer_is_refused(
        self, transport: Transport, cpo: ScriptedCpo
    ) -> None:
        with pytest.raises(PeerRefused) as caught:
            await CpoClient(transport, connection_to(cpo.url, endpoints=[]), US).start_session(start())
        assert caught.value.status_code == 3003

    async def test_a_private_address_is_not_connected_to(self, cpo: ScriptedCpo) -> None:
        transport = Transport(timeout_s=10, allow_private=False)
        for url in (cpo.url, cpo.url.replace("127.0.0.1", "localhost")):
            with pytest.raises(PeerForbidden):
                await CpoClient(transport, connection_to(url), US).start_session(start())
        assert cpo.requests == []
        await transport.aclose()

    @pytest.mark.parametrize("url", ["http://169.254.169.254", "http://[fe80::1]", "http://0.0.0.0:9"])
    async def test_a_link_local_address_is_never_connected_to(self, transport: Transport, url: str) -> None:
        with pytest.raises(PeerForbidden):
            await CpoClient(transport, connection_to(url), US).start_session(start())

    @pytest.mark.trust("1.60")
    async def test_a_body_without_end_is_cut(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        cpo.on("START_SESSION", Step(raw=b" " * (MAX_RESPONSE_BYTES + 1)))
        with pytest.raises(PeerOutcomeUnknown, match="no end"):
            await client.start_session(start())

    async def test_a_body_that_drips_is_cut_in_time(self, impatient: Transport) -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            try:
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.1)
            except OSError:
                writer.close()

        async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with asyncio.timeout(10):
                with pytest.raises(PeerOutcomeUnknown):
                    await CpoClient(impatient, connection_to(f"http://127.0.0.1:{port}"), US).start_session(start())


class TestLists:
    async def test_every_page_is_read_with_one_correlation_id(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        cpo.page_size = 2
        cpo.locations = [location(id=str(n)) for n in range(5)]
        found = [body["id"] async for body in client.locations(datetime(2025, 1, 1, tzinfo=UTC))]
        assert found == ["0", "1", "2", "3", "4"]
        queries = [r.query for r in cpo.requests]
        assert [q["date_from"] for q in queries] == ["2025-01-01T00:00:00Z"] * 3
        assert len({r.headers["x-correlation-id"] for r in cpo.requests}) == 1
        assert len({r.headers["x-request-id"] for r in cpo.requests}) == 3

    async def test_bounds_are_sent_in_ocpi_time(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
        assert [s async for s in client.sessions(moment, datetime(2026, 1, 2, tzinfo=UTC))] == []
        query = cpo.received("sessions")[0].query
        assert (query["date_from"], query["date_to"]) == ("2026-01-01T12:00:00Z", "2026-01-02T00:00:00Z")

    async def test_a_link_to_itself_ends_the_list(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        link = f'<{cpo.url}/ocpi/2.2.1/cdrs>; rel="next"'
        cpo.on("cdrs", answer([{"id": "1"}], headers={"Link": link}))
        assert len([cdr async for cdr in client.cdrs()]) == 1

    async def test_a_relative_link_is_followed(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        first = answer([{"id": "1"}], headers={"Link": '</ocpi/2.2.1/cdrs?offset=1>; rel="next"'})
        cpo.on("cdrs", first, answer([{"id": "2"}]))
        assert [cdr["id"] async for cdr in client.cdrs()] == ["1", "2"]

    async def test_a_link_that_is_no_url_is_refused_and_a_count_that_is_none_unread(
        self, client: CpoClient, cpo: ScriptedCpo
    ) -> None:
        cpo.on("cdrs", answer([{"id": "1"}], headers={"Link": '<//[>; rel="next"', "X-Total-Count": "9" * 5000}))
        with pytest.raises(PeerRefused):
            _ = [cdr async for cdr in client.cdrs()]
        assert len(cpo.received("cdrs")) == 1

    @pytest.mark.parametrize("data", [None, {}, "x", ["x", 5, None]])
    async def test_what_is_no_list_of_objects_is_empty(self, client: CpoClient, cpo: ScriptedCpo, data: Any) -> None:
        cpo.on("cdrs", Step(data=data, status_code=1001))
        assert [cdr async for cdr in client.cdrs()] == []

    async def test_a_failure_is_raised(self, client: CpoClient, cpo: ScriptedCpo) -> None:
        cpo.on("cdrs", html(500))
        with pytest.raises(PeerError):
            _ = [cdr async for cdr in client.cdrs()]


def _stop() -> StopSession:
    return StopSession(response_url=RESPONSE_URL, session_id="S1")
