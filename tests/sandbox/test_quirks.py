"""Every quirk, seen from the eMSP: it is there for as long as it is on."""

import re
from pathlib import Path
from typing import Any

import pytest

from charging.ocpi import wire
from charging.sandbox.quirks import NO_SWITCH, Quirk
from tests.sandbox.emsp import TOKEN_A, TOKEN_B, Body, Emsp, sandbox
from tests.waiting import eventually

# ---- The book of quirks -------------------------------------------------------------------------------------------


def test_every_quirk_of_the_field_notes_can_be_switched_on_or_it_is_said_why_not() -> None:
    numbers = {quirk.value.rstrip("b") for quirk in Quirk if quirk is not Quirk.MUTE}
    assert numbers | set(NO_SWITCH) == {f"Q{number}" for number in range(1, 46)}
    assert not numbers & set(NO_SWITCH)


async def test_quirks_are_replaced_shown_and_explained(emsp: Emsp) -> None:
    assert (await emsp.admin("quirks", quirks=["Q21", "Q11"]))["quirks"] == ["Q21", "Q11"]
    shown = (await emsp.http.get(f"{emsp.cpo_url}/admin/quirks")).json()
    assert shown["quirks"] == ["Q21", "Q11"]
    assert shown["known"]["Q21"] == "ENERGY of charging periods in Wh"
    assert (await emsp.admin("quirks", quirks=[]))["quirks"] == []


@pytest.mark.parametrize("body", [{"quirks": ["Q46"]}, {"quirks": "Q1"}, {}, {"quirk": ["Q1"]}])
async def test_what_is_no_quirk_is_refused(emsp: Emsp, body: Body) -> None:
    assert (await emsp.http.post(f"{emsp.cpo_url}/admin/quirks", json=body)).status_code == 422


