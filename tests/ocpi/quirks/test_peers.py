"""Q8 to Q10, Q31 to Q37, Q41, Q43: who a peer is, how it asks, and how it answers."""

from typing import Any

import httpx
import pytest

from charging.errors import PeerOutcomeUnknown, PeerRefused
from charging.ocpi import wire
from charging.ocpi.client import CpoClient
from charging.store.connections import Connection
from tests.ocpi.conftest import Emsp
from tests.ocpi.test_tokens import start_session
from tests.peer import ScriptedCpo, answer, html, refuse
from tests.receive.conftest import Desk, session_body
from tests.session.factory import T0


@pytest.fixture
def client(emsp: Emsp, friend: Connection) -> CpoClient:
    return emsp.services.peers.of(friend)


async def sessions(client: CpoClient) -> list[Any]:
    return [session async for session in client.sessions(T0)]


@pytest.mark.parametrize("form", ["base64", "raw", "base64 of a line"])
async def test_q08_a_token_is_understood_raw_and_in_base64(
    emsp: Emsp, friend: Connection, cpo: ScriptedCpo, form: str
) -> None:
    token = str(cpo.emsp_token)
    headers = {"base64": wire.encode_token(token), "raw": f"Token {token}"}
    header = headers.get(form, wire.encode_token(token + "\n"))
    response = await cpo.call("GET", "tariffs/FI/VRT/T1", headers={"Authorization": header})
    assert response.status_code == 200


async def test_q09_each_side_sends_the_token_that_the_other_gave_it(emsp: Emsp, cpo: ScriptedCpo) -> None:
    assert (await emsp.register(cpo)).status_code == 201
    connection = await emsp.connection()
    assert connection.client_token == cpo.token_c
    assert cpo.requests[-1].token == cpo.token_c  # the pull after the handshake
    assert cpo.emsp_token not in (None, cpo.token_a, cpo.token_c)
    assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == 200


async def test_q10_the_old_token_is_good_until_the_new_one_is_used(emsp: Emsp, cpo: ScriptedCpo) -> None:
    await emsp.register(cpo)
    old = cpo.emsp_token
    body = {"token": cpo.token_c, "url": cpo.versions_url, "roles": [cpo.role]}
    new = (await cpo.call("PUT", "credentials", body)).json()["data"]["token"]
    assert await _status(cpo, old) == 200
    assert await _status(cpo, new) == 200
    assert await _status(cpo, old) == 401


