"""START_SESSION and STOP_SESSION, the RECEIVER side (OCPI 2.2.1 §13).

Everything that a command sets off is written before it is answered. A START that comes twice is executed twice: two
sessions in the records are how a double start is seen.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.ocpi.models import StartSession, StopSession
from charging.sandbox import answers, clock, station
from charging.sandbox.answering import RESPONSE_TIMEOUT_S, owed, respond, settle, with_reference
from charging.sandbox.answers import Answers
from charging.sandbox.beginning import TOKEN_FIELDS, new_session, scheduled, waiting
from charging.sandbox.cpo import Cpo
from charging.sandbox.faults import COMMAND_KINDS, SESSION_KINDS, Fault
from charging.sandbox.locations import CHARGERS, LOCATION_ID, Outlet
from charging.sandbox.quirks import Quirk
from charging.sandbox.records import Job, Start, Stop
from charging.sandbox.registration import Peer
from charging.sandbox.speaking import Refusal, body_of, caller, cpo_of, driver_of
from charging.sandbox.station import ChargingSession, Script, State

router = APIRouter(prefix="/ocpi/cpo/{version}/commands")


@router.post("/START_SESSION")
async def start_session(request: Request) -> Response:
    """Start charging with the car that stands at the EVSE."""
    peer = caller(request)
    command = with_reference(await body_of(request, StartSession, "start_session", peer.party))
    cpo, now = cpo_of(request), clock.now()
    if command.evse_uid is None and Quirk.NEEDS_EVSE in cpo.quirks:
        cpo.record_start(_start_record(command, now, "REJECTED"), [], [])
        return respond(request, "REJECTED")
    outlet = _outlet(cpo, command, now)
    fault = cpo.fault(COMMAND_KINDS, "START_SESSION", evse_uid=command.evse_uid)
    answer = answers.spoiled(_natural(cpo, command), fault, command.response_url)
    if fault is not None and fault.kind == "session_first":
        answer = replace(answer, delay_s=cpo.settings.start_delay_s + answer.delay_s + 0.5)
    sessions = _sessions(cpo, peer, command, outlet, fault) if _begins(answer, fault) else []
    jobs = owed(request, answer, peer, command.response_url, command.evse_uid)
    record = _start_record(command, now, answer.response)
    made = [session.id for session in sessions]
    cpo.record_start(record.model_copy(update={"result": answer.result, "session_ids": made}), sessions, jobs)
    await _set_off(request, sessions, jobs, answer, fault)
    return respond(request, answer.response)


def _outlet(cpo: Cpo, command: StartSession, now: datetime) -> Outlet:
    """The connector meant. Raises ``Refusal`` 2003, on record."""
    charger = CHARGERS.get(command.evse_uid or "") if command.location_id == LOCATION_ID else None
    outlet = charger.outlet(command.connector_id) if charger else None
    if outlet is None:
        cpo.record_start(_start_record(command, now, "unknown location"), [], [])
        raise Refusal(200, wire.UNKNOWN_LOCATION, "no such location, EVSE or connector")
    return outlet


def _start_record(command: StartSession, now: datetime, response: str) -> Start:
    return Start(
        id=uuid4().hex,
        received_at=now,
        response=response,
        authorization_reference=command.authorization_reference,
        token_uid=command.token.uid,
        evse_uid=command.evse_uid,
        connector_id=command.connector_id,
        response_url=command.response_url,
    )


def _natural(cpo: Cpo, command: StartSession) -> Answers:
    """What an honest charge point says."""
    bay = cpo.bays[command.evse_uid or ""]
    delay = cpo.settings.result_delay_s
    if bay.status != "AVAILABLE":
        return answers.failing("EVSE_INOPERATIVE", delay)
    cause = (command.authorization_reference, command.token.uid)
    held = cpo.held_at(bay.uid, clock.now())
    others = [s for s in cpo.live_at(bay.uid) if (s.authorization_reference, s.token["uid"]) != cause]
    is_anothers = held is not None and not held.lets_in(command.token.uid, command.authorization_reference)
    return answers.failing("EVSE_OCCUPIED", delay) if others or is_anothers else Answers(delay_s=delay)


def _begins(answer: Answers, fault: Fault | None) -> bool:
    """Whether there will be a session: also after a result that said no, if the fault wants that."""
    late = fault is not None and fault.kind == "result" and fault.after_s is not None
    return answer.is_executed or late


def _sessions(
    cpo: Cpo, peer: Peer, command: StartSession, outlet: Outlet, fault: Fault | None
) -> list[ChargingSession]:
    """The session that begins; two for the fault ``twin``."""
    quirk = cpo.fault(SESSION_KINDS, "SESSION", evse_uid=command.evse_uid)
    first = _new_session(cpo, peer, command, outlet, quirk)
    first = _scheduled(cpo, first, fault)
    if quirk is None or quirk.kind != "twin":
        return [first]
    return [first, first.model_copy(update={"id": uuid4().hex})]


def _new_session(cpo: Cpo, peer: Peer, command: StartSession, outlet: Outlet, quirk: Fault | None) -> ChargingSession:
    token = {name: getattr(command.token, name) for name in TOKEN_FIELDS}
    is_anonymous = quirk is not None and quirk.kind == "no_reference"
    reference = None if is_anonymous else command.authorization_reference
    place = (command.evse_uid or "", outlet.id)
    return new_session(cpo, peer.key, token, reference, place, script=_script(quirk))


def _script(quirk: Fault | None) -> Script:
    if quirk is None:
        return Script()
    after_s = 2.0 if quirk.after_s is None else quirk.after_s
    return Script(
        silent=quirk.kind == "silent",
        hidden=quirk.kind == "silent" and not quirk.pullable,
        pending_forever=quirk.kind == "pending_forever",
        car_stops_after_s=after_s if quirk.kind == "car_stops" else None,
        invalid_after_s=after_s if quirk.kind == "invalid" else None,
        listed_after_s=quirk.after_s or 0.0 if quirk.kind == "silent" else 0.0,
        idle=quirk.kind == "idle",
    )


def _scheduled(cpo: Cpo, session: ChargingSession, fault: Fault | None) -> ChargingSession:
    """When it begins: soon, when a car comes, or when the fault says so."""
    kind = fault.kind if fault is not None else None
    delay = fault.after_s if fault is not None and fault.after_s is not None else None
    if kind == "session_first" and fault is not None and fault.before_response:
        return station.plug(session, session.created_at, 0)
    if kind == "result" and delay is not None:
        return station.plug(session, session.created_at + timedelta(seconds=delay), 0)
    if kind == "unplugged" and delay is not None:
        return station.plug(session, session.created_at + timedelta(seconds=delay), cpo.settings.start_delay_s)
    return waiting(cpo, session) if kind == "unplugged" else scheduled(cpo, session)


async def _set_off(
    request: Request, sessions: list[ChargingSession], jobs: list[Job], answer: Answers, fault: Fault | None
) -> None:
    driver = driver_of(request)
    for session in sessions:
        driver.drive(session.id)
    if fault is not None and fault.kind == "session_first" and fault.before_response:
        for session in sessions:
            await driver.until_told(session.id, State.ACTIVE, RESPONSE_TIMEOUT_S)
    await settle(request, jobs, answer)


@router.post("/STOP_SESSION")
async def stop_session(request: Request) -> Response:
    """End a session of the caller's."""
    peer, command = caller(request), await body_of(request, StopSession, "stop_session")
    cpo, now = cpo_of(request), clock.now()
    known = cpo.visible_session(peer.key, command.session_id)
    session = cpo.advance(known.id, now) if known is not None and known.is_live else None
    evse_uid = known.evse_uid if known is not None else None
    fault = cpo.fault(COMMAND_KINDS, "STOP_SESSION", evse_uid=evse_uid)
    is_live = session is not None and session.is_live
    natural = Answers(delay_s=cpo.settings.result_delay_s) if is_live else answers.refusing("UNKNOWN_SESSION")
    answer = answers.spoiled(natural, fault, command.response_url)
    jobs = owed(request, answer, peer, command.response_url, evse_uid)
    stopped = _stopped(cpo, session, now) if session is not None and answer.is_executed else None
    record = Stop(
        id=uuid4().hex,
        received_at=now,
        response=answer.response,
        result=answer.result,
        session_id=command.session_id,
    )
    cpo.record_stop(record, stopped, jobs)
    if stopped is not None:
        driver_of(request).poke(stopped.id)
    await settle(request, jobs, answer)
    return respond(request, answer.response)


def _stopped(cpo: Cpo, session: ChargingSession, now: datetime) -> ChargingSession:
    return station.end(session, now + timedelta(seconds=cpo.settings.stop_delay_s), "REMOTE")


@router.post("/{command}")
async def other_command(request: Request, command: str) -> Response:
    """What no version knows."""
    caller(request)
    raise Refusal(404, wire.CLIENT_ERROR, f"no such command: {command[:36]}")
