"""``charging cpo check`` against the sandbox: a CPO that behaves passes, one that does not is told where."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from charging.ocpi import wire
from charging.ocpi.check.emsp import Emsp, serving
from charging.ocpi.check.report import Report, Verdict
from charging.ocpi.check.steps import Check, Options
from charging.ocpi.transport import Transport
from charging.sandbox.app import create_app
from charging.sandbox.settings import SandboxSettings
from tests.peer import ScriptedCpo, answer
from tests.serving import serve

QUICK: dict[str, float] = {"speed": 600, "result_delay_s": 0, "start_delay_s": 0.1, "stop_delay_s": 0}
QUICK |= {"push_interval_s": 0.1, "cdr_delay_s": 0}


@pytest.fixture
async def cpo(tmp_path: Path) -> AsyncIterator[str]:
    """A sandbox; its URL."""
    async with serve(create_app(SandboxSettings.model_validate({**QUICK, "token": "A"}), tmp_path)) as url:
        yield url


async def checked(url: str, token: str = "A", **options: Any) -> Report:
    transport = Transport(timeout_s=5, allow_private=True)
    try:
        async with serving(Emsp(wire.Party("FI", "RBT")), "127.0.0.1", 0, None) as emsp:
            return await Check(transport, emsp, Options(f"{url}/ocpi/versions", token, **options)).run()
    finally:
        await transport.aclose()


def verdicts(report: Report) -> dict[str, Verdict]:
    return {step.name: step.verdict for step in report.steps}


# The sandbox's token is good for ever, so that tests may register again.
@pytest.mark.parametrize(
    ("version", "not_ok"),
    [
        ("2.1.1", {"registration token", "profile", "clear profile"}),
        ("2.2.1", {"registration token"}),
        ("2.3.0", {"registration token"}),
    ],
)
async def test_a_cpo_that_behaves_passes_every_step_that_its_version_has(
    cpo: str, version: str, not_ok: set[str]
) -> None:
    report = await checked(cpo, patience_s=10, version=version)
    wrong = {step.name: (step.seen, step.findings) for step in report.steps if step.verdict is not Verdict.OK}
    assert wrong.keys() == not_ok, wrong
    assert not any(findings for _, findings in wrong.values())
    assert (report.is_passed, report.version) == (True, version)
    if version == "2.1.1":
        assert wrong["profile"][0] == "OCPI 2.1.1 has no chargingprofiles"
    assert [step.name for step in report.steps[-4:]] == ["CDR", "sessions list", "CDRs list", "unregister"]


async def test_what_never_comes_fails_its_step_and_the_check_goes_on(cpo: str) -> None:
    async with httpx.AsyncClient() as http:
        faults = [
            {"when": "CDR", "kind": "drop", "pullable": False},
            {"when": "SET_PROFILE", "kind": "response", "result": "REJECTED"},
        ]
        await http.post(f"{cpo}/admin/faults", json=faults)
    report = await checked(cpo, evse="FI-VRT-E12346", patience_s=1.5)
    found = verdicts(report)
    assert {name for name, verdict in found.items() if verdict is Verdict.FAILED} == {"profile", "CDR"}
    assert found["CDRs list"] is Verdict.SKIPPED
    assert found["unregister"] is Verdict.OK
    assert not report.is_passed


async def test_a_message_with_a_fault_is_a_warning_with_its_rule(cpo: str) -> None:
    async with httpx.AsyncClient() as http:
        await http.post(f"{cpo}/admin/faults", json={"when": "CDR", "kind": "alter", "set": {"auth_method": "MAGIC"}})
    report = await checked(cpo, patience_s=10)
    warned = [step for step in report.steps if step.findings]
    assert {step.verdict for step in warned} == {Verdict.WARNING}
    found = {(finding.rule, finding.example) for step in warned for finding in step.findings}
    assert found == {("unknown_value", "Cdr.auth_method")}


async def test_without_a_common_version_or_a_registration_nothing_else_is_tried() -> None:
    async with ScriptedCpo() as cpo:
        assert [step.name for step in (await checked(cpo.url, "wrong")).steps] == ["versions"]
        cpo.on("versions", answer([{"version": "2.0", "url": "http://127.0.0.1/"}]))
        report = await checked(cpo.url, cpo.token_a)
    assert [(step.name, step.verdict) for step in report.steps] == [("versions", Verdict.FAILED)]
    assert report.as_json()["steps"][0]["seen"] == "offered: 2.0"


async def test_the_highest_common_version_is_spoken_unless_another_is_wanted(cpo: str) -> None:
    async with httpx.AsyncClient() as http:
        await http.post(f"{cpo}/admin/versions", json={"versions": ["2.1.1", "2.2.1"]})
    nowhere: dict[str, Any] = {"evse": "nowhere", "patience_s": 1}
    assert (await checked(cpo, **nowhere)).version == "2.2.1"
    forced = await checked(cpo, **nowhere, version="2.3.0")
    assert (forced.version, forced.steps[-1].seen) == (None, "offered: 2.1.1, 2.2.1")


async def test_a_token_that_is_taken_raw_only_is_a_warning_and_the_check_goes_on(cpo: str) -> None:
    async with httpx.AsyncClient() as http:
        await http.post(f"{cpo}/admin/quirks", json={"quirks": ["Q8b"]})
    report = await checked(cpo, evse="nowhere", patience_s=1)
    assert report.steps[0].verdict is Verdict.WARNING
    assert "raw only" in report.steps[0].seen
    assert verdicts(report)["unregister"] is not Verdict.FAILED
