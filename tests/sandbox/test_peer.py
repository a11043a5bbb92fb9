"""The sandbox as an OCPI peer that behaves."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from charging.ocpi import wire
from charging.ocpi.models import Cdr, Location, Session, Tariff
from tests.sandbox.emsp import TOKEN_A, TOKEN_B, Emsp, sandbox
from tests.waiting import eventually


async def test_token_a_shows_versions_and_endpoints(emsp: Emsp) -> None:
    headers = {"Authorization": wire.encode_token(TOKEN_A)}
    versions = (await emsp.http.get(f"{emsp.cpo_url}/ocpi/versions", headers=headers)).json()["data"]
    assert [v["version"] for v in versions] == ["2.3.0", "2.2.1", "2.1.1"]
    details = (await emsp.http.get(versions[1]["url"], headers=headers)).json()["data"]
    assert {(e["identifier"], e["role"]) for e in details["endpoints"]} == {
        ("credentials", "SENDER"),
        ("locations", "SENDER"),
        ("tariffs", "SENDER"),
        ("sessions", "SENDER"),
        ("cdrs", "SENDER"),
        ("tokens", "RECEIVER"),
        ("commands", "RECEIVER"),
        ("chargingprofiles", "RECEIVER"),
    }


async def test_token_a_opens_nothing_else(emsp: Emsp) -> None:
    emsp.token = TOKEN_A
    answer = await emsp.call("GET", "/locations")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Token"


async def test_after_the_handshake_we_have_a_token_of_our_own_and_they_are_virta(emsp: Emsp) -> None:
    ours = (await emsp.call("GET", "/credentials")).json()["data"]
    assert ours["token"] == emsp.token
    assert ours["roles"] == [
        {"role": "CPO", "business_details": {"name": "Virta"}, "party_id": "VRT", "country_code": "FI"}
    ]


async def test_a_raw_token_is_understood_too(emsp: Emsp) -> None:
    url = f"{emsp.cpo_url}/ocpi/cpo/2.2.1/tariffs"
    assert (await emsp.http.get(url, headers={"Authorization": f"Token {emsp.token}"})).status_code == 200


async def test_registering_twice_is_refused_and_renewing_gives_a_new_token(emsp: Emsp) -> None:
    assert (await emsp.call("POST", "/credentials", json=emsp.credentials())).status_code == 405
    renewed = (await emsp.call("PUT", "/credentials", json=emsp.credentials())).json()["data"]["token"]
    assert renewed != emsp.token
    assert (await emsp.call("GET", "/tariffs")).status_code == 401


async def test_an_engine_that_lost_its_store_registers_again_with_token_a(emsp: Emsp) -> None:
    former, emsp.token = emsp.token, TOKEN_A
    await emsp.register()
    assert emsp.token != former
    assert (await emsp.call("GET", "/tariffs")).status_code == 200


async def test_unregistering_forgets_the_peer(emsp: Emsp) -> None:
    assert (await emsp.call("DELETE", "/credentials")).status_code == 200
    assert (await emsp.call("GET", "/tariffs")).status_code == 401
    emsp.token = TOKEN_A
    assert (await emsp.call("DELETE", "/credentials")).status_code == 405


@pytest.mark.parametrize(
    ("versions", "code"),
    [([{"version": "2.1.1", "url": "http://x/"}], 3002), ("nonsense", 3001), ([{"version": "2.2.1", "url": ""}], 3001)],
)
async def test_a_handshake_with_an_api_that_cannot_be_used_fails(emsp: Emsp, versions: object, code: int) -> None:
    emsp.token, emsp.versions = TOKEN_A, versions
    answer = await emsp.call("POST", "/credentials", json=emsp.credentials())
    assert (answer.status_code, answer.json()["status_code"]) == (200, code)


async def test_requests_and_answers_carry_the_same_ids(emsp: Emsp) -> None:
    headers = {
        "Authorization": wire.encode_token(emsp.token),
        "X-Request-ID": "r1",
        "X-Correlation-ID": "c1",
        **wire.routing_headers(wire.Party("FI", "RBT"), wire.Party("FI", "VRT")),
    }
    answer = await emsp.http.get(f"{emsp.cpo_url}/ocpi/cpo/2.2.1/tariffs", headers=headers)
    assert (answer.headers["x-request-id"], answer.headers["x-correlation-id"]) == ("r1", "c1")
    assert (answer.headers["ocpi-from-party-id"], answer.headers["ocpi-to-party-id"]) == ("VRT", "RBT")


async def test_the_location_has_the_two_chargers_of_the_design(emsp: Emsp) -> None:
    location = Location.model_validate((await emsp.pulled("locations"))[0])
    evses = {evse.evse_id: evse for evse in location.evses}
    assert location.time_zone == "Europe/Helsinki"
    assert location.operator is not None
    assert location.operator.name == "Virta"
    ccs, type2 = evses["FI*VRT*E12345"], evses["FI*VRT*E12346"]
    assert (ccs.uid, ccs.connectors[0].standard, ccs.connectors[0].max_electric_power) == (
        "3256",
        "IEC_62196_T2_COMBO",
        150_000,
    )
    assert (type2.uid, type2.connectors[0].power_type, type2.connectors[0].max_amperage) == ("3257", "AC_3_PHASE", 32)
    assert {"CHARGING_PROFILE_CAPABLE", "REMOTE_START_STOP_CAPABLE"} <= set(ccs.capabilities) & set(type2.capabilities)
    assert len(evses) == 13
    assert evses["FI*VRT*E12350"].status == "OUTOFORDER"
    assert len(evses["FI*VRT*E12351"].connectors) == 2
    assert "CHARGING_PROFILE_CAPABLE" not in evses["FI*VRT*E12349"].capabilities


async def test_a_location_an_evse_and_a_connector_can_be_asked_for(emsp: Emsp) -> None:
    assert (await emsp.call("GET", "/locations/LOC1")).json()["data"]["id"] == "LOC1"
    assert (await emsp.call("GET", "/locations/LOC1/3256")).json()["data"]["evse_id"] == "FI*VRT*E12345"
    assert (await emsp.call("GET", "/locations/LOC1/3256/1")).json()["data"]["id"] == "1"
    missing = await emsp.call("GET", "/locations/LOC1/9999")
    assert (missing.status_code, missing.json()["status_code"]) == (404, 2003)


async def test_tariffs_have_a_day_and_a_night_price(emsp: Emsp) -> None:
    tariffs = [Tariff.model_validate(tariff) for tariff in await emsp.pulled("tariffs")]
    assert {tariff.id for tariff in tariffs} == {"VRT-DC", "VRT-AC"}


async def test_lists_come_in_pages_that_keep_the_filters(tmp_path: Path) -> None:
    async with sandbox(tmp_path, page_size=1) as emsp:
        first = await emsp.call("GET", "/tariffs", params={"date_from": "2025-01-01T00:00:00Z", "limit": 20})
        assert (first.headers["x-total-count"], first.headers["x-limit"]) == ("2", "1")
        link = wire.next_link(first.headers["link"])
        assert link is not None
        assert "date_from=2025-01-01T00%3A00%3A00Z" in link
        second = await emsp.http.get(link, headers={"Authorization": wire.encode_token(emsp.token)})
        assert "link" not in second.headers
        assert {page.json()["data"][0]["id"] for page in (first, second)} == {"VRT-DC", "VRT-AC"}
        late = await emsp.call("GET", "/tariffs", params={"date_from": "2030-01-01T00:00:00Z"})
        assert late.json()["data"] == []


async def test_sessions_are_listed_only_from_a_date(emsp: Emsp) -> None:
    assert (await emsp.call("GET", "/sessions")).json()["status_code"] == 2001
    assert (await emsp.call("GET", "/sessions", params={"date_from": "soon"})).json()["status_code"] == 2001
    answer = await emsp.call("GET", "/sessions", params={"date_from": "2026-01-01T00:00:00Z", "offset": "x"})
    assert answer.json()["status_code"] == 2001


async def test_tokens_can_be_pushed_changed_and_shown(emsp: Emsp) -> None:
    token = emsp.start_body()["token"]
    path = "/tokens/FI/RBT/UID1"
    assert (await emsp.call("PUT", path, json=token)).status_code == 201
    assert (await emsp.call("PUT", path, json=token)).status_code == 200
    assert (await emsp.call("PATCH", path, json={"valid": False})).json()["status_code"] == 2001
    change = {"valid": False, "last_updated": "2026-02-01T00:00:00Z"}
    assert (await emsp.call("PATCH", path, json=change)).json()["status_code"] == 1000
    assert (await emsp.call("GET", path)).json()["data"]["valid"] is False
    assert (await emsp.call("GET", "/tokens/FI/RBT/UID2")).status_code == 404
    assert (await emsp.call("PATCH", "/tokens/FI/RBT/UID2", json=change)).status_code == 404
    assert (await emsp.call("PUT", "/tokens/FI/XXX/UID1", json=token)).status_code == 404
    assert (await emsp.call("PUT", "/tokens/FI/RBT/UID2", json=token)).json()["status_code"] == 2001


async def test_one_session_from_start_to_cdr(emsp: Emsp) -> None:
    """PENDING, ACTIVE, updates, the STOP, COMPLETED, CDR: in this order, and the CDR is the session's."""
    session_id = await emsp.charging()
    await emsp.updates(2)
    assert await emsp.stop(session_id) == "ACCEPTED"
    done = Session.model_validate((await emsp.seen("COMPLETED")).body)
    cdr = Cdr.model_validate((await emsp.until("cdrs")).body)
    await emsp.until("result", 2)

    words = [word for word in emsp.order() if not word.startswith("result")]
    assert words == ["PENDING", "ACTIVE", *["PATCH"] * (len(words) - 4), "COMPLETED", "CDR"]
    assert emsp.results == ["ACCEPTED", "ACCEPTED"]
    assert cdr.session_id == done.id == session_id
    assert cdr.authorization_reference == done.authorization_reference == "REF"
    assert cdr.cdr_token.uid == "UID1"
    assert cdr.total_energy == done.kwh > 0
    assert cdr.total_cost == done.total_cost
    assert cdr.cdr_location.evse_id == "FI*VRT*E12345"
    energy = sum(d.volume for p in cdr.charging_periods for d in p.dimensions if d.type == "ENERGY")
    assert energy == cdr.total_energy
    prices = {
        Decimal(component["price"])
        for element in cdr.tariffs[0]["elements"]
        for component in element["price_components"]
        if component["type"] == "ENERGY"
    }
    assert cdr.total_cost.excl_vat in {round_half_up(energy * price) for price in prices}


