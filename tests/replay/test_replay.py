"""The workflows' code against stored histories: a change that would break a running session fails here.

A failure means: sessions that run now would get stuck when this is deployed. docs/deploying.md says what to do;
recording the history again is not it, unless no session can be on that path any more.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from charging import names
from tests.replay.paths import PATHS
from worker import SESSION_WORKFLOWS, WEBHOOK_WORKFLOWS

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def runs(file: Path) -> list[dict[str, Any]]:
    """The histories of one path, each with its workflow's ``id``."""
    found: list[dict[str, Any]] = json.loads(file.read_text())["runs"]
    return found


def replayer() -> Replayer:
    """All our workflows, run as the worker runs them (docs/adr/0007), but as slowly as a busy machine does it."""
    return Replayer(
        workflows=[*SESSION_WORKFLOWS, *WEBHOOK_WORKFLOWS],
        data_converter=pydantic_data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
        debug_mode=True,  # else two seconds without progress count as a deadlock
    )


def test_every_path_has_its_history() -> None:
    assert [file.stem for file in HISTORIES] == sorted(PATHS)


@pytest.mark.trust("1.13")
@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
async def test_sessions_on_this_path_go_on_with_the_present_code(file: Path) -> None:
    for run in runs(file):
        await replayer().replay_workflow(WorkflowHistory.from_json(run["id"], run))


def test_every_workflow_is_in_some_history() -> None:
    started = [run["events"][0]["workflowExecutionStartedEventAttributes"] for file in HISTORIES for run in runs(file)]
    assert {attributes["workflowType"]["name"] for attributes in started} == {*names.Workflow}