async def test_quirks_survive_a_restart(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as emsp:
        await emsp.quirks("Q8")
    async with sandbox(tmp_path) as emsp:
        assert (await emsp.http.get(f"{emsp.cpo_url}/admin/quirks")).json()["quirks"] == ["Q8"]


async def test_a_fault_acts_before_a_quirk_does(emsp: Emsp) -> None:
    await emsp.quirks("Q2")
    await emsp.fault("START_SESSION", "response", result="REJECTED")
    assert [await emsp.start(), await emsp.start()] == ["REJECTED", "ACCEPTED"]


# ---- Starting, and the life of a session --------------------------------------------------------------------------


async def test_q1_timeout_and_then_it_charges_time_after_time(emsp: Emsp) -> None:
    await emsp.quirks("Q1")
    await emsp.start()
    await emsp.start("3258", "R2")
    await emsp.seen("ACTIVE", 2)
    assert emsp.order()[:2] == ["result TIMEOUT", "result TIMEOUT"]


async def test_q2_accepted_twice_and_nothing_until_a_car_is_plugged_in(emsp: Emsp) -> None:
    await emsp.quirks("Q2")
    assert await emsp.start() == "ACCEPTED"
    await emsp.until("result")
    await emsp.silence(0.3)
    assert emsp.order() == ["result ACCEPTED"]
    await emsp.admin("plug", evse="3256")
    await emsp.seen("ACTIVE")


async def test_q3_the_session_takes_its_time(emsp: Emsp) -> None:
    await emsp.quirks("Q3")
    await emsp.start()
    await emsp.until("result")
    await emsp.silence(1)
    assert emsp.sessions() == []
    await emsp.seen("ACTIVE")


async def test_q4_pending_for_ever(emsp: Emsp) -> None:
    await emsp.quirks("Q4")
    await emsp.start()
    await emsp.seen("PENDING")
    await emsp.silence(0.3)
    assert emsp.sessions("ACTIVE") == []


async def test_q5_the_first_push_says_active(emsp: Emsp) -> None:
    await emsp.quirks("Q5")
    await emsp.charging()
    assert emsp.sessions()[0].body["status"] == "ACTIVE"


async def test_q5b_the_first_push_says_completed(emsp: Emsp) -> None:
    await emsp.quirks("Q5b")
    await emsp.start()
    await eventually(lambda: _is_listed(emsp, "ACTIVE"))
    await emsp.stop((await emsp.pulled("sessions"))[0]["id"])
    await emsp.seen("COMPLETED")
    assert len(emsp.sessions()) == 1


async def _is_listed(emsp: Emsp, status: str) -> bool:
    return [session["status"] for session in await emsp.pulled("sessions")] == [status]


async def test_q6_no_reference(emsp: Emsp) -> None:
    await emsp.quirks("Q6")
    done, cdr = await _charged(emsp)
    assert "authorization_reference" not in done.keys() | cdr.keys()
    assert done["cdr_token"]["uid"] == cdr["cdr_token"]["uid"] == "UID1"


async def test_q39_a_start_without_evse_is_rejected(emsp: Emsp) -> None:
    await emsp.quirks("Q39")
    body = {key: value for key, value in emsp.start_body().items() if key not in ("evse_uid", "connector_id")}
    answer = await emsp.call("POST", "/commands/START_SESSION", json=body)
    assert answer.json()["data"]["result"] == "REJECTED"
    assert [start["response"] for start in (await emsp.records())["starts"]] == ["REJECTED"]


async def test_q41_two_cpos_have_the_same_session_ids(tmp_path: Path) -> None:
    for number in range(2):
        async with sandbox(tmp_path / str(number)) as emsp:
            await emsp.quirks("Q41")
            assert await emsp.charging() == "1"
            assert await emsp.charging("3258", "R2") == "2"


async def test_q42_results_of_commands_at_one_evse_are_mixed_up(tmp_path: Path) -> None:
    async with sandbox(tmp_path, result_delay_s=0.3) as emsp:
        await emsp.quirks("Q42")
        await emsp.start(reference="R1")
        await emsp.start(reference="R2")
        await emsp.start("3258", reference="R3")
        await emsp.until("result", 3)
        paths = sorted(message.path.rpartition("/")[2] for message in emsp.of("result"))
        assert paths == ["R1", "R1", "R3"]


async def test_q44_plugged_in_and_not_drawing(emsp: Emsp) -> None:
    await emsp.quirks("Q44")
    session_id = await emsp.charging()
    assert {push.body["kwh"] for push in await emsp.updates(3)} == {0}
    await emsp.stop(session_id)
    assert (await emsp.until("cdrs")).body["total_energy"] == 0


async def test_mute_says_nothing_after_a_start_and_lists_it_late(emsp: Emsp) -> None:
    await emsp.quirks("MUTE")
    assert await emsp.start() == "ACCEPTED"
    await emsp.silence(1)
    assert await emsp.pulled("sessions") == []
    await eventually(lambda: _is_listed(emsp, "ACTIVE"))
    assert await emsp.stop((await emsp.pulled("sessions"))[0]["id"]) == "ACCEPTED"
    await eventually(lambda: emsp.pulled("cdrs"))
    assert emsp.order() == ["result ACCEPTED"]  # of the STOP


# ---- Calling and being called -------------------------------------------------------------------------------------


async def test_q8_tokens_are_sent_raw_in_the_handshake_too(emsp: Emsp) -> None:
    await emsp.quirks("Q8")
    emsp.token = (await emsp.call("PUT", "/credentials", json=emsp.credentials())).json()["data"]["token"]
    await emsp.charging()
    messages = [*emsp.handshakes[-2:], *emsp.received]
    assert {message.headers["authorization"] for message in messages} == {f"Token {TOKEN_B}"}


async def test_q8b_only_raw_tokens_are_understood(emsp: Emsp) -> None:
    await emsp.quirks("Q8b")
    assert (await emsp.call("GET", "/tariffs")).status_code == 401
    raw = {"Authorization": f"Token {emsp.token}"}
    assert (await emsp.http.get(f"{emsp.cpo_url}/ocpi/cpo/2.2.1/tariffs", headers=raw)).status_code == 200
    raw = {"Authorization": f"Token {TOKEN_A}"}
    assert (await emsp.http.get(f"{emsp.cpo_url}/ocpi/versions", headers=raw)).status_code == 200


async def test_q9_the_wrong_token(emsp: Emsp) -> None:
    await emsp.quirks("Q9")
    await emsp.charging()
    assert emsp.received[-1].headers["authorization"] == wire.encode_token(emsp.token)


async def test_q32_errors_of_ocpi_are_errors_of_http_and_the_other_way_round(emsp: Emsp) -> None:
    await emsp.quirks("Q32")
    wrong = await emsp.call("GET", "/sessions")
    assert (wrong.status_code, wrong.json()["status_code"]) == (400, 2001)
    missing = await emsp.call("GET", "/locations/LOC9")
    assert (missing.status_code, missing.json()["status_code"]) == (200, 2003)
    emsp.versions = "nonsense"
    failed = await emsp.call("PUT", "/credentials", json=emsp.credentials())
    assert (failed.status_code, failed.json()["status_code"]) == (500, 3001)


async def test_q34_no_routing_headers(emsp: Emsp) -> None:
    await emsp.quirks("Q34")
    await emsp.charging()
    headers = emsp.sessions("ACTIVE")[0].headers
    assert [name for name in headers if name.startswith("ocpi-")] == []
    routing = wire.routing_headers(wire.Party("FI", "RBT"), wire.Party("FI", "VRT"))
    url = f"{emsp.cpo_url}/ocpi/cpo/2.2.1/tariffs"
    answer = await emsp.http.get(url, headers={"Authorization": emsp.authorization, **routing})
    assert [name for name in answer.headers if name.startswith("ocpi-")] == []


async def test_q35_another_party_in_the_headers(emsp: Emsp) -> None:
    await emsp.quirks("Q35")
    await emsp.charging()
    push = emsp.sessions("ACTIVE")[0]
    assert (push.headers["ocpi-from-country-code"], push.headers["ocpi-from-party-id"]) == ("NL", "HUB")
    assert push.path.startswith("/sessions/FI/VRT/")
    assert push.body["party_id"] == "VRT"


async def test_q36_modules_are_found_with_a_slash_only(emsp: Emsp) -> None:
    await emsp.quirks("Q36")
    headers = {"Authorization": emsp.authorization}
    details = (await emsp.http.get(f"{emsp.cpo_url}/ocpi/2.2.1", headers=headers)).json()["data"]
    assert {endpoint["url"][-1] for endpoint in details["endpoints"]} == {"/"}
    assert (await emsp.call("GET", "/tariffs")).status_code == 404
    assert (await emsp.call("GET", "/tariffs/")).status_code == 200
    await emsp.charging()  # what is below a module is as ever


async def test_q37_no_limit_in_link(emsp: Emsp) -> None:
    await emsp.quirks("Q37")
    first = await emsp.call("GET", "/tariffs", params={"limit": 20, "date_from": "2025-01-01T00:00:00Z"})
    link = wire.next_link(first.headers["link"])
    assert link is not None
    assert "limit" not in link
    second = await emsp.http.get(link, headers={"Authorization": emsp.authorization})
    assert {page.json()["data"][0]["id"] for page in (first, second)} == {"VRT-DC", "VRT-AC"}
    assert "link" not in second.headers


async def test_q37b_a_page_that_links_to_itself(emsp: Emsp) -> None:
    await emsp.quirks("Q37b")
    answer = await emsp.call("GET", "/tariffs", params={"offset": 1})
    assert wire.next_link(answer.headers["link"]) == str(answer.request.url)


async def test_q45_no_pushes_at_all(emsp: Emsp) -> None:
    await emsp.quirks("Q45")
    await emsp.start()
    await eventually(lambda: _is_listed(emsp, "ACTIVE"))
    await emsp.stop((await emsp.pulled("sessions"))[0]["id"])
    await eventually(lambda: _is_listed(emsp, "COMPLETED"))
    await eventually(lambda: emsp.pulled("cdrs"))
    assert {message.kind for message in emsp.received} == {"result"}


# ---- How objects are written --------------------------------------------------------------------------------------


async def _charged(emsp: Emsp, evse_uid: str = "3256") -> tuple[Body, Body]:
    """The last push of a session, and its CDR."""
    assert await emsp.start(evse_uid) == "ACCEPTED"
    session_id = (await emsp.seen("ACTIVE")).body["id"]
    await emsp.updates(2)
    await emsp.stop(session_id)
    done = (await emsp.seen("COMPLETED")).body
    return done, (await emsp.until("cdrs")).body


def _dimensions(message: Body, kind: str) -> list[Any]:
    return [d["volume"] for p in message["charging_periods"] for d in p["dimensions"] if d["type"] == kind]


async def test_q7_auth_method_changes(emsp: Emsp) -> None:
    await emsp.quirks("Q7")
    _, cdr = await _charged(emsp)
    assert emsp.sessions("PENDING")[0].body["auth_method"] == "COMMAND"
    assert (await emsp.updates())[0].body["auth_method"] == cdr["auth_method"] == "WHITELIST"


async def test_q11_datetimes_without_z(emsp: Emsp) -> None:
    await emsp.quirks("Q11")
    done, cdr = await _charged(emsp)
    for message in (done, cdr, (await emsp.pulled("locations"))[0]):
        assert message["last_updated"].endswith("+00:00")
        assert not re.search(r"\dZ\b", str(message))
    assert abs(wire.parse_datetime(done["end_date_time"]) - wire.parse_datetime(cdr["end_date_time"])).seconds == 0


async def test_q12_opening_hours(emsp: Emsp) -> None:
    await emsp.quirks("Q12")
    times = (await emsp.pulled("locations"))[0]["opening_times"]
    assert "twentyfourseven" not in times
    assert times["regular_hours"][0]["period_begin"] == "9:00"


async def test_q13_a_patch_repeats_all_periods(emsp: Emsp) -> None:
    await emsp.quirks("Q13")
    await emsp.charging()
    starts = [{p["start_date_time"] for p in m.body["charging_periods"]} for m in await emsp.updates(3)]
    assert starts[0] <= starts[1] <= starts[2]


async def test_q14_the_status_of_an_evse_comes_with_its_location(emsp: Emsp) -> None:
    await emsp.quirks("Q14")
    await emsp.charging()
    push = await emsp.until("locations")
    assert (push.method, push.path) == ("PATCH", "/locations/FI/VRT/LOC1")
    assert [(evse["uid"], evse["status"]) for evse in push.body["evses"]] == [("3256", "CHARGING")]


async def test_q15_everything_has_just_changed(emsp: Emsp) -> None:
    since = {"date_from": "2026-06-01T00:00:00Z"}
    assert (await emsp.call("GET", "/tariffs", params=since)).json()["data"] == []
    await emsp.quirks("Q15")
    assert len((await emsp.call("GET", "/tariffs", params=since)).json()["data"]) == 2
    location = (await emsp.call("GET", "/locations", params=since)).json()["data"][0]
    assert {evse["last_updated"] for evse in location["evses"]} == {location["last_updated"]}


async def test_q16_an_evse_vanishes(emsp: Emsp) -> None:
    await emsp.quirks("Q16")
    evses = (await emsp.pulled("locations"))[0]["evses"]
    assert len(evses) == 12
    assert "FI*VRT*E12356" not in {evse["evse_id"] for evse in evses}
    assert (await emsp.call("GET", "/locations/LOC1/3267")).status_code == 404


async def test_q17_one_uid_at_two_locations(emsp: Emsp) -> None:
    await emsp.quirks("Q17")
    locations = await emsp.pulled("locations")
    found = {(one["id"], evse["status"]) for one in locations for evse in one["evses"] if evse["uid"] == "3256"}
    assert found == {("LOC1", "AVAILABLE"), ("LOC0", "REMOVED")}
    assert (await emsp.call("GET", "/locations/LOC0/3256")).json()["data"]["status"] == "REMOVED"


@pytest.mark.parametrize(("quirk", "number"), [("Q18", 13), ("Q18b", 0)])
async def test_q18_in_211_all_evses_or_none(tmp_path: Path, quirk: str, number: int) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        await emsp.quirks(quirk)
        done, cdr = await _charged(emsp)
        assert [len(message["location"].get("evses", [])) for message in (done, cdr)] == [number, number]


async def test_q19_no_evse_id(emsp: Emsp) -> None:
    await emsp.quirks("Q19")
    _, cdr = await _charged(emsp)
    assert cdr["cdr_location"]["evse_id"] == "#NA"
    assert [evse for evse in (await emsp.pulled("locations"))[0]["evses"] if "evse_id" in evse] == []


async def test_q20_dashes(emsp: Emsp) -> None:
    await emsp.quirks("Q20")
    _, cdr = await _charged(emsp)
    assert cdr["cdr_location"]["evse_id"] == "FI-VRT-E12345"
    assert (await emsp.pulled("locations"))[0]["evses"][0]["evse_id"] == "FI-VRT-E12345"


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
async def test_q21_watt_hours(tmp_path: Path, version: str) -> None:
    async with sandbox(tmp_path, version) as emsp:
        await emsp.quirks("Q21")
        done, cdr = await _charged(emsp)
        assert sum(_dimensions(done, "ENERGY")) == done["kwh"] * 1000 > 0
        assert sum(_dimensions(cdr, "ENERGY")) == cdr["total_energy"] * 1000


async def test_q22_import_and_export(emsp: Emsp) -> None:
    await emsp.quirks("Q22")
    done, _ = await _charged(emsp)
    assert set(_dimensions(done, "ENERGY_IMPORT")) == {done["kwh"]}


async def test_q23_the_running_total_differs_from_the_bill(emsp: Emsp) -> None:
    await emsp.quirks("Q23")
    done, cdr = await _charged(emsp)
    assert done["total_cost"]["excl_vat"] * 2 == cdr["total_cost"]["excl_vat"] > 0


async def test_q24_no_component_costs(emsp: Emsp) -> None:
    await emsp.quirks("Q24")
    _, cdr = await _charged(emsp)
    assert [name for name in cdr if name.endswith("_cost")] == ["total_cost"]


async def test_q25_priced_by_the_hub(emsp: Emsp) -> None:
    await emsp.quirks("Q25")
    done, cdr = await _charged(emsp)
    assert done["total_cost"]["excl_vat"] == cdr["total_cost"]["excl_vat"] == 0
    assert cdr["remark"].startswith("[*]")
    assert cdr["total_energy"] > 0


async def test_q26_what_is_free_has_no_cdr(emsp: Emsp) -> None:
    await emsp.quirks("Q26", "Q44")
    session_id = await emsp.charging()
    await emsp.stop(session_id)
    await emsp.seen("COMPLETED")
    await emsp.silence(0.3)
    assert emsp.of("cdrs") == await emsp.pulled("cdrs") == []


async def test_q27_another_tariff_than_the_list_has(emsp: Emsp) -> None:
    await emsp.quirks("Q27")
    _, cdr = await _charged(emsp)
    listed = {tariff["id"]: tariff for tariff in await emsp.pulled("tariffs")}
    tariff = cdr["tariffs"][0]
    assert tariff["id"] not in listed
    day = [element["price_components"][0]["price"] for element in tariff["elements"]]
    true = [element["price_components"][0]["price"] for element in listed["VRT-DC"]["elements"]]
    assert [float(price) for price in day] == pytest.approx([price * 1.25 for price in true])


@pytest.mark.parametrize(("quirk", "factor"), [("Q30", 1), ("Q30b", 0)])
async def test_q30_credit_and_correction(emsp: Emsp, quirk: str, factor: int) -> None:
    await emsp.quirks(quirk)
    _, cdr = await _charged(emsp)
    await emsp.until("cdrs", 2 + factor)
    await emsp.silence(0.2)
    cdrs = [message.body for message in emsp.of("cdrs")]
    assert [one.get("credit") for one in cdrs] == [None, True, None][: 2 + factor]
    assert cdrs[1]["credit_reference_id"] == cdr["id"]
    assert len({one["id"] for one in cdrs}) == 2 + factor
    assert sum(one["total_cost"]["incl_vat"] for one in cdrs) == factor * cdr["total_cost"]["incl_vat"]
    assert [one["id"] for one in await emsp.pulled("cdrs")] == [one["id"] for one in cdrs]


async def test_q38_values_that_nobody_knows(emsp: Emsp) -> None:
    await emsp.quirks("Q38")
    done, cdr = await _charged(emsp)
    assert done["auth_method"] == cdr["auth_method"] == "TELEPATHY"
    assert _dimensions(cdr, "MOONLIGHT")
    evses = (await emsp.pulled("locations"))[0]["evses"]
    assert {connector["standard"] for evse in evses for connector in evse["connectors"]} == {"TURBO_PLUG"}
    assert all("TELEPATHY" in evse["capabilities"] for evse in evses)
    assert {"MELTED", "AVAILABLE"} <= {evse["status"] for evse in evses}


async def test_q40_authorization_id(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        await emsp.quirks("Q40")
        assert await emsp.start(authorization_id="GIR1") == "ACCEPTED"
        session = (await emsp.seen("ACTIVE")).body
        await emsp.stop(session["id"])
        cdr = (await emsp.until("cdrs")).body
        assert session["authorization_id"] == cdr["authorization_id"] == "GIR1"


async def test_behaving_again(emsp: Emsp) -> None:
    await emsp.quirks(*(quirk for quirk in Quirk if quirk is not Quirk.ONLY_RAW_TOKEN))
    await emsp.quirks()
    done, cdr = await _charged(emsp)
    assert done["total_cost"] == cdr["total_cost"]