async def test_pushes_are_signed_and_routed(emsp: Emsp) -> None:
    await emsp.charging()
    push = emsp.sessions("ACTIVE")[0]
    assert wire.token_candidates(push.headers["authorization"])[0] == TOKEN_B
    assert (push.headers["ocpi-from-party-id"], push.headers["ocpi-to-party-id"]) == ("VRT", "RBT")
    assert push.headers["x-request-id"] != push.headers["x-correlation-id"]
    assert push.path.startswith("/sessions/FI/VRT/")


async def test_updates_say_energy_since_the_last_one_power_and_state_of_charge(emsp: Emsp) -> None:
    await emsp.charging()
    first, second, *_ = await emsp.updates(2)
    dimensions = {d["type"]: d["volume"] for d in second.body["charging_periods"][0]["dimensions"]}
    assert dimensions["ENERGY"] == second.body["kwh"] - first.body["kwh"] > 0
    assert dimensions["POWER"] == 9000
    assert dimensions["STATE_OF_CHARGE"] > 20
    assert second.body["total_cost"]["incl_vat"] > second.body["total_cost"]["excl_vat"] > 0


async def test_a_patch_that_is_refused_is_followed_by_the_whole_object(emsp: Emsp) -> None:
    await emsp.charging()
    before = len(emsp.sessions("ACTIVE"))
    emsp.answers["sessions"] = 404
    await emsp.seen("ACTIVE", before + 1)
    assert [m.method for m in emsp.of("sessions")][-2:] == ["PATCH", "PUT"]


