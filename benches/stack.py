"""The engine under measurement: API and worker in a process each, as in production; robots and CPO in this one."""

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from benches.http import Address
from benches.lean_cpo import LeanCpo, lean_cpo
from benches.programs import Program, program, web_server
from benches.servers import Databases, temporal_server
from charging import names
from charging.settings import Settings
from charging.store.engine import Database
from tests.serving import free_port
from tests.waiting import eventually

EVSES = 2000
_PATIENCE_S = 60


@dataclass(frozen=True)
class Stack:
    """A running engine on a database of one ``kind``."""

    kind: str
    database: Database
    temporal: Client
    cpo: LeanCpo
    api: Address
    api_process: Program
    worker: Program
    reference: Address  # of benches.references
    bare_worker: Program
    directory: Path
    environment: Mapping[str, str]  # of its processes
    _numbers: Iterator[int]

    def evse_numbers(self, count: int) -> list[int]:
        """EVSEs that nobody has used yet."""
        return list(itertools.islice(self._numbers, count))

    def another_api(self) -> AbstractAsyncContextManager[tuple[Program, Address]]:
        """One more API process on the same store and the same Temporal."""
        return web_server("api.app:create_app", log=self.directory / "api.log", environment=self.environment)

    @asynccontextmanager
    async def another_worker(self) -> AsyncIterator[Program]:
        """One more worker process, which works."""
        async with program("worker.py", log=self.directory / "worker.log", environment=self.environment) as worker:
            await eventually(lambda: _polls(self.temporal, worker), within_s=_PATIENCE_S)
            yield worker


@asynccontextmanager
async def running_stack(kind: str, databases: Databases, evses: int = EVSES) -> AsyncIterator[Stack]:
    """Start everything afresh, on a database of ``kind``: sqlite or postgresql."""
    async with temporal_server(databases.directory) as temporal:
        async with _engine(kind, temporal, databases.fresh(kind), databases.directory, evses) as stack:
            yield stack


@asynccontextmanager
async def _engine(kind: str, temporal: Client, url: str, directory: Path, evses: int) -> AsyncIterator[Stack]:
    port = free_port()
    settings = Settings(database_url=url, public_url=f"http://127.0.0.1:{port}", allow_private_peers=True)
    environment = {
        "CHARGING_DATABASE_URL": url,
        "CHARGING_PUBLIC_URL": settings.public_url,
        "CHARGING_ALLOW_PRIVATE_PEERS": "true",
        "CHARGING_USER_RATE": "1000000",  # counted, but not refused: here one user does what thousands do
        "CHARGING_COSTLY_RATE": "1000000",
        "CHARGING_PEER_RATE": "1000000",
        "CHARGING_POLICY__CONFIRM_S": "3600",  # sessions that a measurement leaves open shall keep quiet
        "CHARGING_POLICY__PLUG_IN_S": "3600",
        "CHARGING_SILENCE_S": "36000",
        "TEMPORAL_ADDRESS": temporal.service_client.config.target_host,
    }
    database = Database(url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        cpo = await stack.enter_async_context(lean_cpo())
        await cpo.befriend(database, settings, evses)
        worker = await stack.enter_async_context(
            program("worker.py", log=directory / "worker.log", environment=environment)
        )
        bare = program("-m", "benches.bare_worker", log=directory / "bare.log", environment=environment)
        bare_worker = await stack.enter_async_context(bare)
        server = web_server("api.app:create_app", log=directory / "api.log", port=port, environment=environment)
        process, api = await stack.enter_async_context(server)
        trivial = web_server("benches.references:trivial", log=directory / "reference.log", environment=environment)
        _, reference = await stack.enter_async_context(trivial)
        yield Stack(
            kind,
            database,
            temporal,
            cpo,
            api,
            process,
            worker,
            reference,
            bare_worker,
            directory,
            environment,
            iter(range(evses)),
        )


async def _polls(temporal: Client, worker: Program) -> bool:
    asked = DescribeTaskQueueRequest(
        namespace=temporal.namespace,
        task_queue=TaskQueue(name=names.TASK_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    answer = await temporal.workflow_service.describe_task_queue(asked)
    return any(poller.identity.startswith(f"{worker.pid}@") for poller in answer.pollers)
