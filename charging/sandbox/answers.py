"""The two answers to a command: the response at once, the result later, as a fault wants them. Pure but for ids.

Commands and charging profiles share the pattern (OCPI 2.2.1 §13.1, §14.2): the response says that we understood,
the result what the charge point said.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from charging.sandbox.faults import Fault
from charging.sandbox.records import Job
from charging.sandbox.registration import Peer

ACCEPTED = "ACCEPTED"


@dataclass(frozen=True)
class Answers:
    """``result`` None: silence. ``is_executed``: whether anything happens at the charge point."""

    response: str = ACCEPTED
    result: str | None = ACCEPTED
    delay_s: float = 0.0
    copies: int = 1
    stray_url: str | None = None
    result_first: bool = False
    is_executed: bool = True

    @property
    def is_accepted(self) -> bool:
        """Whether a result may follow at all."""
        return self.response == ACCEPTED


def refusing(response: str) -> Answers:
    """No, at once."""
    return Answers(response=response, result=None, is_executed=False)


def failing(result: str, delay_s: float) -> Answers:
    """Understood, but the charge point says no."""
    return Answers(result=result, delay_s=delay_s, is_executed=False)


def spoiled(answers: Answers, fault: Fault | None, response_url: str) -> Answers:
    """``answers`` as ``fault`` wants them."""
    match fault.kind if fault is not None else None:
        case "response":
            return refusing(_wanted(fault))
        case "result":
            return replace(answers, result=_wanted(fault), is_executed=False)
        case "no_result":
            return replace(answers, result=None)
        case "result_first":
            return replace(answers, result_first=True)
        case "late_result":
            return replace(answers, delay_s=fault.seconds if fault else 0.0)
        case "duplicate_result":
            return replace(answers, copies=fault.copies if fault else 1)
        case "foreign_result":
            stray = fault.url if fault and fault.url else f"{response_url.rpartition('/')[0]}/{uuid4().hex}"
            return replace(answers, stray_url=stray)
        case "ignored":
            return replace(answers, is_executed=False)
        case _:
            return answers


def _wanted(fault: Fault | None) -> str:
    return (fault.result if fault else None) or "REJECTED"


def jobs(answers: Answers, peer: Peer, response_url: str, now: datetime, body: dict[str, Any]) -> list[Job]:
    """The results with ``body`` that ``answers`` make us owe, in the order in which they are to arrive."""
    if not answers.is_accepted or answers.result is None:
        return []
    strays = [answers.stray_url] if answers.stray_url else []
    urls = [*strays, *([response_url] * answers.copies)]
    return [
        # A breath between them keeps their order.
        Job(
            id=uuid4().hex,
            emsp=peer.key,
            url=url,
            body=body,
            due_at=now + timedelta(seconds=answers.delay_s, milliseconds=50 * number),
        )
        for number, url in enumerate(urls)
    ]
