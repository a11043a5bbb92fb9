"""Charging profiles, the RECEIVER side (OCPI 2.2.1 §14.2): set, clear and show, for a session of the caller's.

The charger obeys from the moment of the call; the result follows, as from a real charge point.
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.ocpi.models import ChargingProfile, SetChargingProfile, to_wire
from charging.sandbox import answers, clock, station
from charging.sandbox.answers import Answers
from charging.sandbox.cpo import Cpo
from charging.sandbox.faults import COMMAND_KINDS
from charging.sandbox.limits import Limits, from_profile
from charging.sandbox.locations import CHARGERS
from charging.sandbox.records import ProfileCall
from charging.sandbox.registration import Peer
from charging.sandbox.speaking import Refusal, body_of, caller, cpo_of, driver_of, reply
from charging.sandbox.station import ChargingSession

router = APIRouter(prefix="/ocpi/cpo/{version}/chargingprofiles")

RESPONSE_TIMEOUT_S = 30
UNITS = ("W", "A")


@router.put("/{session_id}")
async def set_profile(request: Request, session_id: str) -> Response:
    """Limit a session."""
    peer, command = caller(request), await body_of(request, SetChargingProfile)
    return await _call(request, peer, "SET_PROFILE", session_id, command.response_url, command.charging_profile)


@router.delete("/{session_id}")
async def clear_profile(request: Request, session_id: str) -> Response:
    """Full speed again."""
    peer = caller(request)
    return await _call(request, peer, "CLEAR_PROFILE", session_id, _response_url(request), None)


@router.get("/{session_id}")
async def active_profile(request: Request, session_id: str) -> Response:
    """What limits a session now."""
    peer = caller(request)
    return await _call(request, peer, "ACTIVE_PROFILE", session_id, _response_url(request), None)


def _response_url(request: Request) -> str:
    url = request.query_params.get("response_url")
    if not url:
        raise Refusal(200, wire.INVALID_PARAMETERS, "response_url is missing")
    return url


async def _call(
    request: Request, peer: Peer, kind: str, session_id: str, response_url: str, profile: ChargingProfile | None
) -> Response:
    cpo, now = cpo_of(request), clock.now()
    session = _session(cpo, peer, session_id, now)
    fault = cpo.fault(COMMAND_KINDS, kind, evse_uid=session.evse_uid if session else None)
    answer = answers.spoiled(_natural(cpo, session, profile), fault, response_url)
    limited = _limited(session, kind, profile, now) if session is not None and answer.is_executed else None
    shown = _shown(limited) if kind == "ACTIVE_PROFILE" and limited and answer.result == answers.ACCEPTED else {}
    owed = answers.jobs(answer, peer, response_url, now, {"result": answer.result, **shown})
    record = ProfileCall(
        id=uuid4().hex,
        received_at=now,
        response=answer.response,
        result=answer.result,
        kind=kind,
        session_id=session_id,
        charging_profile=to_wire(profile) if profile else None,
    )
    cpo.record_profile(record, limited, owed)
    for job in owed:
        if answer.result_first:
            await driver_of(request).deliver(job)
        else:
            driver_of(request).owe(job)
    return reply(request, {"result": answer.response, "timeout": RESPONSE_TIMEOUT_S})


def _session(cpo: Cpo, peer: Peer, session_id: str, now: datetime) -> ChargingSession | None:
    known = cpo.visible_session(peer.key, session_id)
    session = cpo.advance(known.id, now) if known is not None and known.is_live else None
    return session if session is not None and session.is_live else None


def _natural(cpo: Cpo, session: ChargingSession | None, profile: ChargingProfile | None) -> Answers:
    if session is None:
        return answers.refusing("UNKNOWN_SESSION")
    if not CHARGERS[session.evse_uid].takes_profiles:
        return answers.refusing("NOT_SUPPORTED")
    delay = cpo.settings.result_delay_s
    return answers.failing("REJECTED", delay) if profile and not _makes_sense(profile) else Answers(delay_s=delay)


def _makes_sense(profile: ChargingProfile) -> bool:
    starts = [period.start_period for period in profile.charging_profile_period]
    limits = [period.limit for period in profile.charging_profile_period]
    return (
        profile.charging_rate_unit in UNITS
        and starts[:1] == [0]
        and starts == sorted(set(starts))
        and all(limit >= 0 for limit in limits)
    )


def _limited(session: ChargingSession, kind: str, profile: ChargingProfile | None, now: datetime) -> ChargingSession:
    if kind == "ACTIVE_PROFILE":
        return session
    if profile is None:
        return station.limit(session, now, None, Limits())
    since = session.started_at or session.active_at or now
    return station.limit(session, now, to_wire(profile), from_profile(profile, since, session.outlet))


def _shown(session: ChargingSession) -> dict[str, Any]:
    """The profile in force; without one, what the EVSE can do."""
    start = session.started_at or session.created_at
    most = {"start_period": 0, "limit": int(session.outlet.max_kw * 1000)}
    unlimited = {"charging_rate_unit": "W", "charging_profile_period": [most]}
    shown = {"start_date_time": start, "charging_profile": session.profile or unlimited}
    return {"profile": wire.plain(shown)}
