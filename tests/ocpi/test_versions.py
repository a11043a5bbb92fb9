"""Three versions of OCPI at once: the highest that both sides speak is taken, and each is answered in its own."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from charging.ocpi import wire
from charging.store.tables import connections, ocpi_sessions
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo, Step, html, tariff

VERSIONS = ["2.1.1", "2.2.1", "2.3.0"]
pytestmark = on_sqlite


@pytest.fixture
async def cpo(request: pytest.FixtureRequest) -> AsyncIterator[ScriptedCpo]:
    """A CPO that speaks 2.1.1, or the version that a test names."""
    async with ScriptedCpo(version=getattr(request, "param", "2.1.1")) as cpo:
        yield cpo


each_version = pytest.mark.parametrize("cpo", VERSIONS, indirect=True)


@each_version
async def test_we_register_and_pull_in_its_version(emsp: Emsp, cpo: ScriptedCpo) -> None:
    response = await emsp.register(cpo)
    assert response.status_code == 201, response.text
    view = response.json()
    assert (view["status"], view["version"], view["parties"]) == ("active", cpo.dialect.version, ["FI*VRT CPO"])
    assert view["locations_synced_at"] is not None
    theirs = (await cpo.call("GET", "locations/FI/VRT/LOC1")).json()["data"]
    assert theirs["evses"][0]["connectors"][0]["max_voltage" if cpo.dialect.has_roles else "voltage"] == 920


@each_version
async def test_it_registers_with_us_in_its_version(emsp: Emsp, cpo: ScriptedCpo) -> None:
    invitation = (await emsp.admin("POST", "invite", {"cpo_name": "virta"})).json()
    response = await cpo.register_at(invitation["versions_url"], invitation["token"])
    assert response.json()["status_code"] == 1000, response.text
    assert ("roles" in response.json()["data"]) == cpo.dialect.has_roles
    assert (await emsp.connection()).version == cpo.dialect.version
    ours = (await cpo.call("GET", "credentials")).json()["data"]
    assert ours["token"] == cpo.emsp_token


async def test_all_versions_are_offered_highest_first(emsp: Emsp, cpo: ScriptedCpo) -> None:
    await emsp.register(cpo)
    offered = (await cpo.call("GET", f"{emsp.url}/ocpi/versions")).json()["data"]
    assert [version["version"] for version in offered] == ["2.3.0", "2.2.1", "2.1.1"]
    endpoints = (await cpo.call("GET", offered[2]["url"])).json()["data"]["endpoints"]
    assert {e["identifier"] for e in endpoints} == cpo.dialect.modules
    assert all(e.keys() == {"identifier", "url"} for e in endpoints)
    assert (await cpo.call("PUT", "chargingprofiles/S1", {})).status_code == 404


async def test_the_highest_common_version_is_taken(emsp: Emsp) -> None:
    async with ScriptedCpo(version="2.2.1") as cpo:
        cpo.versions = ["2.1.1", "2.2.1"]
        assert (await emsp.register(cpo)).json()["version"] == "2.2.1"


async def test_a_rotation_gives_new_tokens_and_the_old_one_is_good_until_the_new_one_is_used(
    emsp: Emsp, cpo: ScriptedCpo
) -> None:
    await emsp.register(cpo)
    old, theirs = cpo.emsp_token, cpo.token_c
    response = await emsp.admin("POST", "connections/virta/rotate")
    assert (response.status_code, response.json()["status"]) == (200, "active")
    new = cpo.emsp_token
    assert new != old
    assert [r.method for r in cpo.received("credentials")] == ["POST", "PUT"]
    assert (await emsp.connection()).client_token == cpo.token_c != theirs
    for token, status in ((old, 200), (new, 200), (old, 401), (new, 200)):
        cpo.emsp_token = token
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == status


async def test_a_rotation_whose_outcome_is_unknown_leaves_both_tokens_good(emsp: Emsp, cpo: ScriptedCpo) -> None:
    await emsp.register(cpo)
    old = cpo.emsp_token
    cpo.on("credentials", html(502))
    response = await emsp.admin("POST", "connections/virta/rotate")
    assert (response.status_code, response.json()["code"]) == (502, "cpo_unreachable")
    new = cpo.received("credentials")[-1].body["token"]
    for token in (old, new):
        cpo.emsp_token = token
        assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).status_code == 200


async def test_what_is_not_connected_cannot_be_rotated(emsp: Emsp, cpo: ScriptedCpo) -> None:
    response = await emsp.admin("POST", "connections/virta/rotate")
    assert (response.status_code, response.json()["code"]) == (404, "connection_not_found")
    await emsp.admin("POST", "invite", {"cpo_name": "virta"})
    response = await emsp.admin("POST", "connections/virta/rotate")
    assert (response.status_code, response.json()["code"]) == (409, "connection_not_active")


async def test_the_form_of_the_token_is_found_out_and_remembered(emsp: Emsp, cpo: ScriptedCpo) -> None:
    await emsp.register(cpo)
    async with emsp.services.database.read() as store:
        row = (await store.execute(select(connections))).one()
    assert (row.token_form, row.sends_token_form) == (None, "raw")  # raw is 2.1.1's own
    # The first call could not know the version: it was refused in Base64, and accepted raw.
    forms = [wire.form_of_token(r.headers["authorization"], cpo.token_a) for r in cpo.received("versions")]
    assert forms == ["base64", "raw"]


async def test_a_tariff_of_211_is_patched_without_a_date(emsp: Emsp, cpo: ScriptedCpo) -> None:
    await emsp.register(cpo)
    assert (await cpo.call("PATCH", "tariffs/FI/VRT/T1", {"currency": "SEK"})).status_code == 200
    assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).json()["data"]["currency"] == "SEK"
    assert (await cpo.call("PATCH", "tariffs/FI/VRT/T9", {"currency": "SEK"})).status_code == 404
    wrong = (await cpo.call("PATCH", "tariffs/FI/VRT/T1", {"currency": "EURO"})).json()
    assert wrong["status_code"] == 2001
    await cpo.call("PUT", "tariffs/FI/VRT/T2", cpo.dialect.write("tariff", tariff(id="T2")))
    assert (await cpo.call("GET", "tariffs/FI/VRT/T2")).json()["data"]["id"] == "T2"


async def test_the_case_of_a_session_id_does_not_matter_and_its_spelling_is_kept(emsp: Emsp, cpo: ScriptedCpo) -> None:
    await emsp.register(cpo)
    session = cpo.session(id="Ab-1")
    assert (await cpo.push_session(session)).status_code == 201
    assert (await cpo.patch_session({**session, "id": "aB-1"}, {"kwh": 3})).status_code == 200
    data = (await cpo.call("GET", "sessions/FI/VRT/AB-1")).json()["data"]
    assert (data["id"], data["kwh"]) == ("Ab-1", 3)
    async with emsp.services.database.read() as store:
        assert (await store.execute(select(ocpi_sessions.c.id))).scalars().all() == ["AB-1"]


async def test_a_list_without_envelope_is_taken_as_it_is(emsp: Emsp, cpo: ScriptedCpo) -> None:
    bare = wire.dumps([cpo.dialect.write("tariff", tariff(id="BARE"))])
    cpo.on("tariffs", Step(raw=bare))
    assert (await emsp.register(cpo)).status_code == 201
    assert (await cpo.call("GET", "tariffs/FI/VRT/BARE")).status_code == 200