async def _status(cpo: ScriptedCpo, token: str | None) -> int:
    cpo.emsp_token = token
    return (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code


async def test_q31_the_url_of_a_cdr_is_in_the_location_header(desk: Desk) -> None:
    cdr = desk.cpo.cdr(session_body(end_date_time="2026-03-30T13:00:00Z"))
    posted = await desk.call("POST", "cdrs", cdr)
    assert posted.status_code == 201
    assert "data" not in posted.json()
    stored = await desk.call("GET", httpx.URL(posted.headers["Location"]).path)
    assert stored.json()["data"]["id"] == cdr["id"]


@pytest.mark.parametrize(
    ("answered", "error"),
    [
        (refuse(2003, 404), PeerRefused),
        (refuse(2001, 500), PeerRefused),  # the CPO understood and says no
        (refuse(2001, 200), PeerRefused),
        (refuse(3000, 500), PeerOutcomeUnknown),
        (answer(raw=b"7"), PeerOutcomeUnknown),
        (html(502), PeerOutcomeUnknown),
    ],
)
async def test_q32_an_envelope_counts_on_any_http_status(
    client: CpoClient, cpo: ScriptedCpo, answered: Any, error: type[Exception]
) -> None:
    cpo.on("sessions", answered)
    with pytest.raises(error):
        await sessions(client)


async def test_q33_an_unknown_token_is_404_and_2004_and_any_known_one_is_200(
    emsp: Emsp, friend: Connection, cpo: ScriptedCpo
) -> None:
    unknown = await cpo.call("POST", "tokens/NOBODY/authorize")
    assert (unknown.status_code, unknown.json()["status_code"]) == (404, 2004)
    uid = await start_session(emsp, friend)
    elsewhere = await cpo.call("POST", f"tokens/{uid}/authorize?type=AD_HOC_USER", {"location_id": "ELSEWHERE"})
    assert (elsewhere.status_code, elsewhere.json()["status_code"]) == (200, 1000)
    assert elsewhere.json()["data"]["allowed"] == "NOT_ALLOWED"


@pytest.mark.parametrize(
    "headers",
    [{}, {"ocpi-FROM-Party-Id": "VRT", "OCPI-FROM-COUNTRY-CODE": "FI"}, {"OCPI-to-party-id": "XXX"}],
)
async def test_q34_routing_headers_may_miss_and_be_written_in_any_case(desk: Desk, headers: dict[str, str]) -> None:
    token = wire.encode_token(desk.tokens["virta"])
    url, content = "/ocpi/emsp/2.2.1/sessions/FI/VRT/S1", wire.dumps(session_body())
    answered = await desk.http.put(url, content=content, headers={"Authorization": token, **headers})
    assert answered.status_code == 201
    assert answered.headers.get("OCPI-to-party-id") == headers.get("ocpi-FROM-Party-Id")


async def test_q34_an_answer_without_routing_headers_is_taken(client: CpoClient, cpo: ScriptedCpo) -> None:
    assert await sessions(client) == []


@pytest.mark.parametrize(
    ("path", "fields", "http_status", "ocpi_status"),
    [
        ("FI/VRT", {"party_id": "vrt"}, 201, 1000),  # a CiString
        ("FI/VRT", {"country_code": None, "party_id": None}, 201, 1000),  # the URL says it
        ("FI/VRT", {"party_id": "OTH"}, 200, 2001),  # not a party of this peer: kept, not taken
        ("DE/OTH", {}, 404, 2001),
    ],
)
async def test_q35_a_session_belongs_to_a_party_of_the_peer_that_sent_it(
    desk: Desk, path: str, fields: dict[str, Any], http_status: int, ocpi_status: int
) -> None:
    body = {name: value for name, value in session_body(**fields).items() if value is not None}
    answered = await desk.call("PUT", f"sessions/{path}/S1", body)
    assert (answered.status_code, answered.json()["status_code"]) == (http_status, ocpi_status)


async def test_q36_a_trailing_slash_changes_nothing(emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
    assert (await cpo.call("GET", "tariffs/FI/VRT/T1/")).status_code == 200
    assert (await cpo.call("GET", "tokens/")).status_code == 200
    assert (await cpo.call("GET", f"{emsp.url}/ocpi/versions/")).status_code == 200
    assert wire.join_url("http://cpo/commands/", "START_SESSION") == "http://cpo/commands/START_SESSION"


async def test_q37_a_link_to_itself_ends_the_list_and_one_without_limit_is_followed(
    client: CpoClient, cpo: ScriptedCpo
) -> None:
    second = f'<{cpo.url}/ocpi/2.2.1/sessions?offset=1>; rel="next"'
    pages = (answer([cpo.session(id=name)], headers={"Link": second}) for name in ("S1", "S2"))
    cpo.on("sessions", *pages)
    assert [session["id"] for session in await sessions(client)] == ["S1", "S2"]
    assert len(cpo.received("sessions")) == 2


async def test_q41_a_session_id_may_be_that_of_another_cpo(desk: Desk) -> None:
    spec = await desk.start()
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    theirs = session_body(country_code="DE", party_id="OTH", kwh=70)
    assert (await desk.call("PUT", "sessions/DE/OTH/S1", theirs, by="other")).status_code == 201
    profile = {"start_date_time": "2026-03-30T12:00:00Z", "charging_profile": {"charging_rate_unit": "W"}}
    assert (await desk.call("PUT", "chargingprofiles/S1", profile, by="other")).status_code == 404
    assert (await desk.call("PUT", "chargingprofiles/S1", profile)).status_code == 200
    assert (await desk.row(spec)).kwh == 0


async def test_q43_a_party_belongs_to_the_peer_that_registered_with_it(desk: Desk) -> None:
    spec = await desk.start()
    body = session_body(authorization_reference=spec.authorization_reference)
    assert (await desk.call("PUT", "sessions/FI/VRT/S1", body, by="other")).status_code == 404
    posted = await desk.call("POST", "cdrs", desk.cpo.cdr(session_body()), by="other")
    assert posted.json()["status_code"] == 2001
    assert (await desk.row(spec)).ocpi_session_id is None
