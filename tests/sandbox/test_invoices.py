"""Invoice reconciliation of OCPI 2.3.0: which CDRs an invoice is about."""

from pathlib import Path

from tests.sandbox.emsp import Emsp, sandbox
from tests.waiting import eventually


async def billed(emsp: Emsp, evse_uid: str, reference: str) -> str:
    """Charge and stop; the id of the CDR, once the CPO has sent it."""
    session_id = await emsp.charging(evse_uid, reference)
    await emsp.stop(session_id)

    async def cdr_id() -> str | None:
        return next((c["id"] for c in await emsp.pulled("cdrs") if c["session_id"] == session_id), None)

    return str(await eventually(cdr_id))


async def test_an_invoice_is_about_the_cdrs_that_were_on_none_and_is_posted_and_listed(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.3.0") as emsp:
        assert await emsp.admin("invoice") == {"invoices": []}
        first = await billed(emsp, "3256", "R1")
        made = (await emsp.admin("invoice", invoice_id="I-1"))["invoices"]
        assert [(one["invoice_id"], one["cdrs"], one["sent"]) for one in made] == [("I-1", [first], True)]
        second = await billed(emsp, "3257", "R2")
        await emsp.admin("invoice")
        posted = [message.body for message in emsp.of("invoicereconciliation")]
        assert [one["cdrs"] for one in posted] == [[first], [second]]
        assert posted[0].keys() == {"country_code", "party_id", "id", "invoice_id", "cdrs", "last_updated"}
        assert await emsp.pulled("invoicereconciliation") == posted


async def test_earlier_versions_have_no_invoices(emsp: Emsp) -> None:
    await billed(emsp, "3256", "R1")
    assert await emsp.admin("invoice") == {"invoices": []}
    assert (await emsp.call("GET", "/invoicereconciliation")).status_code == 404
