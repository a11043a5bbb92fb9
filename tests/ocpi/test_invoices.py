"""Invoice reconciliation: which CDRs an invoice of a CPO is about (OCPI 2.3.0 invoicereconciliation)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.ocpi.conftest import Emsp
from tests.peer import ScriptedCpo

MODULE = "invoicereconciliation"
RECORD = f"{MODULE}/FI/VRT/R1"


def record(**fields: Any) -> dict[str, Any]:
    return {
        "country_code": "FI",
        "party_id": "VRT",
        "id": "R1",
        "invoice_id": "2026-0001",
        "cdrs": ["CDR1", "CDR2"],
        "last_updated": "2026-02-01T00:00:00Z",
        **fields,
    }


@pytest.fixture
async def modern(emsp: Emsp) -> AsyncIterator[ScriptedCpo]:
    """A CPO that is registered at 2.3.0."""
    async with ScriptedCpo(version="2.3.0") as cpo:
        assert (await emsp.register(cpo)).status_code == 201
        yield cpo


async def test_a_record_is_posted_read_replaced_and_deleted(modern: ScriptedCpo) -> None:
    assert (await modern.call("POST", MODULE, record())).status_code == 201
    assert (await modern.call("GET", RECORD)).json()["data"] == record()
    newer = record(cdrs=["CDR3"], last_updated="2026-02-02T00:00:00Z")
    assert (await modern.call("PUT", RECORD, newer)).status_code == 200
    assert (await modern.call("PUT", RECORD, record())).status_code == 200  # older: acknowledged and ignored
    assert (await modern.call("GET", RECORD)).json()["data"] == newer
    assert (await modern.call("DELETE", RECORD)).json()["status_code"] == 1000
    assert (await modern.call("DELETE", RECORD)).status_code == 404


async def test_a_record_of_another_party_or_without_cdrs_is_refused(modern: ScriptedCpo, emsp: Emsp) -> None:
    assert (await modern.call("POST", MODULE, record(party_id="ABC"))).status_code == 404
    assert (await modern.call("PUT", f"{MODULE}/FI/ABC/R1", record(party_id="ABC"))).status_code == 404
    assert (await modern.call("POST", MODULE, record(cdrs=[]))).json()["status_code"] == 2001
    assert (await modern.call("PUT", f"{MODULE}/FI/VRT/R2", record())).json()["status_code"] == 2001
    assert (await emsp.admin("GET", "invoices")).json() == {"invoices": []}


async def test_the_admin_sees_which_cdrs_of_an_invoice_are_known(modern: ScriptedCpo, emsp: Emsp) -> None:
    cdr = modern.cdr(modern.session(cdr_token={"uid": "U", "type": "RFID", "contract_id": "C"}), id="cdr1")
    assert (await modern.call("POST", "cdrs", modern.dialect.write("cdr", cdr))).status_code == 201
    await modern.call("POST", MODULE, record())
    (invoice,) = (await emsp.admin("GET", "invoices")).json()["invoices"]
    assert (invoice["connection"], invoice["invoice_id"]) == ("virta", "2026-0001")
    assert [(c["cdr_id"], c["is_known"], c["session_id"]) for c in invoice["cdrs"]] == [
        ("CDR1", True, None),
        ("CDR2", False, None),
    ]


async def test_earlier_versions_have_no_such_module(emsp: Emsp, cpo: ScriptedCpo) -> None:
    await emsp.register(cpo)
    assert (await cpo.call("POST", MODULE, record())).status_code == 404
