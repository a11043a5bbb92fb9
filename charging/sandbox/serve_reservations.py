"""RESERVE_NOW and CANCEL_RESERVATION (OCPI 2.2.1 §13.3.4, §13.3.3): a charger is held for one token until it expires.

The charger obeys from the moment of the call; the result follows, as from a real charge point.
"""

from datetime import datetime, timedelta
from uuid import uuid4

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.ocpi.models import CancelReservation, ReserveNow
from charging.ocpi.versions.v211 import V211
from charging.sandbox import answers, clock
from charging.sandbox.answering import owed, respond, settle, with_reference
from charging.sandbox.answers import Answers
from charging.sandbox.cpo import Cpo
from charging.sandbox.faults import COMMAND_KINDS, Fault
from charging.sandbox.locations import CHARGERS, LOCATION_ID
from charging.sandbox.records import Job, OtherCommand
from charging.sandbox.registration import Peer
from charging.sandbox.reservations import Reservation, Standing, key_of
from charging.sandbox.speaking import Refusal, body_of, caller, cpo_of, dialect_of, driver_of

router = APIRouter(prefix="/ocpi/cpo/{version}/commands")


@router.post("/RESERVE_NOW")
async def reserve_now(request: Request) -> Response:
    """Hold an EVSE. The same reservation_id again replaces what it held before."""
    peer = caller(request)
    command = with_reference(await body_of(request, ReserveNow, "reserve_now", peer.party))
    cpo, now, uid = cpo_of(request), clock.now(), command.evse_uid or ""
    if uid not in CHARGERS or command.location_id != LOCATION_ID:
        raise Refusal(200, wire.UNKNOWN_LOCATION, "no such location or EVSE")
    fault = cpo.fault(COMMAND_KINDS, "RESERVE_NOW", evse_uid=uid)
    answer = answers.spoiled(_natural(cpo, peer, command, uid, now), fault, command.response_url)
    made = _made(peer, command, uid, fault, now) if answer.is_executed else None
    jobs = owed(request, answer, peer, command.response_url, uid)
    if made is not None and made.withdrawn_at is not None:
        jobs += _withdrawal(request, peer, command.response_url, made.withdrawn_at)
    before = cpo.reservations.get(key_of(peer.key, command.reservation_id))
    cpo.record_command(_record("RESERVE_NOW", command.reservation_id, uid, answer, now), made, jobs)
    for one in (before, made):
        if one is not None:
            driver_of(request).watch(one)
    await settle(request, jobs, answer)
    return respond(request, answer.response)


def _natural(cpo: Cpo, peer: Peer, command: ReserveNow, uid: str, now: datetime) -> Answers:
    """What an honest charge point says."""
    delay = cpo.settings.result_delay_s
    if command.expiry_date <= now:
        return answers.refusing("REJECTED")
    if cpo.bays[uid].status != "AVAILABLE":
        return answers.failing("EVSE_INOPERATIVE", delay)
    held = cpo.held_at(uid, now)
    is_anothers = held is not None and held.key != key_of(peer.key, command.reservation_id)
    return answers.failing("EVSE_OCCUPIED", delay) if is_anothers or cpo.live_at(uid) else Answers(delay_s=delay)


def _made(peer: Peer, command: ReserveNow, uid: str, fault: Fault | None, now: datetime) -> Reservation:
    is_withdrawn = fault is not None and fault.kind == "withdrawn"
    after_s = fault.after_s if fault is not None and fault.after_s is not None else 2.0
    return Reservation(
        id=command.reservation_id,
        emsp=peer.key,
        evse_uid=uid,
        token_uid=command.token.uid,
        authorization_reference=command.authorization_reference,
        expires_at=command.expiry_date,
        withdrawn_at=now + timedelta(seconds=after_s) if is_withdrawn else None,
    )


def _withdrawal(request: Request, peer: Peer, response_url: str, at: datetime) -> list[Job]:
    """The word that a reservation is gone, at the URL of its RESERVE_NOW (§13.3.1)."""
    body = dialect_of(request).write("command_result", {"result": "CANCELED_RESERVATION"})
    return [Job(id=uuid4().hex, emsp=peer.key, url=response_url, body=body, due_at=at)]


@router.post("/CANCEL_RESERVATION")
async def cancel_reservation(request: Request) -> Response:
    """Give a reservation of the caller's back. 2.1.1 has no such command."""
    peer = caller(request)
    if dialect_of(request).version == V211.version:
        raise Refusal(404, wire.CLIENT_ERROR, "no such command in this version")
    command = await body_of(request, CancelReservation, "cancel_reservation")
    cpo, now = cpo_of(request), clock.now()
    known = cpo.reservations.get(key_of(peer.key, command.reservation_id))
    held = known if known is not None and known.is_held(now) else None
    uid = known.evse_uid if known is not None else None
    fault = cpo.fault(COMMAND_KINDS, "CANCEL_RESERVATION", evse_uid=uid)
    delay = cpo.settings.result_delay_s
    natural = Answers(delay_s=delay) if held is not None else answers.failing("UNKNOWN_RESERVATION", delay)
    answer = answers.spoiled(natural, fault, command.response_url)
    gone = held.ended(Standing.CANCELED) if held is not None and answer.is_executed else None
    jobs = owed(request, answer, peer, command.response_url, uid)
    cpo.record_command(_record("CANCEL_RESERVATION", command.reservation_id, uid, answer, now), gone, jobs)
    if gone is not None:
        driver_of(request).show(gone.evse_uid)
    await settle(request, jobs, answer)
    return respond(request, answer.response)


def _record(kind: str, reservation_id: str, uid: str | None, answer: Answers, now: datetime) -> OtherCommand:
    return OtherCommand(
        id=uuid4().hex,
        received_at=now,
        response=answer.response,
        result=answer.result,
        kind=kind,
        evse_uid=uid,
        reservation_id=reservation_id,
    )
