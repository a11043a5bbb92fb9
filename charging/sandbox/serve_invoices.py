"""Invoice reconciliation, the SENDER side (OCPI 2.3.0 only): which CDRs an invoice is about.

``POST /admin/invoice {"invoice_id"?}``: bill every eMSP of 2.3.0 for its CDRs that were on no invoice yet, and tell
it by a POST, which is tried once like every push. The list has all records.
"""

from uuid import uuid4

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from charging.ocpi import wire
from charging.ocpi.versions import dialect
from charging.sandbox import clock, messages
from charging.sandbox.cpo import Cpo
from charging.sandbox.records import Invoice
from charging.sandbox.registration import Peer
from charging.sandbox.speaking import cpo_of, pusher_of

router = APIRouter()

MODULE = "invoicereconciliation"


class _Bill(BaseModel):
    model_config = ConfigDict(extra="forbid")

    invoice_id: str | None = Field(None, min_length=1, max_length=255)


@router.post("/admin/invoice")
async def invoice(request: Request, bill: _Bill) -> Response:
    """Bill what was not billed yet. Answers with the records, one for each eMSP that owes something."""
    cpo = cpo_of(request)
    made = [record for peer in cpo.peers.values() if (record := _record(cpo, peer, bill.invoice_id)) is not None]
    for record in made:
        cpo.save_invoice(record)
        body = dialect(cpo.peers[record.emsp].version).write("invoice_reconciliation", messages.invoice_object(record))
        sent = await pusher_of(request).invoice(cpo.peers[record.emsp], body)
        cpo.save_invoice(record.model_copy(update={"sent": sent}))
    told = [cpo.invoices[record.id].model_dump() for record in made]
    return Response(wire.dumps({"invoices": told}), media_type="application/json")


def _record(cpo: Cpo, peer: Peer, invoice_id: str | None) -> Invoice | None:
    if MODULE not in dialect(peer.version).modules:
        return None
    billed = {cdr_id for one in cpo.invoices.values() for cdr_id in one.cdrs}
    cdrs = [cdr.id for cdr in cpo.cdrs.values() if cdr.emsp == peer.key and cdr.issued and cdr.id not in billed]
    number = invoice_id or f"{clock.now():%Y}-{len(cpo.invoices) + 1:04}"
    return Invoice(id=uuid4().hex, emsp=peer.key, invoice_id=number, cdrs=cdrs, at=clock.now()) if cdrs else None
