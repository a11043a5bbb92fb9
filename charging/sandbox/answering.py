"""What all commands have in common (OCPI 2.2.1 §13): the response at once, the results that are owed."""

from typing import TypeVar

from fastapi import Request, Response

from charging.ocpi.models import ReserveNow, StartSession
from charging.sandbox import answers, clock
from charging.sandbox.answers import Answers
from charging.sandbox.quirks import Quirk
from charging.sandbox.records import Job
from charging.sandbox.registration import Peer
from charging.sandbox.speaking import cpo_of, dialect_of, driver_of, reply

RESPONSE_TIMEOUT_S = 30

Referring = TypeVar("Referring", StartSession, ReserveNow)


def with_reference(command: Referring) -> Referring:
    """2.1.1 has no authorization_reference; some hubs call theirs authorization_id."""
    identity = (command.model_extra or {}).get("authorization_id")
    reference = command.authorization_reference or identity
    return command.model_copy(update={"authorization_reference": reference})


def owed(request: Request, answer: Answers, peer: Peer, response_url: str, evse_uid: str | None) -> list[Job]:
    """The results in the peer's version, at the URL of this command, or as a quirk has it, of one before."""
    cpo, theirs = cpo_of(request), dialect_of(request)
    waiting = [job.url for job in cpo.jobs.values() if job.evse_uid == evse_uid and evse_uid is not None]
    url = waiting[0] if waiting and Quirk.MIXED_UP in cpo.quirks else response_url
    body = theirs.write("command_result", {"result": answer.result})
    jobs = answers.jobs(answer, peer, url, clock.now(), body)
    return [job.model_copy(update={"evse_uid": evse_uid}) for job in jobs]


async def settle(request: Request, jobs: list[Job], answer: Answers) -> None:
    """Post the results: later, or before this very answer."""
    for job in jobs:
        if answer.result_first:
            await driver_of(request).deliver(job)
        else:
            driver_of(request).owe(job)


def respond(request: Request, result: str) -> Response:
    """The CommandResponse, in the peer's version."""
    answer = {"result": result, "timeout": RESPONSE_TIMEOUT_S}
    return reply(request, dialect_of(request).write("command_response", answer))
