"""Charging preferences, the SENDER side of sessions (OCPI 2.2.1 §9.2.1.2): what the driver wants, and we plan."""

from uuid import uuid4

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.ocpi.models import ChargingPreferences, to_wire
from charging.ocpi.versions.v211 import V211
from charging.sandbox import clock, preferring, station
from charging.sandbox.locations import CHARGERS
from charging.sandbox.records import ProfileCall
from charging.sandbox.speaking import Refusal, body_of, caller, cpo_of, reply

router = APIRouter(prefix="/ocpi/cpo/{version}/sessions")


@router.put("/{session_id}/charging_preferences")
async def set_preferences(request: Request, session_id: str) -> Response:
    """Take what the driver of a session wants, or say why not."""
    peer, cpo, now = caller(request), cpo_of(request), clock.now()
    if peer.version == V211.version:
        raise Refusal(404, wire.CLIENT_ERROR, "no charging preferences in this version")
    wanted = await body_of(request, ChargingPreferences)
    known = cpo.visible_session(peer.key, session_id)
    session = cpo.advance(known.id, now) if known is not None and known.is_live else None
    if session is None or not session.is_live:
        raise Refusal(404, wire.CLIENT_ERROR, "no such session, or it is over")
    if not CHARGERS[session.evse_uid].takes_preferences:
        raise Refusal(404, wire.INVALID_PARAMETERS, "this EVSE takes no charging preferences")
    fault = cpo.fault(frozenset({"response"}), "PREFERENCES", evse_uid=session.evse_uid)
    answer = (fault.result if fault else None) or preferring.answer(session, wanted, now)
    record = ProfileCall(
        id=uuid4().hex,
        received_at=now,
        response=answer,
        kind="PREFERENCES",
        session_id=session_id,
        charging_preferences=wire.plain(to_wire(wanted)),
    )
    planned = None
    if answer == "ACCEPTED":
        planned = station.limit(session, now, None, preferring.plan(session, wanted, now))
    cpo.record_profile(record, planned, [])
    return reply(request, answer)
