"""Every operation of the OpenAPI document, asked in every odd way that schemathesis knows, over real HTTP.

Whatever is asked: the status, the content type and the body are as documented, nothing is a 5xx, what the schema
refuses the API refuses, what is deleted is gone, and the log repeats nothing of what was sent.
"""

import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from sqlalchemy import select
from temporalio.testing import WorkflowEnvironment

from charging.store import tables
from tests.fuzz.budget import SECONDS
from tests.fuzz.logged import everything_logged
from tests.fuzz.world import EVSE_IDS, charge, furnish
from tests.peer import ScriptedCpo
from tests.stack import Stack, running_stack, user_token

CONFIG = Path(__file__).with_name("schemathesis.toml")
# What each request has, whatever is asked.
OF_THE_CLIENT = frozenset(
    ("accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "user-agent")
)
NOT_THE_API = ("httpx", "httpcore")  # who calls, in this process: the test itself; in all others they log no URL
METHODS = frozenset(("get", "put", "post", "patch", "delete"))
MARKER = "Xq7-marker-Zk4"
DISTINCTIVE = 12  # so long a string of a request that is found in a log did not get there by chance

# Where links are followed. Schemathesis begins with what needs nothing, and only where there is no such operation with
# what makes something: of all paths at once it would never begin a session.
FAMILIES = {
    "robots": r"^/(v1/(sessions|reservations)|ocpi/tokens)",
    "operators": r"^/(v1/(webhooks|admin|evses)|ocpi/(connections|register))",
}

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
@pytest.mark.parametrize("family", FAMILIES)
@on_sqlite
async def test_what_the_answers_lead_to_answers_as_documented(ask: Ask, family: str) -> None:
    # Runs of their own: links are followed last, when there is no time left.
    follow = ("--phases=stateful", f"--include-path-regex={FAMILIES[family]}", f"--max-time={SECONDS}")
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
        report, code = await _schemathesis(stack, spare, tmp_path, f"--report-har-path={record}", *options)
        await _ask_everything_with_a_marker(stack)
        ours = {stack.cpo.versions_url, spare.versions_url, *await _told(stack)}
    sys.stdout.write(report)
    assert code == 0, report
    secrets = [user_token(), stack.settings.admin_key.get_secret_value(), MARKER]
    logged = everything_logged([record for record in caplog.records if record.name not in NOT_THE_API])
    assert [text for text in {*sent(record), *secrets} - ours if text in logged] == []


async def _ask_everything_with_a_marker(stack: Stack) -> None:
    """Each operation once, by whoever may, with a word in its path, query, headers and body that nobody knows."""
    paths = (await stack.api.get("/openapi.json")).json()["paths"]
    headers = {name: MARKER for name in ("Idempotency-Key", "Last-Event-ID", "User-Agent", "X-Of-A-Vendor")}
    headers |= {"X-API-Key": stack.settings.admin_key.get_secret_value(), "Content-Type": "application/json"}
    asked: dict[str, Any] = {"params": {MARKER: MARKER}, "headers": headers, "content": json.dumps({MARKER: MARKER})}
    for path, operations in paths.items():
        for method in operations.keys() & METHODS:
            async with stack.api.stream(method, re.sub(r"{\w+}", MARKER, path), **asked) as answer:
                assert answer.status_code < 500, (method, path)


async def _told(stack: Stack) -> set[str]:
    """The words that the API itself has told, and may log: those of its paths, and the ids that it has given."""
    paths = (await stack.api.get("/openapi.json")).json()["paths"]
    ids = [select(table.c.id) for table in (tables.sessions, tables.connections, tables.reservations, tables.webhooks)]
    async with stack.database.read() as store:
        given = [str(id) for query in ids for id in (await store.scalars(query)).all()]
    return {*given, *(word for path in paths for word in path.split("/"))}


async def _schemathesis(stack: Stack, spare: ScriptedCpo, folder: Path, *options: str) -> tuple[str, int | None]:
    settings = {
        "FUZZ_USER_TOKEN": user_token(),
        "FUZZ_ADMIN_KEY": stack.settings.admin_key.get_secret_value(),
    }
    known = {
        "@SOON@": f"{datetime.now(UTC) + timedelta(hours=6):%Y-%m-%dT%H:%M:%SZ}",
        "@EVSES@": json.dumps(EVSE_IDS),
        "@SPARE@": spare.versions_url,
    }
    config = folder / CONFIG.name
    config.write_text(re.sub("|".join(known), lambda found: known[found[0]], CONFIG.read_text()))
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
    """Every distinctive text in the paths, queries, headers and bodies of the requests of a HAR file."""
    requests = [entry["request"] for entry in json.loads(record.read_text())["log"]["entries"]]
    bodies = (text for each in requests for text in _texts(each.get("postData", {}).get("text", "")))
    return {*bodies, *(text for each in requests for text in _beside_the_body(each) if len(text) >= DISTINCTIVE)}


def _beside_the_body(request: dict[str, Any]) -> Iterator[str]:
    url = urlsplit(request["url"])
    yield from map(unquote, url.path.split("/"))
    for name, value in parse_qsl(url.query):
        yield from (name, value)
    yield from (each["value"] for each in request["headers"] if each["name"].lower() not in OF_THE_CLIENT)


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
