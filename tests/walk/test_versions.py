"""A session from start to paid receipt at each version of OCPI, and with CPOs that say little (ocpi.md §15.5, §21)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from charging.store import tables
from tests.embedded import Embedded, embedded
from tests.waiting import eventually

# A CPO that pushes nothing is asked about its open sessions this often.
ATTENTIVE = {"CHARGING_SILENCE_S": "1", "CHARGING_SWEEP_S": "1"}


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
async def test_a_session_runs_to_its_paid_receipt_at_each_version(tmp_path: Path, version: str) -> None:
    async with embedded(tmp_path / "data", environment={"CHARGING_SANDBOX_VERSIONS": version}) as stack:
        assert await stack.rows(select(tables.connections.c.version)) == [(version,)]
        # A price of 2.1.1 says nothing of VAT.
        await a_session_is_paid(stack, "FI-VRT-E12345", bill="excl_vat" if version == "2.1.1" else "incl_vat")
        await a_reserved_charger_takes_its_user(stack, "FI-VRT-E12347")


async def test_a_session_runs_to_its_paid_receipt_whatever_its_cpo_keeps_to_itself(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data", environment=ATTENTIVE) as stack:
        await stack.sandbox("quirks", {"quirks": ["Q45"]})  # no push at all, only lists
        await a_session_is_paid(stack, "FI-VRT-E12345")
        await stack.sandbox("quirks", {"quirks": ["MUTE"]})  # nothing after START is answered
        await a_session_is_paid(stack, "FI-VRT-E12347")


async def a_reserved_charger_takes_its_user(stack: Embedded, evse_id: str) -> None:
    """The sandbox keeps the charger for the token that the engine starts with."""
    order = {"evse_id": evse_id, "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    made = (await stack.call("POST", "/v1/reservations", json=order)).json()

    async def is_reserved() -> bool:
        answer = await stack.call("GET", f"/v1/reservations/{made['reservation_id']}")
        return bool(answer.json()["status"] == "reserved")

    await eventually(is_reserved)
    session_id = await stack.start(evse_id, key="reserved", connector_type="CCS")
    await stack.until(session_id, status="active")
    assert [one["standing"] for one in (await stack.records())["reservations"]] == ["USED"]


async def a_session_is_paid(stack: Embedded, evse_id: str, bill: str = "incl_vat") -> None:
    """The receipt is the CPO's own CDR, to the cent."""
    session_id = await stack.start(evse_id, key=evse_id, connector_type="CCS", battery_target_kwh=2.0)
    await stack.until(session_id, status="completed")
    receipt = await stack.receipt(session_id)
    cdr = (await stack.records())["cdrs"][-1]
    assert receipt["payment_status"] == "paid"
    assert receipt["cost"] == cdr["total_cost"][bill]
