"""What a check found, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from charging.ocpi.findings import RULES, Finding, section_of


class Verdict(StrEnum):
    """How a step went. ``warning``: it works, and is not as OCPI has it."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class StepFailed(Exception):
    """What was expected did not happen; the words say what was seen."""


class StepSkipped(Exception):
    """The CPO does not offer this, or a step before has failed."""


@dataclass
class Step:
    """One step: what is expected and where OCPI (2.2.1) says so, what was seen, and what messages violated."""

    name: str
    expected: str
    section: str
    seen: str = ""
    verdict: Verdict = Verdict.OK
    findings: Sequence[Finding] = ()

    def warn(self, words: str) -> None:
        """Something that is not right and does not hinder."""
        self.verdict = Verdict.WARNING
        self.seen = f"{self.seen}; {words}" if self.seen else words

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "step": self.name,
            "verdict": self.verdict.value,
            "expected": self.expected,
            "seen": self.seen,
            "section": self.section,
            "findings": [
                {
                    "rule": finding.rule,
                    "module": finding.module,
                    "where": finding.example,
                    "words": RULES[finding.rule].words,
                    "section": section_of(finding),
                }
                for finding in self.findings
            ],
        }


@dataclass
class Report:
    """All steps, in order. ``version``: that of OCPI which was spoken; None: none was found."""

    url: str
    version: str | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def is_passed(self) -> bool:
        """Whether no step failed."""
        return all(step.verdict is not Verdict.FAILED for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "url": self.url,
            "version": self.version,
            "passed": self.is_passed,
            "steps": [step.as_json() for step in self.steps],
        }
