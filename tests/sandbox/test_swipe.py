"""A card that is held to a charger: the CPO asks the eMSP whether it may charge, or need not."""

from pathlib import Path
from typing import Any

import pytest

from charging.sandbox.whitelisting import allowed_without, needs_asking
from tests.sandbox.emsp import Body, Emsp, sandbox

TOKEN = {
    "country_code": "FI",
    "party_id": "RBT",
    "uid": "CARD1",
    "type": "RFID",
    "contract_id": "FI-RBT-C7",
    "issuer": "Robots",
    "valid": True,
    "whitelist": "ALLOWED",
    "last_updated": "2026-01-01T00:00:00Z",
}


def allows(emsp: Emsp, allowed: str = "ALLOWED", **fields: Any) -> None:
    """The eMSP knows the card, and says this of it."""
    info: Body = {"allowed": allowed}
    info |= {} if emsp.version == "2.1.1" else {"token": TOKEN, "authorization_reference": "LOCAL1"}
    emsp.authorizations["CARD1"] = info | fields


async def push_token(emsp: Emsp, **fields: Any) -> None:
    answer = await emsp.call("PUT", "/tokens/FI/RBT/CARD1", json=TOKEN | fields)
    assert answer.json()["status_code"] == 1000


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
async def test_a_card_that_the_emsp_allows_charges_and_session_and_cdr_name_its_authorization(
    tmp_path: Path, version: str
) -> None:
    async with sandbox(tmp_path, version) as emsp:
        allows(emsp)
        swiped = await emsp.swipe()
        assert (swiped["allowed"], swiped["asked"], swiped["emsp"]) == ("ALLOWED", True, "FI*RBT")
        asked = emsp.of("tokens")[0]
        assert asked.path == "/tokens/CARD1/authorize"
        assert asked.body == {"location_id": "LOC1", "evse_uids": ["3256"]}
        session = (await emsp.seen("ACTIVE")).body
        await emsp.admin("end", session_id=session["id"])
        cdr = (await emsp.until("cdrs")).body
        for told in (session, cdr):
            assert told["auth_method"] == "AUTH_REQUEST"
            if version == "2.1.1":
                assert told["auth_id"] == "CARD1"
            else:
                assert (told["authorization_reference"], told["cdr_token"]["contract_id"]) == ("LOCAL1", "FI-RBT-C7")
        records = await emsp.records()
        assert ([one["session_id"] for one in records["swipes"]], records["starts"]) == ([session["id"]], [])


@pytest.mark.parametrize("allowed", ["BLOCKED", "NO_CREDIT", "EXPIRED", "NOT_ALLOWED"])
async def test_a_card_that_the_emsp_does_not_allow_charges_nothing(emsp: Emsp, allowed: str) -> None:
    allows(emsp, allowed)
    swiped = await emsp.swipe()
    assert (swiped["allowed"], swiped["session_id"]) == (allowed, None)
    assert (await emsp.records())["sessions"] == []


async def test_a_card_that_nobody_knows_is_not_allowed(emsp: Emsp) -> None:
    assert await emsp.swipe() == {"allowed": "NOT_ALLOWED", "asked": True, "emsp": None, "session_id": None}


async def test_a_whitelisted_card_need_not_be_asked_for(emsp: Emsp) -> None:
    await push_token(emsp)
    swiped = await emsp.swipe("card1", ask=False)
    assert (swiped["allowed"], swiped["asked"]) == ("ALLOWED", False)
    session = (await emsp.seen("ACTIVE")).body
    assert (session["auth_method"], "authorization_reference" in session) == ("WHITELIST", False)
    assert emsp.of("tokens") == []
    await push_token(emsp, valid=False, whitelist="ALWAYS")
    assert (await emsp.swipe(evse="3257"))["allowed"] == "BLOCKED"


@pytest.mark.parametrize(("whitelist", "allowed"), [("ALLOWED_OFFLINE", "ALLOWED"), ("NEVER", "NOT_ALLOWED")])
async def test_an_emsp_that_does_not_answer_leaves_it_to_the_whitelist(
    emsp: Emsp, whitelist: str, allowed: str
) -> None:
    await push_token(emsp, whitelist=whitelist)
    emsp.answers["tokens"] = 500
    swiped = await emsp.swipe()
    assert (swiped["allowed"], swiped["asked"]) == (allowed, True)


async def test_a_charger_that_is_taken_or_not_there_takes_no_card(emsp: Emsp) -> None:
    allows(emsp)
    await emsp.charging()
    for evse, status in (("3256", 409), ("FI*VRT*E12350", 409), ("E1", 404)):
        answer = await emsp.http.post(f"{emsp.cpo_url}/admin/swipe", json={"evse": evse, "uid": "CARD1"})
        assert answer.status_code == status


def test_what_a_whitelist_means() -> None:
    lists = ("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER", "UNHEARD_OF")
    tokens = [{"whitelist": whitelist, "valid": True} for whitelist in lists]
    assert [needs_asking(token, ask=False) for token in (*tokens, None)] == [False, False, True, True, True, True]
    assert [needs_asking(token, ask=True) for token in tokens] == [False, True, True, True, True]
    alone = [allowed_without(token, was_asked=True) == "ALLOWED" for token in (*tokens, None)]
    assert alone == [False, True, True, False, False, False]
