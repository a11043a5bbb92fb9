"""What CPOs have invoiced, for the operator of this engine: which of the CDRs named there we know."""

from typing import Any

from fastapi import Depends, Request
from pydantic import BaseModel

from api import documentation as doc
from api.admin import require_admin
from api.branch import Branch
from charging.store.invoices import InvoiceStore, ListedInvoice

LIMIT = 200

router = Branch(
    prefix="/ocpi",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    responses=doc.problems("unauthorized", "service_unavailable"),
)


class InvoicedCdr(BaseModel):
    """A CDR on an invoice. ``is_known`` False: it never reached us. ``session_id``: what it bills, where it is ours."""

    cdr_id: str
    is_known: bool
    session_id: str | None


class InvoiceView(BaseModel):
    """One InvoiceReconciliationRecord (OCPI 2.3.0)."""

    connection: str
    country_code: str
    party_id: str
    id: str
    invoice_id: str
    last_updated: str
    cdrs: list[InvoicedCdr]


class InvoiceList(BaseModel):
    """The newest first."""

    invoices: list[InvoiceView]


@router.get("/invoices")
async def list_invoices(request: Request) -> InvoiceList:
    """The newest 200 invoices that CPOs have told of, with what we know of their CDRs."""
    found = await InvoiceStore(request.app.state.services.database).newest(LIMIT)
    return InvoiceList(invoices=[_view(invoice) for invoice in found])


def _view(invoice: ListedInvoice) -> InvoiceView:
    names = ("country_code", "party_id", "id", "invoice_id", "last_updated")
    facts: dict[str, Any] = {name: str(invoice.body[name]) for name in names}
    billed = [InvoicedCdr(cdr_id=c.cdr_id, is_known=c.is_known, session_id=c.session_id) for c in invoice.cdrs]
    return InvoiceView(connection=invoice.connection, cdrs=billed, **facts)
