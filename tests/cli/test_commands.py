"""The API from a terminal: what each command prints, and how it fails."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from charging.bootstrap.keys import DevelopmentSecrets
from tests.cli.command import Command
from tests.embedded import Embedded
from tests.programs import program
from tests.waiting import eventually

EVSE = "FI-VRT-E12346"
ABSENT = "00000000-0000-4000-8000-000000000000"


async def test_the_demo_charges_a_car_and_ends_with_a_paid_receipt(stack: Embedded) -> None:
    demo = await asyncio.create_subprocess_exec(
        program("charging"), "demo", "--data", str(stack.data), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(demo.communicate(), 60)
    assert demo.returncode == 0
    assert "Receipt" in out.decode()
    assert "PAID" in out.decode()
    assert "\x1b" not in out.decode()


async def test_a_session_is_started_watched_and_its_receipt_shown(charging: Command) -> None:
    started = await charging("start", EVSE, "--connector", "Type2", "--target-kwh", "5", "--job", "j1", "--json")
    assert started.json == {
        "session_id": started.json["session_id"],
        "status": "pending",
        "evse_id": EVSE,
        "network": "Virta",
    }
    session_id = started.json["session_id"]
    watched = await charging("watch", session_id, "--json")
    assert watched.code == 0
    assert watched.json["status"] == "completed"
    receipt = await charging("receipt", session_id, "--json")
    assert receipt.json["payment_status"] == "paid"
    assert "PAID" in (await charging("receipt", session_id)).out
    assert "completed" in (await charging("status", session_id)).out
    assert (await charging("stop", session_id, "--json")).json["status"] == "completed"
    too_late = await charging("profile", session_id, "--max-kw", "11")
    assert (too_late.code, too_late.err.partition(":")[0]) == (1, "session_over")


async def test_a_charger_is_shown_by_its_id_and_those_nearby_one_a_line(charging: Command) -> None:
    one = await charging("evse", EVSE, "--json")
    assert (one.json["evse_id"], one.json["network"]) == ("FI*VRT*E12346", "Virta")
    assert "FI*VRT*E12346" in (await charging("evse", EVSE)).out
    where = one.json["coordinates"]
    here = f"{where['latitude']},{where['longitude']}"
    near = await charging("evses", "--near", here, "--radius", "500", "--connector", "Type2", "--json")
    assert EVSE.replace("-", "*") in [found["evse_id"] for found in near.json["evses"]]
    lines = (await charging("evses", "--near", here, "--free")).out.splitlines()
    assert any("FI*VRT*E12345" in line and "CCS" in line for line in lines)
    refused = await charging("evses", "--near", "Helsinki")
    assert (refused.code, refused.err.partition(":")[0]) == (2, "invalid_option")
    unknown = await charging("evse", "FI*VRT*E0")
    assert (unknown.code, unknown.err.partition(":")[0]) == (1, "evse_not_found")


async def test_a_charge_is_priced_before_it_starts(charging: Command) -> None:
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    wishes = ("--kwh", "10", "--hours", "2", "--at", at, "--max-kw", "11")
    told = (await charging("quote", EVSE, *wishes, "--json")).json
    assert (told["energy_kwh"], told["currency"], told["total_cost"]["incl_vat"] > 0) == (10, "EUR", True)
    shown = await charging("quote", EVSE, *wishes)
    assert (shown.code, f"{told['total_cost']['incl_vat']:.2f} EUR" in shown.out) == (0, True)
    refused = await charging("quote", EVSE, "--kwh", "0")
    assert (refused.code, "energy_kwh" in refused.err) == (1, True)


async def test_the_same_key_starts_the_same_session(charging: Command) -> None:
    one, other = [await charging("start", EVSE, "--target-kwh", "5", "--key", "k1", "--json") for _ in range(2)]
    assert one.json["session_id"] == other.json["session_id"]
    watched = await charging("watch", one.json["session_id"])
    assert watched.code == 0
    assert "Session completed" in watched.out


async def test_events_of_a_session_are_followed_to_its_end(charging: Command) -> None:
    added = await charging("webhook", "add", "http://127.0.0.1:9/hook", "--type", "session.status", "--json")
    webhook_id = added.json["webhook_id"]
    assert added.json["secret"].startswith("whsec_")
    session_id = (await charging("start", EVSE, "--target-kwh", "5", "--json")).json["session_id"]
    followed = await charging("events", session_id, "--json")
    events = [json.loads(line) for line in followed.out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[-1]["type"], events[-1]["data"]["status"]) == ("session.status", "completed")
    assert "receipt.issued" in (await charging("events", session_id)).out
    owed = await charging("webhook", "deliveries", webhook_id, "--json")
    assert {each["event_type"] for each in owed.json["deliveries"]} == {"session.status"}
    delivery_id = owed.json["deliveries"][0]["delivery_id"]
    assert (await charging("webhook", "replay", webhook_id, delivery_id, "--json")).json["state"] == "waiting"
    assert (await charging("webhook", "rotate", webhook_id, "--json")).json["secret"] != added.json["secret"]
    assert webhook_id in (await charging("webhook", "list")).out
    assert (await charging("webhook", "remove", webhook_id)).code == 0
    assert (await charging("webhook", "rotate", webhook_id)).err.startswith("webhook_not_found: ")


async def test_a_problem_is_one_line_on_stderr_with_its_code(charging: Command) -> None:
    refused = await charging("status", ABSENT)
    assert refused.code == 1
    assert refused.err.startswith("session_not_found: ")
    assert refused.out == ""


async def test_a_refused_field_is_named(charging: Command) -> None:
    refused = await charging("start", EVSE, "--target-kwh", "-1")
    assert refused.err.startswith("validation_error: ")
    assert "; battery_target_kwh: Input should be greater than 0" in refused.err


async def test_a_profile_is_either_set_or_cleared(charging: Command) -> None:
    refused = await charging("profile", ABSENT, "--clear", "--max-kw", "11")
    assert (refused.code, refused.err.partition(":")[0]) == (2, "invalid_option")


async def test_a_token_stands_alone_on_stdout_and_says_who_acts(charging: Command, stack: Embedded) -> None:
    printed = await charging("token", "--sub", "alice", "--scope", "sessions:read", "--act", "robot-7", "--ttl", "60")
    secret = DevelopmentSecrets.of(stack.data / "secrets.json").jwt_secret
    claims = jwt.decode(printed.out.strip(), secret, algorithms=["HS256"])
    assert (claims["sub"], claims["scope"], claims["act"]) == ("alice", "sessions:read", {"sub": "robot-7"})
    assert 0 < claims["exp"] - datetime.now(UTC).timestamp() <= 60


async def test_the_token_of_the_environment_is_who_asks(charging: Command) -> None:
    reader = (await charging("token", "--sub", "alice", "--scope", "sessions:read")).out.strip()
    refused = await charging("start", EVSE, CHARGING_TOKEN=reader)
    assert refused.err.startswith("insufficient_scope: ")


async def test_operators_are_listed_and_a_wrong_one_is_not_added(charging: Command) -> None:
    listed = await charging("cpo", "list", "--json")
    assert [c["network"] for c in listed.json["connections"]] == ["Virta"]
    assert "Virta" in (await charging("cpo", "list")).out
    refused = await charging("cpo", "add", "Nobody", "http://127.0.0.1:9/ocpi/versions", "--token", "t")
    assert (refused.code, refused.err.partition(":")[0]) == (1, "cpo_unreachable")
    absent = await charging("cpo", "remove", "Nobody")
    assert (absent.code, absent.err.partition(":")[0]) == (1, "connection_not_found")


async def test_stable_tokens_are_given_shown_changed_and_made_invalid(charging: Command) -> None:
    card = ("04A2B3C4", "--type", "RFID")
    added = await charging("ocpi-token", "add", "bob", "--type", "RFID", "--uid", "04a2b3c4", "--json")
    assert (added.json["uid"], added.json["valid"]) == ("04A2B3C4", True)
    assert "04A2B3C4" in (await charging("ocpi-token", "list", "--user", "bob")).out
    changed = await charging("ocpi-token", "change", *card, "--visual-number", "CARD-1", "--json")
    assert changed.json["visual_number"] == "CARD-1"
    assert (await charging("ocpi-token", "invalidate", *card, "--json")).json["valid"] is False
    shown = await charging("ocpi-token", "show", *card, "--json")
    assert [push["connection"] for push in shown.json["pushes"]] == ["Virta (sandbox)"]
    absent = await charging("ocpi-token", "show", "NOBODY")
    assert (absent.code, absent.err.partition(":")[0]) == (1, "token_not_found")


async def test_a_charger_is_reserved_given_back_and_unlocked_as_far_as_its_operator_can(charging: Command) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await charging("reserve", EVSE, "--until", until, "--key", "r1", "--json")
    assert made.json["evse_id"] == EVSE
    back = await charging("unreserve", made.json["reservation_id"], "--json")
    assert back.json["reservation_id"] == made.json["reservation_id"]
    assert "connector_id" in (await charging("unlock", EVSE)).out
    refused = await charging("reserve", EVSE, "--until", "yesterday")
    assert (refused.code, refused.err.partition(":")[0]) == (1, "validation_error")


async def test_an_operator_is_set_to_see_the_users_own_token(charging: Command) -> None:
    listed = await charging("cpo", "list", "--json")
    name = listed.json["connections"][0]["name"]
    assert (await charging("cpo", "set", name, "--start-token", "user", "--json")).json["start_token"] == "user"
    assert "one_time" in (await charging("cpo", "set", name, "--start-token", "one_time")).out


async def test_an_operator_is_set_to_what_its_charging_profiles_need(charging: Command) -> None:
    (connection,) = (await charging("cpo", "list", "--json")).json["connections"]
    names = ("max_profile_periods", "hold_minimum", "pauses_are_parking", "start_token")
    assert [connection[name] for name in names] == [24, False, False, "one_time"]
    wanted = ("--max-profile-periods", "8", "--hold-minimum", "--pauses-are-parking")
    changed = (await charging("cpo", "set", connection["name"], *wanted, "--json")).json
    assert [changed[name] for name in names] == [8, True, True, "one_time"]
    await charging(
        "cpo", "set", connection["name"], "--max-profile-periods", "24", "--no-hold-minimum", "--no-pauses-are-parking"
    )


async def test_an_operator_is_synchronised_and_what_changed_is_shown(charging: Command) -> None:
    (connection,) = (await charging("cpo", "list", "--json")).json["connections"]
    report = (await charging("cpo", "sync", connection["name"], "--module", "locations", "--full", "--json")).json
    (pull,) = report["pulls"]
    assert (pull["module"], pull["full"], pull["error"]) == ("locations", True, None)
    assert pull["unchanged"] == pull["seen"] > 0
    shown = await charging("cpo", "sync", connection["id"])
    assert shown.code == 0
    assert [line.split()[0] for line in shown.out.splitlines()] == [
        "module",
        "sessions",
        "cdrs",
        "tariffs",
        "locations",
    ]


async def test_a_session_is_planned_by_a_curve_and_its_plan_is_shown(charging: Command, stack: Embedded) -> None:
    refused = await charging("curve", "add", "market")
    assert (refused.code, refused.err.partition(":")[0]) == (2, "invalid_option")
    added = await charging("curve", "add", "market", "--url", f"{stack.run['cpo']}/prices", "--json")
    assert (added.code, added.json["currency"], added.json["size"] >= 23) == (0, "EUR", True)
    assert "market" in (await charging("curve", "list")).out
    assert "known_until" in (await charging("curve", "show", "market")).out

    started = (await charging("start", EVSE, "--connector", "Type2", "--target-kwh", "60", "--json")).json
    session_id = started["session_id"]

    async def is_active() -> bool:
        return bool((await charging("status", session_id, "--json")).json["status"] == "active")

    await eventually(is_active)
    departure = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    terms = ("--departure", departure, "--strategy", "latest", "--guaranteed-kwh", "20", "--max-kw", "11")
    answer = (await charging("profile", session_id, *terms, "--json")).json
    assert (answer["plan"]["strategy"], answer["plan"]["price_source"]) == ("latest", "market")

    shown = await charging("session-plan", session_id)
    assert (shown.code, "Plan" in shown.out) == (0, True)
    assert (await charging("session-plan", session_id, "--json")).json["session_id"] == session_id
    await charging("stop", session_id)
    assert (await charging("curve", "remove", "market")).code == 0
    gone = await charging("curve", "refresh", "market")
    assert (gone.code, gone.err.partition(":")[0]) == (1, "curve_not_found")


async def test_without_a_stack_each_command_says_so(tmp_path: Path) -> None:
    nowhere = Command(tmp_path / "nowhere")
    for words in (("status", ABSENT), ("token", "--sub", "alice"), ("cpo", "list")):
        refused = await nowhere(*words)
        assert (refused.code, refused.err.partition(":")[0]) == (1, "not_running")


async def test_an_api_that_does_not_answer_is_named(tmp_path: Path) -> None:
    refused = await Command(tmp_path)("status", ABSENT, CHARGING_API="http://127.0.0.1:9")
    assert refused.code == 1
    assert refused.err.startswith("unreachable: http://127.0.0.1:9")


async def test_the_keys_of_a_running_stack_are_not_sent_elsewhere(charging: Command, stack: Embedded) -> None:
    elsewhere = await charging("status", ABSENT, CHARGING_API=stack.run["api"])
    assert elsewhere.err.startswith("unauthorized: ")


async def test_a_database_is_upgraded_as_often_as_one_likes(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'store' / 'charging.db'}"
    for _ in range(2):
        assert (await Command(tmp_path)("db", "upgrade", "--url", url)).code == 0
    assert (tmp_path / "store" / "charging.db").exists()


async def test_watching_prints_one_json_a_line(charging: Command) -> None:
    started = await charging("start", EVSE, "--target-kwh", "2", "--json")
    watched = await charging("watch", started.json["session_id"], "--json")
    statuses = [json.loads(line)["status"] for line in watched.out.splitlines()]
    assert statuses[-1] == "completed"
    assert statuses == sorted(statuses, key=["pending", "active", "stopping", "completed"].index)
