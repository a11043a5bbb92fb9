"""One CPO, three versions of OCPI: whoever registered at one is spoken to in that one."""

from pathlib import Path
from typing import Any

import pytest

from charging.ocpi import wire
from tests.sandbox.emsp import TOKEN_A, TOKEN_B, Emsp, sandbox
from tests.waiting import eventually

VERSIONS = ("2.1.1", "2.2.1", "2.3.0")


async def _listed(emsp: Emsp) -> list[str]:
    headers = {"Authorization": wire.encode_token(TOKEN_A)}
    answer = await emsp.http.get(f"{emsp.cpo_url}/ocpi/versions", headers=headers)
    return [version["version"] for version in answer.json()["data"]]


async def test_the_versions_on_offer_can_be_limited_and_who_is_registered_stays_so(emsp: Emsp) -> None:
    assert await _listed(emsp) == ["2.3.0", "2.2.1", "2.1.1"]
    assert await emsp.admin("versions", versions=["2.1.1"]) == {"versions": ["2.1.1"]}
    assert await _listed(emsp) == ["2.1.1"]
    assert (await emsp.call("GET", "/tariffs")).status_code == 200
    assert (await emsp.call("PUT", "/credentials", json=emsp.credentials())).status_code == 404


async def test_a_limit_on_versions_survives_a_restart(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as emsp:
        await emsp.admin("versions", versions=["2.2.1"])
    async with sandbox(tmp_path) as emsp:
        assert await _listed(emsp) == ["2.2.1"]


async def test_versions_can_be_limited_from_the_start(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1", versions="2.1.1, 2.2.1") as emsp:
        assert await _listed(emsp) == ["2.1.1", "2.2.1"]


@pytest.mark.parametrize("versions", [[], ["2.0"], "2.2.1"])
async def test_versions_that_are_not_spoken_cannot_be_offered(emsp: Emsp, versions: Any) -> None:
    answer = await emsp.http.post(f"{emsp.cpo_url}/admin/versions", json={"versions": versions})
    assert answer.status_code == 422


async def test_a_peer_calls_in_the_version_that_it_registered_at_or_changes_it_by_renewing(emsp: Emsp) -> None:
    emsp.version = "2.3.0"
    assert (await emsp.call("GET", "/tariffs")).status_code == 404
    emsp.token = (await emsp.call("PUT", "/credentials", json=emsp.credentials())).json()["data"]["token"]
    assert (await emsp.call("GET", "/tariffs")).json()["data"][0]["tax_included"] == "NO"
    emsp.version = "1.0"
    assert (await emsp.call("GET", "/tariffs")).status_code == 404


@pytest.mark.parametrize("version", VERSIONS)
async def test_one_session_from_start_to_cdr(tmp_path: Path, version: str) -> None:
    async with sandbox(tmp_path, version) as emsp:
        assert await emsp.start() == "ACCEPTED"
        session_id = (await emsp.seen("ACTIVE")).body["id"]
        await emsp.updates(1)
        assert await emsp.stop(session_id) == "ACCEPTED"
        done = (await emsp.seen("COMPLETED")).body
        cdr = (await emsp.until("cdrs")).body
        await emsp.until("result", 2)
        assert emsp.results == ["ACCEPTED", "ACCEPTED"]
        assert cdr["total_energy"] == done["kwh"] > 0
        assert [session["id"] for session in await emsp.pulled("sessions")] == [session_id]
        assert wire.loads((await emsp.call("GET", "/cdrs")).content)["data"] == [cdr]
        assert (await emsp.records())["sessions"][0]["status"] == "COMPLETED"


async def test_in_211_a_session_and_a_cdr_hold_their_location_and_the_auth_id(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        await emsp.start("3262")
        session = (await emsp.seen("ACTIVE")).body
        assert {"start_datetime", "location", "auth_id"} <= set(session)
        assert not {"country_code", "cdr_token", "authorization_reference", "evse_uid"} & set(session)
        assert session["auth_id"] == "FI-RBT-C1"
        assert [(evse["uid"], len(evse["connectors"])) for evse in session["location"]["evses"]] == [("3262", 1)]
        assert session["location"]["evses"][0]["connectors"][0]["amperage"] == 300
        await emsp.stop(session["id"])
        done = (await emsp.seen("COMPLETED")).body
        cdr = (await emsp.until("cdrs")).body
        assert cdr["total_cost"] == done["total_cost"] > 0
        assert cdr["location"] == session["location"]
        assert {"stop_date_time", "auth_id"} <= set(cdr)
        assert not {"session_id", "total_energy_cost"} & set(cdr)


async def test_in_211_tokens_are_raw_and_nothing_is_routed(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        await emsp.start()
        push = await emsp.seen("ACTIVE")
        assert push.headers["authorization"] == f"Token {TOKEN_B}"
        assert not [name for name in push.headers if name.startswith("ocpi-") or name == "x-request-id"]
        url, encoded = f"{emsp.cpo_url}/ocpi/cpo/2.1.1/tariffs", wire.encode_token(emsp.token)
        assert (await emsp.http.get(url, headers={"Authorization": encoded})).status_code == 401


async def test_in_211_the_handshake_is_raw_too_and_credentials_are_flat(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        ours = (await emsp.call("GET", "/credentials")).json()["data"]
        assert (ours["party_id"], ours["country_code"], "roles" in ours) == ("VRT", "FI", False)
        await emsp.call("PUT", "/credentials", json=emsp.credentials())
        assert {m.headers["authorization"] for m in emsp.handshakes} == {f"Token {TOKEN_B}"}


async def test_211_has_no_charging_profiles_and_endpoints_without_roles(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        headers = {"Authorization": emsp.authorization}
        details = (await emsp.http.get(f"{emsp.cpo_url}/ocpi/2.1.1", headers=headers)).json()["data"]
        assert {(e["identifier"], e.get("role")) for e in details["endpoints"]} == {
            (module, None)
            for module in ("credentials", "locations", "tariffs", "sessions", "cdrs", "tokens", "commands")
        }
        assert (await emsp.call("PUT", "/chargingprofiles/x", json={})).status_code == 404


async def test_in_211_a_response_and_a_result_are_the_same_word_and_no_reasons(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        await emsp.start("3261")
        answer = await emsp.call("POST", "/commands/START_SESSION", json=emsp.start_body("3261"))
        assert answer.json()["data"] == {"result": "ACCEPTED"}
        await eventually(lambda: emsp.results == ["REJECTED", "REJECTED"])  # EVSE_INOPERATIVE elsewhere


async def test_in_211_another_start_is_told_by_its_token(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        await emsp.start()
        await emsp.seen("ACTIVE")
        await emsp.start(reference="R2", token=emsp.start_body()["token"] | {"uid": "UID2"})
        await emsp.until("result", 2)
        assert emsp.results == ["ACCEPTED", "REJECTED"]


async def test_in_211_tokens_can_be_pushed_changed_and_shown(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        token = emsp.start_body()["token"]
        path = "/tokens/FI/RBT/UID1"
        assert (await emsp.call("PUT", path, json=token)).status_code == 201
        change = {"valid": False, "auth_id": "FI-RBT-C2", "last_updated": "2026-02-01T00:00:00Z"}
        assert (await emsp.call("PATCH", path, json=change)).json()["status_code"] == 1000
        assert (await emsp.call("GET", path)).json()["data"] == token | change


async def test_in_211_the_status_of_an_evse_is_pushed(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        await emsp.start()
        assert (await emsp.until("locations")).body["status"] == "CHARGING"


async def test_in_230_prices_name_their_taxes(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.3.0") as emsp:
        session_id = await emsp.charging()
        await emsp.updates(2)
        await emsp.stop(session_id)
        cost = (await emsp.until("cdrs")).body["total_cost"]
        assert cost["before_taxes"] > 0
        assert [tax["amount"] > 0 for tax in cost["taxes"]] == [True]
        assert await emsp.limit(session_id, 7_400) == "UNKNOWN_SESSION"
