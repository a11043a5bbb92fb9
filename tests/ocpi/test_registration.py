"""The credentials handshake, in both directions (OCPI 2.2.1 §7), and what the admin sees of it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from charging.settings import Settings
from charging.store.connections import ConnectionStore
from charging.store.evse_index import EvseIndex
from charging.store.tables import connections, odd_messages
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo, Step, answer, html, location, refuse
from tests.waiting import eventually


class TestWeRegisterWithACpo:
    async def test_the_handshake_ends_with_an_active_connection(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        response = await emsp.register(cpo, power_factor=600)
        assert response.status_code == 201, response.text
        view = response.json()
        assert (view["status"], view["network"], view["version"]) == ("active", "Virta", "2.2.1")
        assert view["parties"] == ["FI*VRT CPO"]
        assert view["power_factor"] == 600
        connection = await emsp.connection()
        assert connection.client_token == cpo.token_c

    async def test_the_steps_are_those_of_the_specification(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        assert [r.step for r in cpo.requests] == ["versions", "version", "credentials", "tariffs", "locations"]
        assert [r.token for r in cpo.requests] == [cpo.token_a] * 3 + [cpo.token_c] * 2
        credentials = cpo.received("credentials")[0].body
        assert credentials["url"] == f"{emsp.url}/ocpi/versions"
        assert credentials["roles"] == [
            {
                "role": "EMSP",
                "country_code": "FI",
                "party_id": "RBT",
                "business_details": {"name": "Robot Charging"},
            }
        ]

    async def test_headers_are_unique_and_routing_is_for_functional_modules(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        assert len({r.headers["x-request-id"] for r in cpo.requests}) == len(cpo.requests)
        assert all(r.headers["x-correlation-id"] for r in cpo.requests)
        routed = {r.step for r in cpo.requests if "ocpi-to-party-id" in r.headers}
        assert routed == {"tariffs", "locations"}
        headers = cpo.received("locations")[0].headers
        assert (headers["ocpi-from-country-code"], headers["ocpi-from-party-id"]) == ("FI", "RBT")
        assert (headers["ocpi-to-country-code"], headers["ocpi-to-party-id"]) == ("FI", "VRT")

    async def test_our_server_takes_the_token_that_we_gave(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        response = await cpo.call("GET", "locations/FI/VRT/LOC1")
        assert response.status_code == 200
        assert response.json()["data"]["city"] == "Helsinki"

    async def test_all_pages_of_locations_and_tariffs_are_pulled(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        cpo.page_size = 2
        cpo.locations = [location(id=f"LOC{n}", evses=[]) for n in range(5)]
        view = (await emsp.register(cpo)).json()
        assert view["locations_synced_at"] is not None
        assert [r.query.get("offset") for r in cpo.received("locations")] == [None, "2", "4"]
        for n in range(5):
            assert (await cpo.call("GET", f"locations/FI/VRT/LOC{n}")).status_code == 200
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).json()["data"]["currency"] == "EUR"

    async def test_broken_and_foreign_objects_of_a_page_do_not_spoil_the_others(
        self, emsp: Emsp, cpo: ScriptedCpo
    ) -> None:
        cpo.locations = [{"country_code": "FI", "party_id": "VRT"}, location(party_id="XXX"), location()]
        await emsp.register(cpo)
        assert (await cpo.call("GET", "locations/FI/VRT/LOC1")).status_code == 200
        async with emsp.services.database.read() as store:
            problems = list((await store.execute(select(odd_messages.c.problem))).scalars())
        assert len(problems) == 2

    async def test_a_pull_that_fails_leaves_an_active_connection(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        cpo.on("locations", html(502))
        view = (await emsp.register(cpo)).json()
        assert (view["status"], view["locations_synced_at"]) == ("active", None)

    async def test_tokens_are_stored_as_hash_and_as_cipher(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        async with emsp.services.database.read() as store:
            row = (await store.execute(select(connections))).one()
        assert cpo.emsp_token is not None
        assert cpo.token_c is not None
        assert cpo.emsp_token not in str(row)
        assert cpo.token_c not in str(row)
        assert row.server_token_prefix == cpo.emsp_token[:8]

    async def test_a_rotated_secret_key_still_reads_old_tokens(
        self, emsp: Emsp, cpo: ScriptedCpo, settings: Settings
    ) -> None:
        await emsp.register(cpo)
        newer = Settings(secret_keys=f"new-key,{settings.secret_keys.get_secret_value()}")
        connection = await ConnectionStore(emsp.services.database, newer.secret_keys).by_name("virta")
        assert connection is not None
        assert connection.client_token == cpo.token_c
        lost = Settings(secret_keys="another")
        connection = await ConnectionStore(emsp.services.database, lost.secret_keys).by_name("virta")
        assert connection is not None
        assert connection.client_token is None

    async def test_registering_again_replaces_both_tokens(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        first = (await emsp.register(cpo)).json()
        old = cpo.emsp_token
        second = (await emsp.register(cpo)).json()
        assert second["id"] == first["id"]
        assert (await emsp.connection()).client_token == cpo.token_c
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == 200
        cpo.emsp_token = old
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == 401

    async def test_a_failed_repeat_leaves_the_connection_as_it_was(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        old_server, old_client = cpo.emsp_token, cpo.token_c
        cpo.on("credentials", refuse(3001))
        assert (await emsp.register(cpo)).status_code == 502
        connection = await emsp.connection()
        assert (connection.status, connection.client_token) == ("active", old_client)
        cpo.emsp_token = old_server
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == 200


@on_sqlite
class TestACpoThatCannotBeRegistered:
    @pytest.mark.parametrize(
        ("step", "script", "status", "code"),
        [
            ("versions", html(), 502, "cpo_unreachable"),
            ("versions", html(503), 502, "cpo_unreachable"),
            ("versions", refuse(2000, 401), 502, "cpo_refused"),
            ("versions", Step(raw=b"", http_status=302, headers={"Location": "/x"}), 422, "peer_url_refused"),
            ("versions", answer({"no": "list"}), 502, "cpo_answer_unreadable"),
            ("versions", answer([{"version": "2.0", "url": "http://127.0.0.1/x"}]), 422, "cpo_version_unsupported"),
            (
                "versions",
                answer([{"version": "2.2.1", "url": "http://10.0.0.1/x"}]),
                422,
                "cpo_endpoint_on_another_host",
            ),
            ("version", answer({"version": "2.2.1", "endpoints": []}), 422, "cpo_endpoints_missing"),
            ("credentials", refuse(3001), 502, "cpo_refused"),
            ("credentials", answer({"token": "x"}), 502, "cpo_answer_unreadable"),
        ],
    )
    async def test_says_why_and_is_not_active(
        self, emsp: Emsp, cpo: ScriptedCpo, step: str, script: Any, status: int, code: str
    ) -> None:
        cpo.on(step, script)
        response = await emsp.register(cpo)
        assert (response.status_code, response.json()["code"]) == (status, code)
        connection = await emsp.services.connections.by_name("virta")
        assert connection is None or connection.status == "unregistered"

    async def test_a_power_factor_above_the_limit_is_refused(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        response = await emsp.register(cpo, power_factor=601)
        assert (response.status_code, response.json()["code"]) == (422, "power_factor_refused")
        assert cpo.requests == []

    async def test_a_cpo_that_is_not_there_is_a_bad_gateway(self, emsp: Emsp) -> None:
        body = {"cpo_name": "virta", "versions_url": "http://127.0.0.1:9/versions", "token": "t"}
        response = await emsp.admin("POST", "register", body)
        assert (response.status_code, response.json()["code"]) == (502, "cpo_unreachable")

    async def test_an_unclear_order_is_refused_field_by_field(self, emsp: Emsp) -> None:
        response = await emsp.admin("POST", "register", {"cpo_name": "x", "token": "with space", "colour": 1})
        assert response.status_code == 422
        assert {e["field"] for e in response.json()["errors"]} == {"versions_url", "token", "colour"}


@on_sqlite
class TestTheAdmin:
    @pytest.mark.parametrize("key", ["", "wrong", "wröng"])
    async def test_needs_the_key(self, emsp: Emsp, key: str) -> None:
        for method, path in (
            ("POST", "register"),
            ("POST", "invite"),
            ("GET", "connections"),
            ("DELETE", "connections/x"),
        ):
            headers = {b"X-API-Key": key.encode()} if key else {}
            response = await emsp.http.request(method, f"{emsp.url}/ocpi/{path}", headers=headers, json={})
            assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
            assert "www-authenticate" in response.headers

    async def test_sees_connections_and_no_token(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        response = await emsp.admin("GET", "connections")
        assert [c["name"] for c in response.json()["connections"]] == ["virta"]
        assert str(cpo.token_c) not in response.text
        assert str(cpo.emsp_token) not in response.text

    @pytest.mark.parametrize("by", ["name", "id"])
    async def test_parts_from_a_cpo(self, emsp: Emsp, cpo: ScriptedCpo, by: str) -> None:
        view = (await emsp.register(cpo)).json()
        response = await emsp.admin("DELETE", f"connections/{view[by]}")
        assert response.status_code == 204
        assert [r.method for r in cpo.received("credentials")] == ["POST", "DELETE"]
        assert (await emsp.connection()).status == "unregistered"
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == 401
        finder = EvseIndex(emsp.services.database, emsp.services.connections)
        assert await finder.find("FI*VRT*E12345") is None

    async def test_parts_from_a_cpo_that_cannot_be_told(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        cpo.on("credentials", html(500))
        assert (await emsp.admin("DELETE", "connections/virta")).status_code == 204
        assert (await emsp.connection()).status == "unregistered"

    async def test_is_told_that_a_connection_does_not_exist(self, emsp: Emsp) -> None:
        response = await emsp.admin("DELETE", "connections/nobody")
        assert (response.status_code, response.json()["code"]) == (404, "connection_not_found")

    async def test_can_connect_a_cpo_again_after_parting(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        first = (await emsp.register(cpo)).json()
        await emsp.admin("DELETE", "connections/virta")
        again = (await emsp.register(cpo)).json()
        assert (again["id"], again["status"]) == (first["id"], "active")


class TestACpoRegistersWithUs:
    @pytest.fixture
    async def invitation(self, emsp: Emsp) -> dict[str, str]:
        response = await emsp.admin("POST", "invite", {"cpo_name": "virta"})
        assert response.status_code == 201
        invitation: dict[str, str] = response.json()
        return invitation

    async def test_the_handshake_ends_with_an_active_connection(
        self, emsp: Emsp, cpo: ScriptedCpo, invitation: dict[str, str]
    ) -> None:
        response = await cpo.register_at(invitation["versions_url"], invitation["token"])
        assert (response.status_code, response.json()["status_code"]) == (200, 1000)
        connection = await emsp.connection()
        assert (connection.status, connection.network) == ("active", "Virta")
        assert connection.client_token == cpo.token_c
        # During the POST we read the CPO's endpoints with the token it had just given.
        assert [r.step for r in cpo.requests[:2]] == ["versions", "version"]
        assert {r.token for r in cpo.requests[:2]} == {cpo.token_c}

        async def is_pulled() -> bool:
            return (await emsp.connection()).locations_synced_at is not None

        await eventually(is_pulled)
        assert (await cpo.call("GET", "locations/FI/VRT/LOC1")).status_code == 200

    async def test_the_invitation_is_dead_after_its_use(
        self, emsp: Emsp, cpo: ScriptedCpo, invitation: dict[str, str]
    ) -> None:
        await cpo.register_at(invitation["versions_url"], invitation["token"])
        cpo.emsp_token = invitation["token"]
        assert (await cpo.call("GET", invitation["versions_url"])).status_code == 401

    async def test_the_invitation_opens_versions_and_credentials_only(
        self, cpo: ScriptedCpo, emsp: Emsp, invitation: dict[str, str]
    ) -> None:
        cpo.emsp_token, cpo.emsp_url = invitation["token"], emsp.url
        assert (await cpo.call("GET", invitation["versions_url"])).status_code == 200
        response = await cpo.call("GET", "locations/FI/VRT/LOC1")
        assert response.status_code == 401
        assert response.json()["status_code"] >= 2000

    async def test_what_is_not_registered_cannot_be_renewed_or_ended(
        self, cpo: ScriptedCpo, emsp: Emsp, invitation: dict[str, str]
    ) -> None:
        cpo.emsp_token, cpo.emsp_url = invitation["token"], emsp.url
        assert (await cpo.call("PUT", "credentials", {})).status_code == 405
        assert (await cpo.call("DELETE", "credentials")).status_code == 405

    @on_sqlite
    @pytest.mark.parametrize(
        ("step", "script", "status_code"),
        [
            ("versions", html(500), 3001),
            ("versions", answer([{"version": "2.0", "url": "http://127.0.0.1/"}]), 3002),
            ("version", answer({"version": "2.2.1", "endpoints": []}), 3003),
        ],
    )
    async def test_a_peer_that_we_cannot_use_is_told_so(
        self,
        emsp: Emsp,
        cpo: ScriptedCpo,
        invitation: dict[str, str],
        step: str,
        script: Any,
        status_code: int,
    ) -> None:
        cpo.on(step, script)
        response = await cpo.register_at(invitation["versions_url"], invitation["token"])
        assert (response.status_code, response.json()["status_code"]) == (200, status_code)
        assert (await emsp.connection()).status == "invited"

    @on_sqlite
    @pytest.mark.parametrize("body", [{}, {"token": "x"}, [], {"token": "a b", "url": "http://x", "roles": []}])
    async def test_credentials_that_are_none_are_2001(
        self, cpo: ScriptedCpo, emsp: Emsp, invitation: dict[str, str], body: Any
    ) -> None:
        cpo.emsp_token, cpo.emsp_url = invitation["token"], emsp.url
        response = await cpo.call("POST", "credentials", body)
        assert (response.status_code, response.json()["status_code"]) == (200, 2001)

    async def test_an_active_name_cannot_be_invited(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        response = await emsp.admin("POST", "invite", {"cpo_name": "virta"})
        assert (response.status_code, response.json()["code"]) == (409, "cpo_connected")


class TestARegisteredCpo:
    async def test_reads_its_own_credentials(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        data = (await cpo.call("GET", "credentials")).json()["data"]
        assert data["token"] == cpo.emsp_token
        assert data["url"] == f"{emsp.url}/ocpi/versions"

    async def test_cannot_register_twice(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        response = await cpo.call("POST", "credentials", {})
        assert response.status_code == 405
        assert response.json()["status_code"] == 2000

    async def test_renews_its_credentials_and_may_use_the_old_token_until_it_uses_the_new(
        self, emsp: Emsp, cpo: ScriptedCpo
    ) -> None:
        await emsp.register(cpo)
        old = cpo.emsp_token
        role = {**cpo.role, "business_details": {"name": "Virta Oy"}}
        body = {"token": cpo.token_c, "url": cpo.versions_url, "roles": [role]}
        data = (await cpo.call("PUT", "credentials", body)).json()["data"]
        assert data["token"] != old
        assert (await emsp.connection()).network == "Virta Oy"
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == 200
        cpo.emsp_token = data["token"]
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == 200
        cpo.emsp_token = old
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == 401

    async def test_leaves(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        assert (await cpo.call("DELETE", "credentials")).json()["status_code"] == 1000
        assert (await emsp.connection()).status == "unregistered"
        assert (await cpo.call("DELETE", "credentials")).status_code == 401

    async def test_two_handshakes_at_once_leave_one_connection(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        await asyncio.gather(emsp.register(cpo), cpo.call("GET", "tariffs/FI/VRT/T1"))
        assert len(await emsp.services.connections.list()) == 1