async def test_pushes_that_failed_are_not_replayed_but_can_be_pulled(emsp: Emsp) -> None:
    emsp.answers |= {"sessions": 500, "cdrs": 500}
    await emsp.start()
    await emsp.seen("ACTIVE")
    session_id = (await emsp.pulled("sessions"))[0]["id"]
    await emsp.stop(session_id)
    await emsp.until("cdrs")
    await emsp.silence(0.3)
    assert [len(emsp.of("cdrs")), len(emsp.sessions("COMPLETED"))] == [1, 1]
    assert [s["status"] for s in await emsp.pulled("sessions")] == ["COMPLETED"]
    assert [c["session_id"] for c in await emsp.pulled("cdrs")] == [session_id]


async def test_the_list_shows_the_present_meter(emsp: Emsp) -> None:
    await emsp.charging()
    first = (await emsp.pulled("sessions"))[0]
    second = (await emsp.pulled("sessions"))[0]
    assert second["kwh"] > first["kwh"] > 0
    Session.model_validate(second)


async def test_a_full_car_ends_its_session_after_parking(tmp_path: Path) -> None:
    async with sandbox(tmp_path, speed=6000) as emsp:
        await emsp.admin("car", evse="FI-VRT-E12345", soc=0.9)
        await emsp.charging()
        done = await emsp.seen("COMPLETED")
        cdr = (await emsp.until("cdrs")).body
        assert done.body["kwh"] == cdr["total_energy"] == Decimal("7.7")
        assert cdr["total_parking_time"] > 0
        assert cdr["total_parking_cost"]["excl_vat"] == Decimal("0.1")  # one started minute
        record = (await emsp.records())["sessions"][0]
        assert record["sandbox"]["end_reason"] == "FULL"
        powers = [
            d["volume"]
            for m in await emsp.updates()
            for d in m.body["charging_periods"][0]["dimensions"]
            if d["type"] == "POWER"
        ]
        assert powers[-1] == 0


