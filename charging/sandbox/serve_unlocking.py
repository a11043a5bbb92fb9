"""UNLOCK_CONNECTOR (OCPI 2.2.1 §13.3.7): a stuck cable. It ends nothing: while a car charges the lock stays shut."""

from uuid import uuid4

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.ocpi.models import UnlockConnector
from charging.sandbox import answers, clock
from charging.sandbox.answering import owed, respond, settle
from charging.sandbox.answers import Answers
from charging.sandbox.faults import COMMAND_KINDS
from charging.sandbox.locations import CHARGERS, LOCATION_ID
from charging.sandbox.records import OtherCommand
from charging.sandbox.speaking import Refusal, body_of, caller, cpo_of

router = APIRouter(prefix="/ocpi/cpo/{version}/commands")


@router.post("/UNLOCK_CONNECTOR")
async def unlock_connector(request: Request) -> Response:
    """Let go of the plug, unless a session holds it."""
    peer, command = caller(request), await body_of(request, UnlockConnector, "unlock_connector")
    cpo, uid = cpo_of(request), command.evse_uid
    charger = CHARGERS.get(uid) if command.location_id == LOCATION_ID else None
    if charger is None or charger.outlet(command.connector_id) is None:
        raise Refusal(200, wire.UNKNOWN_LOCATION, "no such location, EVSE or connector")
    delay = cpo.settings.result_delay_s
    natural = answers.failing("REJECTED", delay) if cpo.live_at(uid) else Answers(delay_s=delay)
    fault = cpo.fault(COMMAND_KINDS, "UNLOCK_CONNECTOR", evse_uid=uid)
    answer = answers.spoiled(natural, fault, command.response_url)
    record = OtherCommand(
        id=uuid4().hex,
        received_at=clock.now(),
        response=answer.response,
        result=answer.result,
        kind="UNLOCK_CONNECTOR",
        evse_uid=uid,
        connector_id=command.connector_id,
    )
    jobs = owed(request, answer, peer, command.response_url, uid)
    cpo.record_command(record, None, jobs)
    await settle(request, jobs, answer)
    return respond(request, answer.response)
