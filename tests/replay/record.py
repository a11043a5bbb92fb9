"""Store the histories of every path: ``python -m tests.replay.record [PATH …]``, on real servers, with invented data.

Each becomes ``tests/replay/histories/PATH.json``, which the replay test holds against the workflows' code. Record again
only what has changed on purpose: a history that was recorded by older code is worth more than a new one.
"""

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path as File
from typing import Any

from sqlalchemy import select
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from charging import names
from charging.store import tables
from charging.store.migrate import upgrade
from tests.programs import program
from tests.replay.paths import PATHS, Path
from tests.stack import Stack, running_stack

HISTORIES = File(__file__).parent / "histories"


async def record(name: str) -> int:
    """Walk one path and store what it left; the number of workflow runs."""
    path = PATHS[name]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/charging.db"
        await asyncio.to_thread(upgrade, url)
        async with (
            server(path) as environment,
            running_stack(environment, url, settings=path.settings, **path.policy) as stack,
        ):
            await path.walk(stack, environment)
            runs = [await history(stack.temporal, *run) for run in await runs_of(stack, path)]
    body = {"path": name, "runs": sorted(runs, key=lambda run: run["events"][0]["eventTime"])}
    (HISTORIES / f"{name}.json").write_text(_compact(body))
    return len(runs)


@asynccontextmanager
async def server(path: Path) -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server of its own, to which the engine's processes connect."""
    if path.skips_time:
        starting = WorkflowEnvironment.start_time_skipping(
            data_converter=pydantic_data_converter, test_server_existing_path=program("temporal-test-server")
        )
    else:
        starting = WorkflowEnvironment.start_local(
            data_converter=pydantic_data_converter,
            dev_server_existing_path=program("temporal"),
            dev_server_extra_args=[w for a in names.SearchAttribute for w in ("--search-attribute", f"{a}=Keyword")],
        )
    async with await starting as environment:
        if path.skips_time:
            kinds = dict.fromkeys(map(str, names.SearchAttribute), IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
            request = AddSearchAttributesRequest(search_attributes=kinds)
            await environment.client.operator_service.add_search_attributes(request)
        os.environ["TEMPORAL_ADDRESS"] = environment.client.service_client.config.target_host
        yield environment


async def runs_of(stack: Stack, path: Path) -> list[tuple[str, str | None]]:
    """Every run that there was: workflow id and run id."""
    if not path.skips_time:
        return [(found.id, found.run_id) async for found in stack.temporal.list_workflows()]
    # That server cannot list: what it has is asked for by name.
    async with stack.database.read() as store:
        sessions = (await store.scalars(select(tables.sessions.c.id))).all()
    named = (names.charging_session_id, names.settlement_id, names.late_session_id)
    asked = [name(session_id) for session_id in sessions for name in named]
    return [(workflow_id, None) for workflow_id in asked if await _exists(stack.temporal, workflow_id)]


async def _exists(client: Client, workflow_id: str) -> bool:
    try:
        await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return False
    return True


async def history(client: Client, workflow_id: str, run_id: str | None) -> dict[str, Any]:
    """A history as Temporal exports it, without what tells of the machine and replays nothing."""
    fetched = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    return {"id": workflow_id, **without(json.loads(fetched.to_json()), {"identity", "stackTrace"})}


def _compact(body: dict[str, Any]) -> str:
    # Names of task queues that a worker had to itself carry its machine's.
    return json.dumps(body, separators=(",", ":")).replace(socket.gethostname(), "recorder") + "\n"


def without(value: Any, keys: set[str]) -> Any:
    """JSON without the members of these names, at any depth."""
    if isinstance(value, list):
        return [without(part, keys) for part in value]
    if isinstance(value, dict):
        return {key: without(part, keys) for key, part in value.items() if key not in keys}
    return value


async def main(chosen: list[str]) -> None:
    """Record the paths that were named, or all."""
    HISTORIES.mkdir(exist_ok=True)
    for name in chosen or PATHS:
        print(f"{name}: {await record(name)} runs", flush=True)  # noqa: T201 - a command for people


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