async def test_a_profile_is_obeyed_and_cleared(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    assert await emsp.limit(session_id, 11_000) == "ACCEPTED"
    await emsp.until("result", 2)
    await eventually(lambda: _power(emsp) == 660)
    assert await emsp.unlimit(session_id) == "ACCEPTED"
    await eventually(lambda: _power(emsp) == 9000)
    assert [call["kind"] for call in (await emsp.records())["profiles"]] == ["SET_PROFILE", "CLEAR_PROFILE"]


def round_half_up(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _power(emsp: Emsp) -> float:
    periods = [m.body["charging_periods"][0] for m in emsp.of("sessions") if m.method == "PATCH"]
    return next((d["volume"] for d in periods[-1]["dimensions"] if d["type"] == "POWER"), -1) if periods else -1


async def test_the_active_profile_is_shown_or_what_the_evse_can_do(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    assert await emsp.show_limit(session_id) == "ACCEPTED"
    await emsp.until("result", 2)
    await emsp.limit(session_id, 7_400)
    await emsp.until("result", 3)
    await emsp.show_limit(session_id)
    await emsp.until("result", 4)
    shown = [m.body["profile"]["charging_profile"] for m in emsp.of("result") if "profile" in m.body]
    assert [p["charging_profile_period"][0]["limit"] for p in shown] == [150_000, 7_400]


async def test_profiles_need_an_evse_that_takes_them_a_live_session_and_sense(emsp: Emsp) -> None:
    session_id = await emsp.charging("3260")
    assert await emsp.limit(session_id, 7_400) == "NOT_SUPPORTED"
    assert await emsp.limit("nobody", 7_400) == "UNKNOWN_SESSION"
    other = await emsp.charging("3256", "REF2")
    assert await emsp.limit(other, -1) == "ACCEPTED"
    await eventually(lambda: emsp.results[-1] == "REJECTED")
    missing = await emsp.call("DELETE", f"/chargingprofiles/{other}")
    assert missing.json()["status_code"] == 2001


async def test_the_same_start_twice_is_two_sessions(emsp: Emsp) -> None:
    """So that an engine which starts twice is found out."""
    await emsp.start()
    await emsp.start()
    await emsp.seen("ACTIVE", 2)
    records = await emsp.records()
    assert [start["authorization_reference"] for start in records["starts"]] == ["REF", "REF"]
    assert len({session["id"] for session in records["sessions"]}) == 2


async def test_another_start_at_a_busy_evse_is_told_so(emsp: Emsp) -> None:
    await emsp.charging()
    assert await emsp.start("3256", "OTHER") == "ACCEPTED"
    await eventually(lambda: emsp.results[-1] == "EVSE_OCCUPIED")
    assert len((await emsp.records())["sessions"]) == 1


async def test_an_evse_out_of_order_says_so(emsp: Emsp) -> None:
    await emsp.start("3261")
    await emsp.until("result")
    assert emsp.results == ["EVSE_INOPERATIVE"]
    await emsp.admin("evse", evse="FI*VRT*E12350", status="AVAILABLE")
    await emsp.charging("3261", "REF2")


async def test_unknown_places_are_refused_with_2003_and_still_on_record(emsp: Emsp) -> None:
    for wrong in ({"evse_uid": "1"}, {"location_id": "LOC9"}, {"connector_id": "9"}):
        answer = await emsp.call("POST", "/commands/START_SESSION", json=emsp.start_body() | wrong)
        assert answer.json()["status_code"] == 2003
    assert len((await emsp.records())["starts"]) == 3


async def test_broken_commands_are_refused(emsp: Emsp) -> None:
    body = emsp.start_body()
    del body["token"]
    assert (await emsp.call("POST", "/commands/START_SESSION", json=body)).json()["status_code"] == 2001
    assert (await emsp.call("POST", "/commands/START_SESSION", content=b"{")).status_code == 400
    assert (await emsp.call("POST", "/commands/DANCE", json={})).status_code == 404


async def test_stopping_what_is_unknown_or_over(emsp: Emsp) -> None:
    assert await emsp.stop("nobody") == "UNKNOWN_SESSION"
    session_id = await emsp.charging()
    await emsp.stop(session_id)
    await emsp.seen("COMPLETED")
    assert await emsp.stop(session_id) == "UNKNOWN_SESSION"
    assert len((await emsp.records())["stops"]) == 3


async def test_pulling_the_plug_ends_the_session_and_a_start_then_waits_for_a_car(emsp: Emsp) -> None:
    await emsp.charging()
    await emsp.admin("unplug", evse="FI*VRT*E12345")
    await emsp.seen("COMPLETED")
    assert (await emsp.records())["sessions"][0]["sandbox"]["end_reason"] == "UNPLUGGED"
    await emsp.start("3256", "REF2")
    await emsp.until("result", 2)
    await emsp.silence()
    assert len(emsp.sessions("PENDING")) == 1
    await emsp.admin("plug", evse="FI*VRT*E12345")
    await emsp.seen("ACTIVE", 2)


async def test_the_charger_can_end_a_session(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    await emsp.admin("end", session_id=session_id, reason="POWER_CUT")
    await emsp.seen("COMPLETED")
    assert (await emsp.records())["sessions"][0]["sandbox"]["end_reason"] == "POWER_CUT"
    missing = await emsp.http.post(f"{emsp.cpo_url}/admin/end", json={"session_id": "x"})
    assert missing.status_code == 404


async def test_cars_can_be_chosen(emsp: Emsp) -> None:
    cars = await emsp.admin("car", capacity_kwh=40, max_ac_kw=11)
    assert {car["capacity_kwh"] for car in cars.values()} == {40}
    await emsp.admin("car", evse="3257", soc=0.5)
    await emsp.charging("3257")
    record = (await emsp.records())["sessions"][0]["sandbox"]
    assert record["power_kw"] == 660
    assert record["state_of_charge"] >= 50
    unknown = await emsp.http.post(f"{emsp.cpo_url}/admin/car", json={"evse": "FI*VRT*E1"})
    assert unknown.status_code == 404


async def test_the_status_of_an_evse_is_pushed(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    await eventually(lambda: [m.body["status"] for m in emsp.of("locations")] == ["CHARGING"])
    await emsp.stop(session_id)
    await eventually(lambda: [m.body["status"] for m in emsp.of("locations")] == ["CHARGING", "AVAILABLE"])
    assert emsp.of("locations")[0].path == "/locations/FI/VRT/LOC1/3256"


async def test_an_emsp_sees_its_own_sessions_only(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    emsp.token = TOKEN_A
    other = await emsp.call("POST", "/credentials", json=emsp.credentials(party_id="XYZ"))
    emsp.token = other.json()["data"]["token"]
    assert await emsp.pulled("sessions") == []
    assert await emsp.stop(session_id) == "UNKNOWN_SESSION"


async def test_health(emsp: Emsp) -> None:
    assert (await emsp.http.get(f"{emsp.cpo_url}/healthz")).json() == {"status": "ok"}


async def test_times_on_the_wire_are_utc_with_a_z(emsp: Emsp) -> None:
    await emsp.charging()
    body = emsp.sessions("ACTIVE")[0].body
    assert body["start_date_time"].endswith("Z")
    assert len(body["start_date_time"]) <= 25
    assert abs((wire.parse_datetime(body["last_updated"]) - datetime.now(UTC)).total_seconds()) < 5
