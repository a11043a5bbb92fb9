"""``/v1/admin/disputes``: CDRs that are wrong or in quarantine, for a person to decide. ``X-API-Key`` on all of it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict

from api import documentation as doc
from api.admin import require_admin, services_of, text_of
from api.branch import Branch
from charging.errors import Problem
from charging.ocpi.wire import plain
from charging.payments.bill import Dispute
from charging.store.disputes import CannotAccept, DisputedCdr, DisputeStore
from charging.tariffs.comparison import Difference

LIMIT = 200

router = Branch(
    prefix="/v1/admin/disputes",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    responses=doc.problems("unauthorized", "service_unavailable"),
)


class DisputeQuery(BaseModel):
    """Which disputes; an unknown filter is refused."""

    model_config = ConfigDict(extra="forbid")

    status: Dispute = Dispute.OPEN


class DisputeView(BaseModel):
    """A CDR about which a person decides, or has decided.

    ``state`` is what became of the CDR: ``settled`` (it is paid, and flagged), ``quarantined`` (nothing is paid, for
    the reason in ``problem``), ``rejected``. ``verdict`` and ``differences`` are the audit's, null where it has none.
    """

    id: str
    status: Dispute
    session_id: str | None
    connection: str
    cdr_id: str
    state: str
    problem: str | None
    verdict: str | None
    differences: list[Difference]
    total_cost: Any
    currency: Any
    energy_kwh: Any
    received_at: str
    decided_at: str | None


class DisputeList(BaseModel):
    """The newest first."""

    disputes: list[DisputeView]


@router.get("", responses=doc.problems("validation_error"))
async def list_disputes(request: Request, query: Annotated[DisputeQuery, Query()]) -> DisputeList:
    """The newest 200 that are open; `?status=accepted` or `rejected`: that were decided so."""
    found = await DisputeStore(services_of(request).database).newest(query.status, LIMIT)
    return DisputeList(disputes=[_view(dispute) for dispute in found])


@router.post("/{dispute_id}/accept", responses=doc.problems("dispute_not_found", "dispute_not_acceptable"))
async def accept_dispute(request: Request, dispute_id: str) -> DisputeView:
    """Have the CDR paid as it is, also in place of another one that its session has."""
    return await _decide(request, dispute_id, Dispute.ACCEPTED)


@router.post("/{dispute_id}/reject", responses=doc.problems("dispute_not_found"))
async def reject_dispute(request: Request, dispute_id: str) -> DisputeView:
    """Keep the CDR and pay nothing for it. What was paid is refunded."""
    return await _decide(request, dispute_id, Dispute.REJECTED)


async def _decide(request: Request, dispute_id: str, decision: Dispute) -> DisputeView:
    store = DisputeStore(services_of(request).database)
    try:
        return _view(await store.decide(dispute_id, decision, datetime.now(UTC)))
    except LookupError as error:
        raise Problem(404, "dispute_not_found", "There is no such dispute.") from error
    except CannotAccept as error:
        raise Problem(409, "dispute_not_acceptable", f"It cannot be paid: {error}.") from error


def _view(found: DisputedCdr) -> DisputeView:
    return DisputeView(
        id=found.id,
        status=found.dispute,
        session_id=found.session_id,
        connection=found.connection,
        cdr_id=found.cdr_id,
        state=found.state,
        problem=found.problem,
        verdict=found.audit.verdict if found.audit else None,
        differences=found.audit.differences if found.audit else [],
        total_cost=plain(found.body.get("total_cost")),
        currency=found.body.get("currency"),
        energy_kwh=plain(found.body.get("total_energy")),
        received_at=found.received_at.isoformat(),
        decided_at=text_of(found.decided_at),
    )
