"""``/v1/reservations``: a robot keeps an EVSE free for a car that is on its way. Endpoints only translate."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request, Response

from api import documentation as doc
from api.auth import READ, WRITE, User, authenticated
from api.branch import Branch
from api.desk import desk_of
from api.problems import invalid_field
from api.schemas import ReservationAnswer, ReservationRequest
from api.sessions import idempotency_key
from api.strict_json import strict_body
from charging.errors import Problem
from charging.store.reservations import Reservation

LONGEST = timedelta(hours=24)

router = Branch(
    prefix="/v1/reservations",
    tags=["Reservations"],
    responses=doc.problems("unauthorized", "insufficient_scope", "service_unavailable"),
)

Reader = Annotated[User, Depends(authenticated(READ))]
Writer = Annotated[User, Depends(authenticated(WRITE, costly=True))]
Order = Annotated[ReservationRequest, Depends(strict_body(ReservationRequest))]


@router.post(
    "",
    status_code=201,
    summary="Reserve an EVSE",
    responses=doc.problems(
        *doc.BODY_CODES,
        "idempotency_key_invalid",
        "idempotency_key_reused",
        "evse_not_found",
        "evse_busy",
        "evse_reserved",
        "evse_out_of_service",
        "command_in_flight",
    ),
    openapi_extra=doc.with_key(ReservationRequest),
)
async def reserve(request: Request, response: Response, user: Writer, order: Order) -> ReservationAnswer:
    """Until `expires_at`, at most 24 h ahead. `pending` until the charge point's word is here: read it again."""
    now = datetime.now(UTC)
    if order.expires_at <= now:
        raise invalid_field("expires_at", "expiry_in_the_past", "Must be in the future.")
    if order.expires_at > now + LONGEST:
        raise invalid_field("expires_at", "expiry_too_late", "Must be within 24 hours.")
    reservation = await desk_of(request).reserver.reserve(user, order, idempotency_key(request))
    response.headers["Location"] = f"/v1/reservations/{reservation.id}"
    return _answer(reservation)


@router.get("/{reservation_id}", summary="A reservation", responses=doc.problems("reservation_not_found"))
async def read(request: Request, reservation_id: str, user: Reader) -> ReservationAnswer:
    """How it stands now."""
    return _answer(await _own(request, reservation_id, user))


@router.delete(
    "/{reservation_id}",
    summary="Give a reservation back",
    responses=doc.problems("reservation_not_found", "cancel_rejected", "command_in_flight"),
)
async def cancel(request: Request, reservation_id: str, user: Writer) -> ReservationAnswer:
    """Repeatable. `cancelling` until the CPO confirms; what is over answers its true status."""
    own = await _own(request, reservation_id, user)
    return _answer(await desk_of(request).reserver.cancel(own))


async def _own(request: Request, reservation_id: str, user: User) -> Reservation:
    absent = Problem(404, "reservation_not_found", "You have no such reservation.")
    try:
        wanted = str(uuid.UUID(reservation_id))
    except ValueError:
        raise absent from None
    found = await desk_of(request).reserver.own(wanted, user)
    if found is None:
        raise absent
    return found


def _answer(reservation: Reservation) -> ReservationAnswer:
    return ReservationAnswer(
        reservation_id=reservation.id,
        status=reservation.status_at(datetime.now(UTC)).value,
        evse_id=reservation.evse_id,
        network=reservation.network,
        expires_at=reservation.expires_at,
        result=reservation.result,
        session_id=reservation.session_id,
    )
