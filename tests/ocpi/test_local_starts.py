"""A user's card at a charger of the sandbox: we are asked, and hear of a Session and CDR that no start of ours made."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from charging.sandbox.app import create_app
from charging.sandbox.settings import SandboxSettings
from charging.store.tables import cdrs, ocpi_sessions
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.serving import serve
from tests.waiting import eventually

QUICK: dict[str, Any] = {"token": "A", "start_delay_s": 0.1, "stop_delay_s": 0, "cdr_delay_s": 0, "speed": 600}

pytestmark = on_sqlite


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[str]:
    async with serve(create_app(SandboxSettings.model_validate(QUICK), tmp_path)) as url:
        yield url


async def tell(emsp: Emsp, url: str, what: str, **body: Any) -> Any:
    answer = await emsp.http.post(f"{url}/admin/{what}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def registered(emsp: Emsp, url: str, version: str) -> None:
    """The sandbox as our CPO ``virta`` in this version, and a card that one of our users has."""
    await tell(emsp, url, "versions", versions=[version])
    body = {"cpo_name": "virta", "versions_url": f"{url}/ocpi/versions", "token": "A"}
    assert (await emsp.admin("POST", "register", body)).status_code == 201
    await emsp.admin("POST", "tokens", {"user_id": "ada", "type": "RFID", "uid": "CARD1"})


async def rows(emsp: Emsp, table: Any) -> list[Any]:
    async with emsp.services.database.read() as store:
        return list((await store.execute(select(table))).mappings())


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
async def test_a_card_charges_by_our_word_and_its_session_is_kept_and_its_cdr_quarantined(
    emsp: Emsp, sandbox: str, version: str
) -> None:
    await registered(emsp, sandbox, version)
    swiped = await tell(emsp, sandbox, "swipe", evse="FI*VRT*E12345", uid="CARD1")
    assert (swiped["allowed"], swiped["asked"], swiped["emsp"]) == ("ALLOWED", True, "FI*RBT")

    async def is_charging() -> bool:
        return [row["status"] for row in await rows(emsp, ocpi_sessions)] == ["ACTIVE"]

    await eventually(is_charging)
    await tell(emsp, sandbox, "end", session_id=swiped["session_id"])
    [cdr] = await eventually(lambda: rows(emsp, cdrs))
    assert (cdr["session_id"], cdr["state"], cdr["problem"]) == (None, "quarantined", "unmatched")
    [session] = await rows(emsp, ocpi_sessions)
    assert (session["session_id"], session["parked"], session["status"]) == (None, False, "COMPLETED")
    told = session["body"].get("authorization_reference")
    assert (told is None) == (version == "2.1.1"), "our answer to the CPO's question, which 2.1.1 has no field for"
    assert cdr["body"].get("authorization_reference") == told
    await reconciled(emsp, sandbox, cdr["id"] if version == "2.3.0" else None)


async def reconciled(emsp: Emsp, url: str, cdr_id: str | None) -> None:
    """The CPO invoices what it may, and our admin sees that we know the CDR, and that no session of ours caused it."""
    made = await tell(emsp, url, "invoice", invoice_id="2026-1")
    assert [one["sent"] for one in made["invoices"]] == ([True] if cdr_id else [])
    found = [one["cdrs"] for one in (await emsp.admin("GET", "invoices")).json()["invoices"]]
    assert found == ([[{"cdr_id": cdr_id, "is_known": True, "session_id": None}]] if cdr_id else [])


async def test_a_blocked_card_charges_nothing(emsp: Emsp, sandbox: str) -> None:
    await registered(emsp, sandbox, "2.2.1")
    await emsp.admin("DELETE", "tokens/CARD1?type=RFID")
    swiped = await tell(emsp, sandbox, "swipe", evse="FI*VRT*E12345", uid="CARD1")
    assert (swiped["allowed"], swiped["session_id"]) == ("BLOCKED", None)
