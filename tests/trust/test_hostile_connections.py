"""A CPO that sends us elsewhere, and strangers with tokens of their own (docs/trust.md 2.41 to 2.45)."""

from collections.abc import AsyncIterator

import pytest

from charging.errors import PeerRefused
from charging.ocpi import wire
from charging.ocpi.client import CpoClient
from charging.ocpi.transport import Transport
from charging.settings import Settings
from tests.ocpi import conftest as stage
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.ocpi.test_client import US, connection_to, start
from tests.peer import ENDPOINTS, ScriptedCpo, Step, answer

settings, emsp, cpo = stage.settings, stage.emsp, stage.cpo


@pytest.mark.trust("2.41")
@on_sqlite
@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/versions",
        "https://localhost/versions",
        "https://169.254.169.254/latest",
        "https://2130706433/versions",
        "https://user@8.8.8.8/versions",
    ],
)
async def test_a_url_where_no_cpo_can_be_is_422(emsp: Emsp, settings: Settings, url: str) -> None:
    settings.allow_private_peers = False
    body = {"cpo_name": "virta", "versions_url": url, "token": "t"}
    response = await emsp.admin("POST", "register", body)
    assert (response.status_code, response.json()["code"]) == (422, "peer_url_refused")
    assert url not in response.text


@pytest.mark.trust("2.41")
@on_sqlite
async def test_a_cpo_that_redirects_is_not_followed(emsp: Emsp, cpo: ScriptedCpo) -> None:
    async with ScriptedCpo() as trap:
        cpo.on("versions", Step(raw=b"", http_status=302, headers={"Location": trap.versions_url}))
        response = await emsp.register(cpo)
        assert (response.status_code, response.json()["code"]) == (422, "peer_url_refused")
        assert trap.requests == []


@pytest.mark.trust("2.42")
@on_sqlite
async def test_an_endpoint_on_another_host_is_never_called(emsp: Emsp, cpo: ScriptedCpo) -> None:
    endpoints = [
        {"identifier": module, "role": role, "url": f"{cpo.url}/ocpi/2.2.1/{module}"} for module, role in ENDPOINTS
    ]
    endpoints[1]["url"] = "http://localhost:1/steal"
    cpo.on("version", answer({"version": "2.2.1", "endpoints": endpoints}))
    response = await emsp.register(cpo)
    assert (response.status_code, response.json()["code"]) == (422, "cpo_endpoint_on_another_host")
    assert cpo.received("credentials") == []
    connection = await emsp.services.connections.by_name("virta")
    assert connection is None or not connection.is_active


@pytest.mark.trust("2.43")
@on_sqlite
@pytest.mark.parametrize("form", ["base64", "base64 of a line", "raw", "unpadded", "two spaces"])
async def test_a_token_is_understood_in_the_forms_that_peers_use(emsp: Emsp, cpo: ScriptedCpo, form: str) -> None:
    await emsp.register(cpo)
    token = str(cpo.emsp_token)
    header = {
        "base64": wire.encode_token(token),
        "base64 of a line": wire.encode_token(token + "\n"),
        "raw": f"Token {token}",
        "unpadded": wire.encode_token(token).rstrip("="),
        "two spaces": wire.encode_token(token).replace("Token ", "Token  "),
    }[form]
    response = await cpo.call("GET", "tariffs/FI/VRT/T1", headers={"Authorization": header})
    assert response.status_code == 200


@pytest.mark.trust("2.43")
@on_sqlite
@pytest.mark.parametrize("header", ["", "Token", "Token x", "Bearer abc", "Basic YWJj", "Token YWJj YWJj"])
async def test_with_another_token_a_peer_is_nobody(emsp: Emsp, cpo: ScriptedCpo, header: str) -> None:
    await emsp.register(cpo)
    for url in (f"{emsp.url}/ocpi/versions", "tariffs/FI/VRT/T1", "credentials"):
        response = await cpo.call("GET", url, headers={"Authorization": header, "X-Request-ID": "r1"})
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Token"
        assert response.headers["x-request-id"] == "r1"
        assert response.json()["status_code"] == 2000


class TestAnAnswerThatPointsElsewhere:
    @pytest.fixture
    async def trap(self) -> AsyncIterator[ScriptedCpo]:
        async with ScriptedCpo() as trap:
            yield trap

    @pytest.fixture
    async def client(self, cpo: ScriptedCpo) -> AsyncIterator[CpoClient]:
        cpo.token_c = "TOKEN-C"
        transport = Transport(timeout_s=1, allow_private=True)
        yield CpoClient(transport, connection_to(cpo.url), US)
        await transport.aclose()

    @pytest.mark.trust("2.45")
    async def test_to_a_command_is_not_followed(self, client: CpoClient, cpo: ScriptedCpo, trap: ScriptedCpo) -> None:
        for http_status in (301, 302, 307, 308):
            cpo.on("START_SESSION", Step(http_status=http_status, raw=b"", headers={"Location": trap.versions_url}))
            with pytest.raises(PeerRefused):
                await client.start_session(start())
        assert trap.requests == []

    @pytest.mark.trust("2.45")
    async def test_to_a_list_is_not_followed(self, client: CpoClient, cpo: ScriptedCpo, trap: ScriptedCpo) -> None:
        # localhost is this machine, too, and another host
        elsewhere = trap.url.replace("127.0.0.1", "localhost")
        cpo.on("tariffs", answer([{"id": "1"}], headers={"Link": f'<{elsewhere}/ocpi/versions>; rel="next"'}))
        tariffs = client.tariffs()
        assert (await anext(tariffs))["id"] == "1"
        with pytest.raises(PeerRefused):
            await anext(tariffs)
        assert trap.requests == []

    @pytest.mark.trust("2.45")
    async def test_with_the_location_of_an_object_is_not_fetched(
        self, client: CpoClient, cpo: ScriptedCpo, trap: ScriptedCpo
    ) -> None:
        accepted = {"result": "ACCEPTED", "timeout": 30, "response_url": trap.versions_url}
        cpo.on("START_SESSION", answer(accepted, headers={"Location": trap.versions_url}))
        assert (await client.start_session(start())).result == "ACCEPTED"
        assert trap.requests == []
