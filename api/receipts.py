"""``/v1/sessions/{session_id}/receipt``: what a session cost, in JSON and on paper; and a declined payment's retry."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api import documentation as doc
from api.auth import READ, WRITE, User, authenticated
from api.branch import Branch
from api.desk import desk_of
from api.ownership import own_session
from api.schemas import ReceiptAnswer, RetryAnswer
from charging.errors import Problem
from charging.ocpi.wire import plain
from charging.payments.receipt import PaymentStatus, Receipt
from charging.receipt_pdf import draw_receipt
from charging.store.settlements import SettlementStore

router = Branch(
    prefix="/v1/sessions",
    tags=["Sessions"],
    responses=doc.problems("unauthorized", "insufficient_scope", "service_unavailable"),
)

Reader = Annotated[User, Depends(authenticated(READ))]
CostlyReader = Annotated[User, Depends(authenticated(READ, costly=True))]
Writer = Annotated[User, Depends(authenticated(WRITE))]
_CODES = ("session_not_found", "receipt_not_found", "receipt_not_ready", "validation_error")


class ReceiptQuery(BaseModel):
    """Which receipt; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(None, ge=1, le=10**6, description="An earlier version. Otherwise the newest.")


Wanted = Annotated[ReceiptQuery, Query()]


@router.get(
    "/{session_id}/receipt", response_model=ReceiptAnswer, summary="What it cost", responses=doc.problems(*_CODES)
)
async def read_receipt(request: Request, session_id: str, user: Reader, query: Wanted) -> Response:
    """Exists for every session that has a CDR, whatever its status, and for ever. A correction makes a new version."""
    receipt = await _receipt(request, session_id, user, query.version)
    return _json(plain(receipt.model_dump()))


@router.get(
    "/{session_id}/receipt.pdf",
    summary="What it cost, on paper",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}, **doc.problems(*_CODES)},
)
async def read_receipt_pdf(request: Request, session_id: str, user: CostlyReader, query: Wanted) -> Response:
    """The same receipt as one page."""
    receipt = await _receipt(request, session_id, user, query.version)
    name = f"receipt-{receipt.session_id}-{receipt.version}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    content = await asyncio.to_thread(draw_receipt, receipt)  # fonts take their time
    return Response(content, headers=headers, media_type="application/pdf")


@router.post(
    "/{session_id}/payment/retry",
    status_code=202,
    response_model=RetryAnswer,
    summary="Pay again what was declined",
    responses=doc.problems("session_not_found", "receipt_not_ready", "payment_not_retryable"),
)
async def retry_payment(request: Request, session_id: str, user: Writer) -> Response:
    """Asks again for what is still owed, after a payment was declined. Repeatable: it is never paid twice."""
    receipt = await _receipt(request, session_id, user, None)
    if receipt.payment_status not in (PaymentStatus.FAILED, PaymentStatus.PENDING):
        raise Problem(409, "payment_not_retryable", "Nothing is left to pay.")
    store = SettlementStore(desk_of(request).services.database)
    await store.settle_again(receipt.session_id, datetime.now(UTC))
    return _json({"session_id": receipt.session_id, "payment_status": PaymentStatus.PENDING}, 202)


async def _receipt(request: Request, session_id: str, user: User, version: int | None) -> Receipt:
    """The user's own receipt. Raises ``Problem``."""
    desk = desk_of(request)
    row = await own_session(desk, session_id, user)
    found = await desk.reader.receipt(row.id, version)
    if found is None and version is not None:
        raise Problem(404, "receipt_not_found", "There is no such version of the receipt.")
    if found is None:
        raise Problem(409, "receipt_not_ready", "The CPO has not billed this session yet.")
    body, payment_status = found
    return Receipt.model_validate({**body, "payment_status": payment_status})


def _json(answer: object, status_code: int = 200) -> Response:
    return Response(json.dumps(answer), status_code, media_type="application/json")
