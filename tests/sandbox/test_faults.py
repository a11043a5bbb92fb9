"""Every fault, seen from the eMSP: it happens, and only as often as it was asked for."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from charging.ocpi.models import Session
from charging.sandbox.faults import CALLS, COMMANDS, SESSION_PUSHES, Fault, kinds_at
from tests.sandbox.emsp import Emsp, sandbox
from tests.waiting import eventually

# ---- The book of faults -------------------------------------------------------------------------------------------


async def test_faults_are_added_listed_replaced_and_cleared(emsp: Emsp) -> None:
    url = f"{emsp.cpo_url}/admin/faults"
    two = [{"when": "cdr", "kind": "drop"}, {"when": "session.active", "kind": "drop", "evse": "FI-VRT-E12346"}]
    listed = (await emsp.http.post(url, json=two)).json()
    assert [(f["when"], f.get("evse")) for f in listed] == [("CDR", None), ("SESSION_ACTIVE", "3257")]
    assert len((await emsp.http.put(url, json={"when": "CDR", "kind": "late"})).json()) == 1
    assert (await emsp.http.delete(url)).json() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"when": "CDR", "kind": "reset"},
        {"when": "NEVER", "kind": "drop"},
        {"when": "STOP_SESSION", "kind": "response"},
        {"when": "CDR", "kind": "drop", "evse": "FI*VRT*E1"},
        {"when": "CDR", "kind": "drop", "colour": "red"},
        {"kind": "drop"},
    ],
)
async def test_impossible_faults_are_refused(emsp: Emsp, fault: dict[str, Any]) -> None:
    answer = await emsp.http.post(f"{emsp.cpo_url}/admin/faults", json=fault)
    assert answer.status_code == 422


async def test_what_is_no_json_is_refused(emsp: Emsp) -> None:
    assert (await emsp.http.post(f"{emsp.cpo_url}/admin/faults", content=b"[")).status_code == 400


async def test_a_fault_acts_as_often_as_it_says_after_it_let_some_chances_pass(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "response", result="REJECTED", times=2, skip=1)
    answers = [await emsp.start(reference=f"R{number}") for number in range(4)]
    assert answers == ["ACCEPTED", "REJECTED", "REJECTED", "ACCEPTED"]


async def test_a_fault_without_number_acts_for_ever_and_one_at_an_evse_only_there(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "response", result="REJECTED", times=None, evse="3257")
    answers = [await emsp.start(evse, f"R{n}") for n, evse in enumerate(("3257", "3256", "3257", "3257"))]
    assert answers == ["REJECTED", "ACCEPTED", "REJECTED", "REJECTED"]


def test_every_kind_can_happen_somewhere() -> None:
    somewhere = set().union(*(kinds_at(when) for when in CALLS | SESSION_PUSHES | {"CDR", "SESSION"}))
    kinds = Fault.model_fields["kind"].annotation
    assert somewhere == set(kinds.__args__)  # type: ignore[union-attr] # a Literal
    assert kinds_at("NOWHERE") == frozenset()


# ---- Answers that are spoiled -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_http_errors(emsp: Emsp, status: int) -> None:
    await emsp.fault("START_SESSION", "http", status=status)
    answer = await emsp.call("POST", "/commands/START_SESSION", json=emsp.start_body())
    assert answer.status_code == status
    starts = (await emsp.records())["starts"]
    assert [(s["authorization_reference"], s["session_ids"]) for s in starts] == [("REF", [])]


async def test_an_http_error_for_what_was_done_all_the_same(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "http", status=500, executed=True)
    assert (await emsp.call("POST", "/commands/START_SESSION", json=emsp.start_body())).status_code == 500
    await emsp.seen("ACTIVE")


async def test_too_many_requests_with_a_time_to_come_back(emsp: Emsp) -> None:
    await emsp.fault("LOCATIONS", "http", status=429, retry_after=7)
    answer = await emsp.call("GET", "/locations")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert (await emsp.call("GET", "/locations")).status_code == 200


async def test_a_hubs_timeout(emsp: Emsp) -> None:
    await emsp.fault("STOP_SESSION", "ocpi")
    body = {"response_url": emsp.url, "session_id": "x"}
    answer = await emsp.call("POST", "/commands/STOP_SESSION", json=body)
    assert (answer.status_code, answer.json()["status_code"]) == (200, 4002)


async def test_a_web_page_instead_of_json(emsp: Emsp) -> None:
    await emsp.fault("TARIFFS", "html")
    answer = await emsp.call("GET", "/tariffs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")


async def test_a_redirect_to_where_nobody_should_go(emsp: Emsp) -> None:
    await emsp.fault("SESSIONS", "redirect")
    answer = await emsp.call("GET", "/sessions")
    assert (answer.status_code, answer.headers["location"]) == (302, "http://169.254.169.254/")


async def test_a_connection_that_is_reset_after_the_start_was_executed(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "reset")
    with pytest.raises(httpx.TransportError):
        await emsp.call("POST", "/commands/START_SESSION", json=emsp.start_body())
    await emsp.seen("ACTIVE")


async def test_a_connection_that_is_reset_before_anything_was_done(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "reset", executed=False)
    with pytest.raises(httpx.TransportError):
        await emsp.call("POST", "/commands/START_SESSION", json=emsp.start_body())
    assert (await emsp.records())["sessions"] == []


async def test_a_slow_answer(emsp: Emsp) -> None:
    await emsp.fault("ANY", "slow", seconds=0.4)
    begin = time.monotonic()
    assert await emsp.start() == "ACCEPTED"
    assert time.monotonic() - begin >= 0.4


async def test_an_answer_that_drips(emsp: Emsp) -> None:
    await emsp.fault("CDRS", "drip", seconds=0.4)
    begin = time.monotonic()
    assert (await emsp.call("GET", "/cdrs")).json()["data"] == []
    assert time.monotonic() - begin >= 0.3


async def test_an_answer_that_does_not_end_for_long(emsp: Emsp) -> None:
    await emsp.fault("CDRS", "flood", bytes=1_000_000)
    assert len((await emsp.call("GET", "/cdrs")).content) > 1_000_000


@pytest.mark.parametrize(
    ("when", "method", "path"),
    [
        ("SET_PROFILE", "PUT", "/chargingprofiles/x"),
        ("CLEAR_PROFILE", "DELETE", "/chargingprofiles/x"),
        ("ACTIVE_PROFILE", "GET", "/chargingprofiles/x"),
        ("PREFERENCES", "PUT", "/sessions/x/charging_preferences"),
        ("TOKENS", "GET", "/tokens/FI/RBT/U"),
        ("CREDENTIALS", "GET", "/credentials"),
    ],
)
async def test_every_endpoint_can_fail(emsp: Emsp, when: str, method: str, path: str) -> None:
    await emsp.fault(when, "http")
    assert (await emsp.call(method, path)).status_code == 503


async def test_versions_can_fail(emsp: Emsp) -> None:
    await emsp.fault("VERSIONS", "http")
    assert (await emsp.http.get(f"{emsp.cpo_url}/ocpi/versions")).status_code == 503


# ---- Commands (trust items 15 to 27) ------------------------------------------------------------------------------


@pytest.mark.parametrize("result", ["REJECTED", "NOT_SUPPORTED", "UNKNOWN_SESSION"])
async def test_15_a_start_that_is_refused(emsp: Emsp, result: str) -> None:
    await emsp.fault("START_SESSION", "response", result=result)
    assert await emsp.start() == result
    await emsp.silence(0.4)
    assert emsp.received == []


async def test_16_no_command_result(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "no_result")
    await emsp.charging()
    await emsp.silence(0.2)
    assert emsp.results == []


@pytest.mark.parametrize("result", ["TIMEOUT", "FAILED", "EVSE_OCCUPIED"])
async def test_17_a_result_that_says_no_and_nothing_happens(emsp: Emsp, result: str) -> None:
    await emsp.fault("START_SESSION", "result", result=result)
    assert await emsp.start() == "ACCEPTED"
    await emsp.until("result")
    await emsp.silence(0.4)
    assert emsp.order() == [f"result {result}"]


async def test_17_a_result_that_says_timeout_and_then_it_charges(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "result", result="TIMEOUT", after_s=0.4)
    await emsp.charging()
    assert emsp.order()[0] == "result TIMEOUT"


async def test_18_the_result_before_the_response(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "result_first")
    assert await emsp.start() == "ACCEPTED"
    assert emsp.results == ["ACCEPTED"]


async def test_18_a_late_result(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "late_result", seconds=1)
    await emsp.charging()
    await emsp.until("result")
    assert emsp.order().index("ACTIVE") < emsp.order().index("result ACCEPTED")


async def test_19_the_session_before_the_result(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "session_first")
    await emsp.charging()
    await emsp.until("result")
    assert emsp.order().index("ACTIVE") < emsp.order().index("result ACCEPTED")


async def test_19_the_session_even_before_the_response(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "session_first", before_response=True)
    assert await emsp.start() == "ACCEPTED"
    assert emsp.sessions("ACTIVE")


async def test_20_a_result_that_comes_twice(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "duplicate_result", copies=3)
    await emsp.start()
    await emsp.until("result", 3)
    assert len({m.path for m in emsp.of("result")}) == 1


async def test_21_a_result_for_a_command_that_nobody_gave(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "foreign_result")
    await emsp.start()
    await emsp.until("result", 2)
    foreign, ours = sorted((m.path for m in emsp.of("result")), key=lambda path: not path.endswith("/REF"))
    assert foreign != ours  # which of them arrives first is open
    assert foreign == "/result/START_SESSION/REF"
    assert ours.startswith("/result/START_SESSION/")


async def test_21_a_result_for_somebody_elses_command(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "foreign_result", url=f"{emsp.url}/result/OTHER/1")
    await emsp.start()
    await emsp.until("result", 2)
    assert "/result/OTHER/1" in [result.path for result in emsp.of("result")]


async def test_22_accepted_and_nothing_is_plugged_in(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "unplugged")
    await emsp.start()
    await emsp.until("result")
    await emsp.silence()
    assert emsp.order() == ["result ACCEPTED"]
    assert (await emsp.records())["sessions"] == []


async def test_22_plugged_in_later(emsp: Emsp) -> None:
    await emsp.fault("START_SESSION", "unplugged", after_s=0.4)
    await emsp.charging()
    assert emsp.order()[:3] == ["result ACCEPTED", "PENDING", "ACTIVE"]


async def test_22_plugged_in_too_late(tmp_path: Path) -> None:
    async with sandbox(tmp_path, plug_in_timeout_s=0.2) as emsp:
        await emsp.fault("START_SESSION", "unplugged")
        await emsp.start()
        await emsp.silence(0.4)
        await emsp.admin("plug", evse="3256")
        await emsp.silence(0.4)
        assert emsp.sessions() == []


async def test_23_a_stop_that_is_accepted_and_ignored(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    await emsp.fault("STOP_SESSION", "ignored")
    assert await emsp.stop(session_id) == "ACCEPTED"
    await emsp.until("result", 2)
    await emsp.updates(len(await emsp.updates()) + 2)
    assert emsp.sessions("COMPLETED") == []
    await emsp.stop(session_id)
    await emsp.seen("COMPLETED")
    assert len((await emsp.records())["stops"]) == 2


async def test_24_a_stop_that_is_rejected(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    await emsp.fault("STOP_SESSION", "response", result="REJECTED")
    assert await emsp.stop(session_id) == "REJECTED"
    assert (await emsp.records())["sessions"][0]["status"] == "ACTIVE"


async def test_28_the_car_stops(emsp: Emsp) -> None:
    await emsp.fault("SESSION", "car_stops", after_s=0.3)
    await emsp.charging()
    await emsp.seen("COMPLETED")
    assert (await emsp.records())["sessions"][0]["sandbox"]["end_reason"] == "EV"
    await emsp.until("cdrs")


# ---- Charging profiles (item 32) ----------------------------------------------------------------------------------


@pytest.mark.parametrize("result", ["REJECTED", "UNKNOWN"])
async def test_32_a_profile_that_is_refused_later_is_not_obeyed(emsp: Emsp, result: str) -> None:
    session_id = await emsp.charging()
    await emsp.fault("SET_PROFILE", "result", result=result)
    assert await emsp.limit(session_id, 7_400) == "ACCEPTED"
    await eventually(lambda: emsp.results[-1] == result)
    assert (await emsp.records())["sessions"][0]["sandbox"]["limit_kw"] is None


async def test_32_profiles_too_often(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    await emsp.fault("SET_PROFILE", "response", result="TOO_OFTEN")
    assert await emsp.limit(session_id, 7_400) == "TOO_OFTEN"


async def test_32_silence_about_a_profile(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    await emsp.until("result")
    await emsp.fault("CLEAR_PROFILE", "no_result")
    assert await emsp.unlimit(session_id) == "ACCEPTED"
    await emsp.silence(0.3)
    assert len(emsp.results) == 1


async def test_32_the_result_before_the_response_of_a_profile(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    await emsp.until("result")
    await emsp.fault("SET_PROFILE", "result_first")
    await emsp.limit(session_id, 7_400)
    assert len(emsp.results) == 2


async def test_32_a_profile_accepted_and_ignored(emsp: Emsp) -> None:
    session_id = await emsp.charging()
    await emsp.fault("SET_PROFILE", "ignored")
    await emsp.limit(session_id, 7_400)
    await eventually(lambda: emsp.results[1:] == ["ACCEPTED"])
    assert (await emsp.records())["sessions"][0]["sandbox"]["limit_kw"] is None


# ---- Session pushes (items 34 to 43) ------------------------------------------------------------------------------


async def test_34_an_older_version_is_pushed_afterwards(emsp: Emsp) -> None:
    await emsp.fault("SESSION_UPDATE", "stale", skip=1)
    await emsp.charging()
    await emsp.updates(3)
    _, true, old = [m.body for m in await emsp.updates(3)][:3]
    assert old["last_updated"] < true["last_updated"]
    assert (old["kwh"], old["status"]) == (0, "ACTIVE")


async def test_35_a_patch_before_any_put(emsp: Emsp) -> None:
    await emsp.fault("SESSION_PENDING", "drop")
    await emsp.fault("SESSION_ACTIVE", "patch_first")
    await emsp.start()
    await emsp.seen("ACTIVE")
    assert emsp.sessions()[0].method == "PATCH"


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"kwh": -1}, lambda kwh: kwh == -1),
        ({"add_kwh": -2}, lambda kwh: kwh < 0),
        ({"add_kwh": 500}, lambda k: k > 500),
    ],
)
async def test_36_and_37_the_meter_falls_goes_negative_or_jumps(
    emsp: Emsp, parameters: dict[str, float], wrong: Any
) -> None:
    await emsp.fault("SESSION_UPDATE", "kwh", **parameters)
    await emsp.charging()
    first, second = (await emsp.updates(2))[:2]
    assert wrong(first.body["kwh"])
    assert not wrong(second.body["kwh"])


async def test_38_pending_for_ever(emsp: Emsp) -> None:
    await emsp.fault("SESSION", "pending_forever")
    await emsp.start()
    session_id = (await emsp.seen("PENDING")).body["id"]
    await emsp.silence()
    assert emsp.sessions("ACTIVE") == []
    assert await emsp.stop(session_id) == "ACCEPTED"
    assert (await emsp.seen("COMPLETED")).body["kwh"] == 0


async def test_39_silence_but_the_list_knows(emsp: Emsp) -> None:
    await emsp.fault("SESSION", "silent")
    await emsp.start()
    await eventually(lambda: _status(emsp, "ACTIVE"))
    await emsp.stop((await emsp.pulled("sessions"))[0]["id"])
    await eventually(lambda: _status(emsp, "COMPLETED"))
    await eventually(lambda: emsp.pulled("cdrs"))
    assert (emsp.sessions(), emsp.of("cdrs")) == ([], [])


async def _status(emsp: Emsp, status: str) -> bool:
    return [session["status"] for session in await emsp.pulled("sessions")] == [status]


async def test_39_silence_in_the_list_too(emsp: Emsp) -> None:
    await emsp.fault("SESSION", "silent", pullable=False)
    await emsp.start()
    await emsp.silence()
    assert await emsp.pulled("sessions") == []
    assert [session["status"] for session in (await emsp.records())["sessions"]] == ["ACTIVE"]


async def test_39_silence_and_the_list_knows_late(emsp: Emsp) -> None:
    await emsp.fault("SESSION", "silent", after_s=0.4)
    await emsp.start()
    await emsp.until("result")
    assert await emsp.pulled("sessions") == []
    await eventually(lambda: _status(emsp, "ACTIVE"))


async def test_a_car_that_draws_nothing(emsp: Emsp) -> None:
    await emsp.fault("SESSION", "idle")
    await emsp.charging()
    update = (await emsp.updates())[0].body
    assert update["kwh"] == 0
    assert {d["type"]: d["volume"] for d in update["charging_periods"][0]["dimensions"]}["POWER"] == 0


async def test_39_some_updates_are_lost(emsp: Emsp) -> None:
    await emsp.fault("SESSION_PUSH", "drop", times=4)
    await emsp.start()
    await emsp.updates(1)
    assert [m.method for m in emsp.sessions()][:1] == ["PATCH"]


async def test_40_a_session_of_another_party(emsp: Emsp) -> None:
    await emsp.fault("SESSION_ACTIVE", "foreign")
    await emsp.charging()
    await emsp.seen("ACTIVE", 2)
    foreign, true = emsp.sessions("ACTIVE")[:2]
    assert (foreign.body["party_id"], true.body["party_id"]) == ("XXX", "VRT")
    assert foreign.path == true.path.replace("/VRT/", "/XXX/")


async def test_41_a_session_that_becomes_invalid_has_no_cdr(emsp: Emsp) -> None:
    await emsp.fault("SESSION", "invalid", after_s=0.2)
    await emsp.charging()
    await emsp.seen("INVALID")
    await emsp.silence(0.3)
    assert emsp.of("cdrs") == []
    assert await emsp.pulled("cdrs") == []


async def test_42_enums_and_fields_that_nobody_knows(emsp: Emsp) -> None:
    await emsp.fault("SESSION_PUSH", "strange", times=None)
    await emsp.charging()
    active = emsp.sessions("ACTIVE")[0].body
    assert active["auth_method"] == "TELEPATHY"
    assert active["x_mood"] == {"colour": "mauve", "depth": 3}
    update = (await emsp.updates())[0].body
    assert "MOONLIGHT" in {d["type"] for d in update["charging_periods"][0]["dimensions"]}
    Session.model_validate(active)


async def test_43_two_sessions_for_one_reference(emsp: Emsp) -> None:
    await emsp.fault("SESSION", "twin")
    await emsp.start()
    await emsp.seen("ACTIVE", 2)
    active = [m.body for m in emsp.sessions("ACTIVE")]
    assert {s["authorization_reference"] for s in active} == {"REF"}
    assert len({s["id"] for s in active}) == 2
    assert len((await emsp.records())["starts"]) == 1


async def test_a_session_that_forgot_its_reference(emsp: Emsp) -> None:
    await emsp.fault("SESSION", "no_reference")
    await emsp.start()
    body = (await emsp.seen("ACTIVE")).body
    assert "authorization_reference" not in body
    assert body["cdr_token"]["uid"] == "UID1"


async def test_a_push_that_comes_twice_or_late_or_altered(emsp: Emsp) -> None:
    await emsp.fault("SESSION_PENDING", "duplicate")
    await emsp.fault("SESSION_ACTIVE", "late", seconds=0.3)
    await emsp.fault("SESSION_UPDATE", "alter", set={"currency": "SEK"})
    await emsp.charging()
    assert [m.body["status"] for m in emsp.sessions()[:3]] == ["PENDING", "PENDING", "ACTIVE"]
    assert (await emsp.updates())[0].body["currency"] == "SEK"


# ---- CDRs (items 44, 47, 48, 50) ----------------------------------------------------------------------------------


async def _charged(emsp: Emsp) -> str:
    session_id = await emsp.charging()
    await emsp.stop(session_id)
    await emsp.seen("COMPLETED")
    return session_id


async def test_44_a_cdr_that_comes_twice(emsp: Emsp) -> None:
    await emsp.fault("CDR", "duplicate")
    await _charged(emsp)
    await emsp.until("cdrs", 2)
    first, second = (m.body for m in emsp.of("cdrs"))
    assert first == second


async def test_47_a_cdr_before_completed(emsp: Emsp) -> None:
    await emsp.fault("CDR", "before_completed")
    await _charged(emsp)
    words = emsp.order()
    assert words.index("CDR") < words.index("COMPLETED")
    await emsp.silence(0.3)
    assert len(emsp.of("cdrs")) == 1


async def test_48_a_cdr_that_comes_late_is_not_in_the_list_before(emsp: Emsp) -> None:
    await emsp.fault("CDR", "late", seconds=0.6)
    await _charged(emsp)
    await emsp.silence(0.3)
    assert (emsp.of("cdrs"), await emsp.pulled("cdrs")) == ([], [])
    await emsp.until("cdrs")
    assert len(await emsp.pulled("cdrs")) == 1


@pytest.mark.parametrize("pullable", [True, False])
async def test_48_a_cdr_that_is_never_sent_and_may_be_pulled_or_not(emsp: Emsp, pullable: bool) -> None:
    await emsp.fault("CDR", "drop", pullable=pullable)
    await _charged(emsp)
    await emsp.silence(0.4)
    assert emsp.of("cdrs") == []
    assert len(await emsp.pulled("cdrs")) == pullable
    assert len((await emsp.records())["cdrs"]) == 1


async def test_50_a_cdr_that_adds_up_wrong_wherever_it_is_read(emsp: Emsp) -> None:
    await emsp.fault("CDR", "alter", set={"total_cost": {"excl_vat": 99, "incl_vat": 124.25}})
    await _charged(emsp)
    assert (await emsp.until("cdrs")).body["total_cost"]["excl_vat"] == 99
    assert (await emsp.pulled("cdrs"))[0]["total_cost"]["excl_vat"] == 99


async def test_a_cdr_that_is_taken_back(emsp: Emsp) -> None:
    await emsp.fault("CDR", "credit")
    await _charged(emsp)
    await emsp.until("cdrs", 2)
    first, credit = (m.body for m in emsp.of("cdrs"))
    assert (credit["credit"], credit["credit_reference_id"]) == (True, first["id"])
    assert credit["total_cost"]["excl_vat"] == -first["total_cost"]["excl_vat"] < 0
    assert credit["total_energy"] == first["total_energy"]


async def test_46_a_cdr_that_is_taken_back_and_replaced_long_after(emsp: Emsp) -> None:
    await _charged(emsp)
    first = (await emsp.until("cdrs")).body
    new = {"total_cost": {"excl_vat": 1, "incl_vat": 1.255}}
    order = {"session_id": first["session_id"], "set": new}
    url = f"{emsp.cpo_url}/admin/credit"

    async def credited() -> bool:  # once the CPO has our answer to its CDR
        return (await emsp.http.post(url, json=order)).status_code == 200

    await eventually(credited)
    assert (await emsp.http.post(url, json=order)).status_code == 409
    await emsp.until("cdrs", 3)
    credit, correction = (m.body for m in emsp.of("cdrs")[1:])
    assert (credit["credit_reference_id"], correction["total_cost"]["excl_vat"]) == (first["id"], 1)


async def test_a_cdr_that_is_corrected_also_in_the_list(emsp: Emsp) -> None:
    await emsp.fault("CDR", "credit", set={"total_cost": {"excl_vat": 1, "incl_vat": 1.255}})
    await _charged(emsp)
    correction = (await emsp.until("cdrs", 3)).body
    assert correction["total_cost"]["excl_vat"] == 1
    assert "credit" not in correction
    await eventually(lambda: _cdrs_listed(emsp, 3))


async def _cdrs_listed(emsp: Emsp, number: int) -> bool:
    return len(await emsp.pulled("cdrs")) == number


async def test_a_strange_cdr(emsp: Emsp) -> None:
    await emsp.fault("CDR", "strange")
    await _charged(emsp)
    assert (await emsp.until("cdrs")).body["auth_method"] == "TELEPATHY"


def test_the_lists_of_places_and_kinds_agree() -> None:
    assert COMMANDS < CALLS
