"""``charging up`` as people run it: real processes, which a test may freeze, kill and find again.

::

    async with embedded(tmp_path) as stack:
        session_id = await stack.start("FI-VRT-E12345", key="k")
        stack.kill("worker")
        await stack.restarted("worker")
        await stack.stop(session_id)

Calls are patient, as a robot's are: while a process is away they are repeated, and a start carries its
Idempotency-Key.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from sqlalchemy import Select

from charging.bootstrap.registration import SANDBOX_NAME
from charging.names import TASK_QUEUE
from charging.store.engine import Database
from tests.kill.barriers import is_locked
from tests.programs import program
from tests.waiting import eventually

Json = dict[str, Any]

READY_WITHIN_S = 60
RESTARTED_WITHIN_S = 60
PATIENCE_S = 60
AWAY = (502, 503, 504)


class Embedded:
    """One ``charging up`` on one data directory. ``data`` outlives every process of it."""

    def __init__(self, data: Path, speed: int, environment: Mapping[str, str], payments: str | None) -> None:
        self.data = data
        self.run: Json = {}
        self.database = Database(f"sqlite+aiosqlite:///{data / 'charging.db'}")
        self.http = httpx.AsyncClient(trust_env=False, timeout=30)
        self._command = [program("charging"), "up", "--ports", "auto", "--json", "--speed", str(speed)]
        self._command += ["--payments", payments] if payments else []
        self._environment = {**os.environ, **environment}
        self._supervisor: asyncio.subprocess.Process | None = None

    # ---- Processes ------------------------------------------------------------------------------------------------

    async def up(self, *options: str) -> None:
        """Start it, maybe with more ``options``; return when it says that all is ready."""
        with (self.data.parent / f"{self.data.name}.stderr").open("ab") as errors:
            self._supervisor = await asyncio.create_subprocess_exec(
                *self._command,
                *options,
                "--data",
                str(self.data),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self._environment,
            )
        assert self._supervisor.stdout is not None
        line = await asyncio.wait_for(self._supervisor.stdout.readline(), READY_WITHIN_S)
        assert line, f"`charging up` said nothing; see {errors.name}"
        self.run = json.loads(line)

    async def down(self) -> int:
        """End it as a person does, by SIGTERM; its exit code. None of its processes is left."""
        assert self._supervisor is not None
        with suppress(ProcessLookupError):
            self._supervisor.terminate()
        code = await asyncio.wait_for(self._supervisor.wait(), 30)
        assert not [name for name, pid in self.run["pids"].items() if _is_alive(pid)]
        return code

    async def crash(self) -> None:
        """SIGKILL for the supervisor itself, and so for everything; return when all of it is gone."""
        assert self._supervisor is not None
        pids = self._pids()
        self._supervisor.kill()
        await self._supervisor.wait()
        await eventually(lambda: not any(map(_is_alive, pids.values())))

    def kill(self, name: str) -> None:
        """SIGKILL for one process. The supervisor starts it again."""
        self.run["pids"] = self._pids()
        os.kill(self.run["pids"][name], signal.SIGKILL)

    async def restarted(self, name: str) -> None:
        """Wait until a process that was killed has a successor that works."""
        killed = self.run["pids"][name]
        await eventually(lambda: self._pids()[name] not in (None, killed), within_s=RESTARTED_WITHIN_S)
        self.run["pids"] = self._pids()
        await eventually(lambda: self._works(name), within_s=RESTARTED_WITHIN_S, describe=lambda: self.log(name))

    @asynccontextmanager
    async def frozen(self, name: str) -> AsyncIterator[None]:
        """Within the block the process does nothing at all, and can still be killed. Keep it short."""
        pid = self._pids()[name]
        os.kill(pid, signal.SIGSTOP)
        try:
            while self.store_is_locked():  # caught in a transaction: it would keep the others from theirs
                os.kill(pid, signal.SIGCONT)
                await asyncio.sleep(0.01)
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def log(self, name: str) -> str:
        """The end of a process's log, for people."""
        with suppress(FileNotFoundError):
            return (self.data / "logs" / f"{name}.log").read_text(errors="replace")[-2000:]
        return ""

    async def aclose(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self._supervisor is not None and self._supervisor.returncode is None:
            await self.down()
        await self.http.aclose()
        await self.database.close()

    def _pids(self) -> dict[str, int]:
        pids: dict[str, int] = json.loads((self.data / "run.json").read_text())["pids"]
        return pids

    def store_is_locked(self) -> bool:
        """Whether somebody writes for longer than a living process does."""
        return is_locked(self.data)

    async def _works(self, name: str) -> bool:
        namespace = f"{self.run['temporal_ui']}/api/v1/namespaces/default"
        urls = {
            "api": f"{self.run['api']}/readyz",
            "sandbox": f"{self.run['cpo']}/healthz",
            "neighbours": f"{self.run['neighbours']}/healthz",
            "temporal": namespace,
            "worker": f"{namespace}/task-queues/{TASK_QUEUE}?taskQueueType=TASK_QUEUE_TYPE_WORKFLOW",
        }
        try:
            answer = await self.http.get(urls[name], timeout=2)
        except httpx.HTTPError:
            return False
        # A worker works once Temporal knows this very process as a poller.
        return answer.is_success and (name != "worker" or f'"{self.run["pids"]["worker"]}@' in answer.text)

    # ---- The API, as a robot uses it -------------------------------------------------------------------------------

    async def start(self, evse_id: str, *, key: str, **order: Any) -> str:
        """POST /v1/sessions/start until it is answered; the session's id."""
        body = {"evse_id": evse_id, **order}
        answer = await self.call("POST", "/v1/sessions/start", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 201, answer.text
        session_id: str = _json(answer)["session_id"]
        return session_id

    async def stop(self, session_id: str) -> Json:
        """POST /v1/sessions/stop until it is answered."""
        return _ok(await self.call("POST", "/v1/sessions/stop", json={"session_id": session_id}))

    async def status(self, session_id: str) -> Json:
        """GET …/status."""
        return _ok(await self.call("GET", f"/v1/sessions/{session_id}/status"))

    async def receipt(self, session_id: str) -> Json:
        """GET …/receipt."""
        return _ok(await self.call("GET", f"/v1/sessions/{session_id}/receipt"))

    async def until(self, session_id: str, *, within_s: float = 60, **expected: Any) -> Json:
        """The first status answer with all of ``expected``; a callable there judges its field."""
        seen: Json = {}

        async def matches() -> bool:
            seen.update(await self.status(session_id))
            return all(want(seen[key]) if callable(want) else seen[key] == want for key, want in expected.items())

        await eventually(
            matches, within_s=within_s, every_s=0.25, describe=lambda: f"wanted {expected}, last seen {seen}"
        )
        return seen

    async def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request as the stack's user; repeated while the API, or what it needs, is away."""
        headers = {"Authorization": f"Bearer {self.run['token']}", **request.pop("headers", {})}
        answers: list[httpx.Response] = []

        async def answered() -> bool:
            try:
                answers.append(await self.http.request(method, self.run["api"] + path, headers=headers, **request))
            except httpx.TransportError:
                return False
            return answers[-1].status_code not in AWAY

        last = lambda: f"{method} {path}: {answers[-1].text if answers else 'no answer'}"  # noqa: E731 - one use
        await eventually(answered, within_s=PATIENCE_S, every_s=0.1, describe=last)
        return answers[-1]

    # ---- The sandbox CPO and the store -----------------------------------------------------------------------------

    async def records(self) -> Json:
        """The sandbox's own account of what happened."""
        return _ok(await self.http.get(f"{self.run['cpo']}/admin/records"))

    async def sandbox(self, what: str, body: Any) -> None:
        """POST /admin/{what}: faults, plug, car, end …"""
        answer = await self.http.post(f"{self.run['cpo']}/admin/{what}", json=body)
        assert answer.is_success, answer.text

    async def pull(self) -> None:
        """Have the CDRs that the engine did not get pulled, as an operator does."""
        headers, path = {"X-API-Key": self.run["admin_key"]}, f"/ocpi/connections/{quote(SANDBOX_NAME)}/sync"
        answer = await self.call("POST", path, json={"module": "cdrs"}, headers=headers)
        assert answer.is_success, answer.text

    async def rows(self, query: Select[Any]) -> list[Any]:
        """What the store answers to ``query``."""
        async with self.database.read() as connection:
            return list((await connection.execute(query)).all())


@asynccontextmanager
async def embedded(
    data: Path, *, speed: int = 600, environment: Mapping[str, str] | None = None, payments: str | None = None
) -> AsyncIterator[Embedded]:
    """A ready stack on ``data``, ended and gone when the block is left. ``payments``: who keeps the money."""
    stack = Embedded(data, speed, environment or {}, payments)
    try:
        await stack.up()
        yield stack
    finally:
        await stack.aclose()


def _json(answer: httpx.Response) -> Any:
    """The body with exact decimals: money is compared."""
    return json.loads(answer.content, parse_float=Decimal)


def _ok(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, answer.text
    body: Json = _json(answer)
    return body


def _is_alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Killed, but nobody has asked for its exit code: where no init process does."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
