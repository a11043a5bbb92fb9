"""Every operation of the OpenAPI document, asked in every odd way that schemathesis knows, over real HTTP.

Whatever is asked: the status, the content type and the body are as documented, nothing is a 5xx, what the schema
refuses the API refuses, what is deleted is gone, and the log repeats nothing of what was sent.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.fuzz.budget import SECONDS
from tests.fuzz.world import charge, furnish
from tests.peer import ScriptedCpo
from tests.stack import Stack, running_stack, user_token

CONFIG = Path(__file__).with_name("schemathesis.toml")
DISTINCTIVE = 12  # so long a string of a request that is found in a log did not get there by chance

Ask = Callable[..., Awaitable[None]]

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def ask(temporal: WorkflowEnvironment, store_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Ask:
    """``ask_everything`` of this test's engine."""
    return partial(ask_everything, temporal, store_url, tmp_path, caplog)


@on_sqlite
async def test_what_robots_call_answers_as_documented(ask: Ask) -> None:
    few = ("--include-path-regex=^/v1/sessions", "--max-examples=1", "--seed=1")
    await ask("--phases=examples,fuzzing,stateful", *few)


@pytest.mark.soak
@pytest.mark.timeout(4 * SECONDS + 300)
@on_sqlite
async def test_every_operation_answers_as_documented(ask: Ask) -> None:
    phases = "--phases=examples,coverage,fuzzing"
    await ask(phases, f"--max-time={SECONDS}")


@pytest.mark.soak
@pytest.mark.timeout(4 * SECONDS + 300)
@on_sqlite
async def test_what_the_answers_lead_to_answers_as_documented(ask: Ask) -> None:
    # A run of its own: links are followed last, when there is no time left.
    follow = ("--phases=stateful", f"--max-time={SECONDS}")
    await ask(*follow, begin=charge)


async def ask_everything(
    temporal: WorkflowEnvironment,
    store_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    *options: str,
    begin: Callable[[Stack], Awaitable[None]] | None = None,
) -> None:
    """Run schemathesis against a whole engine that is furnished and has begun; fail with its report."""
    record = tmp_path / "requests.har"
    caplog.set_level(logging.INFO)
    async with running_stack(temporal, store_url, settings={"profile_wait_s": 0.1}) as stack, ScriptedCpo() as spare:
        await spare.befriend(stack.database, stack.settings, name="spare")
        await furnish(stack)
        if begin is not None:
            await begin(stack)
        await stack.api.get("/openapi.json")  # making it takes longer than schemathesis waits, where much else runs
        report, code = await _schemathesis(stack, tmp_path, f"--report-har-path={record}", *options)
    sys.stdout.write(report)
    assert code == 0, report
    secrets = [user_token(), stack.settings.admin_key.get_secret_value()]
    ours = {stack.cpo.versions_url, spare.versions_url}  # what the API itself has told, and calls
    assert [text for text in {*sent(record), *secrets} - ours if text in caplog.text] == []


async def _schemathesis(stack: Stack, folder: Path, *options: str) -> tuple[str, int | None]:
    settings = {
        "FUZZ_USER_TOKEN": user_token(),
        "FUZZ_ADMIN_KEY": stack.settings.admin_key.get_secret_value(),
    }
    config = folder / CONFIG.name
    config.write_text(
        CONFIG.read_text().replace("@SOON@", f"{datetime.now(UTC) + timedelta(hours=6):%Y-%m-%dT%H:%M:%SZ}")
    )
    command = ["-m", "schemathesis.cli", "--config-file", str(config), "run", f"{stack.api.base_url}/openapi.json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        *("--no-color", "--output-sanitize=false", "--continue-on-failure", "--generation-database=none"),
        *options,
        cwd=folder,
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    report, _ = await process.communicate()
    return report.decode(), process.returncode


def sent(record: Path) -> set[str]:
    """Every distinctive text in the bodies of the requests of a HAR file."""
    entries = json.loads(record.read_text())["log"]["entries"]
    bodies = (entry["request"].get("postData", {}).get("text", "") for entry in entries)
    return {text for body in bodies for text in _texts(body)}


def _texts(body: str) -> Iterator[str]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = body
    yield from (text for text in _leaves(data) if len(text) >= DISTINCTIVE)


def _leaves(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _leaves(value)
    elif isinstance(data, list):
        for value in data:
            yield from _leaves(value)
