"""Stable tokens of users: kept by the operator, told to every CPO, listed, and answered for (OCPI 2.2.1 §12)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from charging.store.connections import Connection
from charging.store.tables import token_pushes
from charging.token_pusher import TokenPusher, changed
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo, answer, html, refuse
from tests.waiting import eventually

CARD = {"user_id": "ada", "type": "RFID", "uid": "04a2b3c4d5e6f7", "visual_number": "CARD-1"}


@pytest.fixture
def pusher(emsp: Emsp) -> TokenPusher:
    return TokenPusher(emsp.services.database, emsp.services.peers, emsp.services.settings)


async def push(pusher: TokenPusher) -> None:
    await pusher.look()
    await eventually(lambda: not pusher.is_pushing)


async def make_due(emsp: Emsp) -> None:
    """As if every delay were over."""
    async with emsp.services.database.write() as store:
        waiting = token_pushes.c.due_at.is_not(None)
        await store.execute(update(token_pushes).where(waiting).values(due_at=datetime.now(UTC)))


async def pushes(emsp: Emsp) -> list[dict[str, Any]]:
    response = await emsp.admin("GET", "tokens/04a2b3c4d5e6f7?type=RFID")
    found: list[dict[str, Any]] = response.json()["pushes"]
    return found


class TestAdmin:
    async def test_a_card_is_given_to_a_user_and_kept_in_upper_case(self, emsp: Emsp) -> None:
        response = await emsp.admin("POST", "tokens", CARD)
        assert response.status_code == 201
        assert response.headers["location"] == "/ocpi/tokens/04A2B3C4D5E6F7?type=RFID"
        token = response.json()
        assert (token["uid"], token["user_id"], token["valid"]) == ("04A2B3C4D5E6F7", "ada", True)
        assert (token["whitelist"], token["visual_number"]) == ("ALLOWED", "CARD-1")
        found = (await emsp.admin("GET", "tokens/04a2b3c4d5e6f7?type=RFID")).json()
        assert found == {**token, "pushes": []}

    @on_sqlite
    async def test_an_app_gets_a_fresh_uid_and_is_not_used_offline(self, emsp: Emsp) -> None:
        one, other = [(await emsp.admin("POST", "tokens", {"user_id": "ada"})).json() for _ in range(2)]
        assert one["uid"] != other["uid"]
        assert (len(one["uid"]), one["type"], one["whitelist"]) == (20, "APP_USER", "NEVER")
        assert one["contract_id"] == other["contract_id"]

    async def test_the_same_uid_and_type_is_given_once(self, emsp: Emsp) -> None:
        await emsp.admin("POST", "tokens", CARD)
        response = await emsp.admin("POST", "tokens", {**CARD, "uid": CARD["uid"].upper()})
        assert (response.status_code, response.json()["code"]) == (409, "token_exists")
        assert (await emsp.admin("POST", "tokens", {**CARD, "type": "APP_USER"})).status_code == 201

    @on_sqlite
    async def test_tokens_are_listed_by_page_and_by_user(self, emsp: Emsp) -> None:
        for uid, user in (("C", "ada"), ("A", "bob"), ("B", "ada")):
            await emsp.admin("POST", "tokens", {"user_id": user, "uid": uid})
        everyone = (await emsp.admin("GET", "tokens?limit=2&offset=1")).json()
        assert ([t["uid"] for t in everyone["tokens"]], everyone["total"]) == (["B", "C"], 3)
        hers = (await emsp.admin("GET", "tokens?user_id=ada")).json()
        assert ([t["uid"] for t in hers["tokens"]], hers["total"]) == (["B", "C"], 2)

    async def test_fields_are_changed_and_optional_ones_taken_out(self, emsp: Emsp) -> None:
        before = (await emsp.admin("POST", "tokens", CARD)).json()
        path = "tokens/04a2b3c4d5e6f7?type=RFID"
        after = (await emsp.admin("PATCH", path, {"visual_number": None, "whitelist": "NEVER"})).json()
        assert (after["visual_number"], after["whitelist"], after["valid"]) == (None, "NEVER", True)
        assert after["last_updated"] >= before["last_updated"]

    async def test_a_deleted_token_is_invalid_and_may_be_made_valid_again(self, emsp: Emsp) -> None:
        await emsp.admin("POST", "tokens", CARD)
        path = "tokens/04a2b3c4d5e6f7?type=RFID"
        assert (await emsp.admin("DELETE", path)).json()["valid"] is False
        assert (await emsp.admin("DELETE", path)).json()["valid"] is False
        assert (await emsp.admin("PATCH", path, {"valid": True})).json()["valid"] is True

    @on_sqlite
    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    async def test_an_absent_token_is_404(self, emsp: Emsp, method: str) -> None:
        body = {"valid": True} if method == "PATCH" else None
        response = await emsp.admin(method, "tokens/NOBODY?type=RFID", body)
        assert (response.status_code, response.json()["code"]) == (404, "token_not_found")

    @on_sqlite
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "tokens", {"user_id": "ada", "type": "RFID"}),
            ("POST", "tokens", {"user_id": ""}),
            ("POST", "tokens", {"user_id": "ada", "type": "EMAID", "uid": "X"}),
            ("POST", "tokens", {"user_id": "ada", "uid": "a/b"}),
            ("POST", "tokens", {"user_id": "ada", "uid": "X" * 37}),
            ("POST", "tokens", {"user_id": "ada", "language": "english"}),
            ("POST", "tokens", {"user_id": "ada", "colour": "red"}),
            ("PATCH", "tokens/A?type=RFID", {}),
            ("PATCH", "tokens/A?type=RFID", {"valid": None}),
            ("PATCH", "tokens/A?type=RFID", {"user_id": "bob"}),
            ("PATCH", "tokens/A?type=OTHER", {"valid": True}),
            ("GET", "tokens/A", None),
        ],
    )
    async def test_what_makes_no_token_is_422(self, emsp: Emsp, method: str, path: str, body: Any) -> None:
        response = await emsp.admin(method, path, body)
        assert (response.status_code, response.json()["code"]) == (422, "validation_error")

    @on_sqlite
    async def test_all_of_it_needs_the_admins_key(self, emsp: Emsp) -> None:
        for method, path in (("POST", "tokens"), ("GET", "tokens"), ("DELETE", "tokens/A?type=RFID")):
            assert (await emsp.admin(method, path, key="wrong")).status_code == 401


class TestPush:
    async def test_a_new_token_is_put_whole_to_every_cpo(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        async with ScriptedCpo() as other:
            await other.befriend(emsp.services.database, emsp.services.settings, name="other")
            await emsp.admin("POST", "tokens", CARD)
            await push(pusher)
            for peer in (cpo, other):
                [received] = peer.received("PUT_TOKEN")
                assert received.path.endswith("/tokens/FI/RBT/04A2B3C4D5E6F7")
                assert received.query == {"type": "RFID"}
                assert received.token == peer.token_c
                assert (received.body["uid"], received.body["valid"]) == ("04A2B3C4D5E6F7", True)
            assert [p["state"] for p in await pushes(emsp)] == ["sent", "sent"]

    async def test_a_change_is_patched_with_what_differs(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        await emsp.admin("POST", "tokens", CARD)
        await push(pusher)
        await emsp.admin("DELETE", "tokens/04A2B3C4D5E6F7?type=RFID")
        await push(pusher)
        [received] = cpo.received("PATCH_TOKEN")
        assert received.body.keys() == {"valid", "last_updated"}
        assert received.body["valid"] is False
        await push(pusher)
        assert len(cpo.received("PATCH_TOKEN")) == len(cpo.received("PUT_TOKEN")) == 1

    @on_sqlite
    async def test_a_cpo_that_does_not_know_the_token_gets_it_whole(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        await emsp.admin("POST", "tokens", CARD)
        await push(pusher)
        cpo.on("PATCH_TOKEN", refuse(2004, http_status=404))
        await emsp.admin("PATCH", "tokens/04A2B3C4D5E6F7?type=RFID", {"valid": False})
        await push(pusher)
        assert [r.body["valid"] for r in cpo.received("PUT_TOKEN")] == [True, False]

    @on_sqlite
    async def test_what_a_patch_cannot_take_out_is_put(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        await emsp.admin("POST", "tokens", CARD)
        await push(pusher)
        await emsp.admin("PATCH", "tokens/04A2B3C4D5E6F7?type=RFID", {"visual_number": None})
        await push(pusher)
        assert "visual_number" not in cpo.received("PUT_TOKEN")[1].body
        assert cpo.received("PATCH_TOKEN") == []

    async def test_after_an_outage_the_cpo_gets_the_newest_state_and_no_older_one(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        cpo.on("PUT_TOKEN", html(502), answer())
        await emsp.admin("POST", "tokens", CARD)
        await push(pusher)
        [state] = await pushes(emsp)
        assert (state["connection"], state["state"]) == ("virta", "waiting")
        assert state["problem"]
        await push(pusher)
        assert len(cpo.received("PUT_TOKEN")) == 1, "it is left alone for a while"
        await emsp.admin("DELETE", "tokens/04A2B3C4D5E6F7?type=RFID")
        await push(pusher)
        assert [r.body["valid"] for r in cpo.received("PUT_TOKEN")] == [True, False]
        assert (await pushes(emsp))[0] == {"connection": "virta", "state": "sent", "problem": None}

    @on_sqlite
    async def test_of_many_owed_tokens_a_cpo_that_is_away_is_asked_for_one(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        cpo.on("PUT_TOKEN", html(502))
        for uid in "ABC":
            await emsp.admin("POST", "tokens", {"user_id": "ada", "uid": uid})
        await push(pusher)
        assert len(cpo.received("PUT_TOKEN")) == 1
        cpo.on("PUT_TOKEN", answer())
        await make_due(emsp)
        await push(pusher)
        assert [r.body["uid"] for r in cpo.received("PUT_TOKEN")] == ["A", "A", "B", "C"]

    @on_sqlite
    async def test_a_token_that_a_cpo_refuses_does_not_hold_up_the_others(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        cpo.on("PUT_TOKEN", refuse(2001), answer())
        await emsp.admin("POST", "tokens", CARD)
        await emsp.admin("POST", "tokens", {"user_id": "ada", "uid": "Z"})
        await push(pusher)
        assert [r.body["uid"] for r in cpo.received("PUT_TOKEN")] == ["04A2B3C4D5E6F7", "Z"]
        assert (await pushes(emsp))[0]["state"] == "refused"
        await make_due(emsp)
        await push(pusher)
        assert len(cpo.received("PUT_TOKEN")) == 2

    @on_sqlite
    async def test_a_cpo_that_takes_no_tokens_is_not_called(
        self, emsp: Emsp, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        cpo.endpoints = [e for e in cpo.endpoints if e[0] != "tokens"]
        await cpo.befriend(emsp.services.database, emsp.services.settings)
        await emsp.admin("POST", "tokens", CARD)
        await push(pusher)
        assert cpo.requests == []
        assert (await pushes(emsp))[0]["state"] == "refused"

    async def test_a_cpo_that_comes_later_is_told_of_all_tokens_so_that_it_keeps_none_that_is_lost(
        self, emsp: Emsp, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        for uid in "ABC":
            await emsp.admin("POST", "tokens", {"user_id": "ada", "uid": uid})
        await emsp.admin("DELETE", "tokens/B?type=APP_USER")
        await emsp.register(cpo)
        await push(pusher)
        told = [("A", True), ("B", False), ("C", True)]
        assert [(r.body["uid"], r.body["valid"]) for r in cpo.received("PUT_TOKEN")] == told
        await emsp.admin("DELETE", "connections/virta")
        await emsp.register(cpo)
        await push(pusher)
        assert [(r.body["uid"], r.body["valid"]) for r in cpo.received("PUT_TOKEN")] == told * 2, (
            "it may have forgotten"
        )

    @on_sqlite
    async def test_of_two_processes_one_pushes(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, pusher: TokenPusher
    ) -> None:
        other = TokenPusher(emsp.services.database, emsp.services.peers, emsp.services.settings)
        await emsp.admin("POST", "tokens", CARD)
        await pusher.look()
        await other.look()
        await eventually(lambda: not pusher.is_pushing and not other.is_pushing)
        assert len(cpo.received("PUT_TOKEN")) == 1

    def test_a_patch_says_what_differs_and_when(self) -> None:
        old = {"uid": "A", "valid": True, "last_updated": "1"}
        assert changed(None, old) is None
        assert changed(old, {"uid": "A", "last_updated": "2"}) is None
        assert changed(old, {**old, "group_id": "G", "last_updated": "2"}) == {"group_id": "G", "last_updated": "2"}


class TestForCpos:
    async def test_stable_tokens_are_listed_to_every_cpo_invalid_ones_too(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo
    ) -> None:
        for uid in "AB":
            await emsp.admin("POST", "tokens", {"user_id": "ada", "uid": uid})
        await emsp.admin("DELETE", "tokens/A?type=APP_USER")
        listed = (await cpo.call("GET", "tokens")).json()["data"]
        assert [(token["uid"], token["valid"]) for token in listed] == [("B", True), ("A", False)]

    async def test_each_authorization_has_a_reference_of_its_own(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo
    ) -> None:
        await emsp.admin("POST", "tokens", CARD)
        place = {"location_id": "LOC1", "evse_uids": ["3256"]}
        infos = [(await cpo.call("POST", "tokens/04a2b3c4d5e6f7/authorize", place)).json()["data"] for _ in range(2)]
        assert [info["allowed"] for info in infos] == ["ALLOWED", "ALLOWED"]
        assert infos[0]["location"] == place
        references = {info["authorization_reference"] for info in infos}
        assert len(references) == 2

    @on_sqlite
    async def test_an_invalid_card_is_blocked(self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
        await emsp.admin("POST", "tokens", CARD)
        await emsp.admin("DELETE", "tokens/04A2B3C4D5E6F7?type=RFID")
        response = await cpo.call("POST", "tokens/04A2B3C4D5E6F7/authorize")
        assert (response.status_code, response.json()["data"]["allowed"]) == (200, "BLOCKED")
        assert "authorization_reference" not in response.json()["data"]
