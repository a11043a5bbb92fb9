"""A session from start to receipt at each version of OCPI, and with CPOs that say little by themselves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.embedded import Embedded, Json, embedded
from tests.waiting import eventually

EVSE = "FI-VRT-E12345"
SLOW_CAR = {"capacity_kwh": 1000, "max_dc_kw": 5}  # times 600: still charging when the test stops it
LISTS_SOON = {"CHARGING_SILENCE_S": "1", "CHARGING_SWEEP_S": "1"}  # a CPO that is silent is asked after a second
ADMIN = "/ocpi/connections"
CONNECTION = f"{ADMIN}/Virta%20%28sandbox%29"


@pytest.mark.soak
async def test_a_session_runs_from_start_to_paid_receipt_at_each_version(tmp_path: Path) -> None:
    """The one version that the CPO offers is spoken, at the first handshake and after changes.

    A reserved charger takes its user, and the bill is the CPO's CDR.
    """
    async with embedded(tmp_path / "data", environment={"CHARGING_SANDBOX_VERSIONS": "2.1.1"}) as stack:
        await stack.sandbox("car", SLOW_CAR)
        (first,) = (await admin(stack, "GET", ADMIN))["connections"]
        assert first["version"] == "2.1.1"
        # 2.1.1 has no VAT in a CDR: total_cost is the amount excl. VAT, and that is what is paid.
        await reserved(stack)
        await charged_and_paid(stack, "2.1.1", amount="excl_vat")
        for version in ("2.2.1", "2.3.0"):
            await stack.sandbox("versions", {"versions": [version]})
            assert (await admin(stack, "POST", f"{CONNECTION}/rotate"))["version"] == version
            await reserved(stack)
            await charged_and_paid(stack, version)
        assert [one["standing"] for one in (await stack.records())["reservations"]] == ["USED"] * 3


@pytest.mark.soak
async def test_a_session_is_found_in_the_lists_of_a_cpo_that_pushes_nothing(tmp_path: Path) -> None:
    """Q45: no Session, CDR or status is pushed. MUTE: after START not even its result. Both end with a paid receipt."""
    async with embedded(tmp_path / "data", environment=LISTS_SOON) as stack:
        await stack.sandbox("car", SLOW_CAR)
        for quirk, result in (("Q45", "ACCEPTED"), ("MUTE", None)):
            await stack.sandbox("quirks", {"quirks": [quirk]})
            await charged_and_paid(stack, quirk)
            start = (await stack.records())["starts"][-1]
            assert (start["response"], start["result"]) == ("ACCEPTED", result)


async def reserved(stack: Embedded) -> None:
    """The sandbox keeps the charger for the token that the engine will start with."""
    order = {"evse_id": EVSE, "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    made = (await stack.call("POST", "/v1/reservations", json=order)).json()

    async def is_reserved() -> bool:
        answer = await stack.call("GET", f"/v1/reservations/{made['reservation_id']}")
        return bool(answer.json()["status"] == "reserved")

    await eventually(is_reserved)


async def charged_and_paid(stack: Embedded, key: str, *, amount: str = "incl_vat") -> None:
    """Start, active, stop, completed; the receipt is paid and says what the session's one CDR says."""
    session_id = await stack.start(EVSE, key=key, connector_type="CCS", battery_target_kwh=60.0)
    await stack.until(session_id, status="active", energy_kwh=lambda kwh: kwh > 0)
    await stack.stop(session_id)
    await stack.until(session_id, status="completed")
    records, receipt = await stack.records(), await stack.receipt(session_id)
    (cpo_session,) = records["starts"][-1]["session_ids"]
    (cdr,) = [cdr for cdr in records["cdrs"] if cdr["session_id"] == cpo_session]
    told = (receipt["payment_status"], receipt["cost"], receipt["energy_kwh"], receipt["cdr_ids"])
    assert told == ("paid", cdr["total_cost"][amount], cdr["total_energy"], [cdr["id"]])


async def admin(stack: Embedded, method: str, path: str) -> Json:
    """One request as the engine's operator."""
    answer = await stack.call(method, path, headers={"X-API-Key": stack.run["admin_key"]})
    assert answer.is_success, answer.text
    body: dict[str, Any] = answer.json()
    return body
